#pragma once

/// `StreamHub`: what the clients of /api/v1/stream wait for, as server-sent events (WHATWG HTML,
/// 9.2). Every client has its own bounded backlog; one that does not read loses its connection and
/// nobody else anything.

#include <cstdint>
#include <functional>
#include <list>
#include <string>
#include <string_view>

namespace gnomon::mgmtd {

class StreamHub {
public:
    static constexpr std::size_t kMaxClients = 32;
    static constexpr std::size_t kMaxBacklog = 512 * 1024;

    struct Client {
        std::string backlog;
        std::size_t sent = 0;  ///< bytes of the backlog that are gone
        bool is_over = false;  ///< fell behind: to be ended
        /// Called when there is something to send again.
        std::function<void()> wake;

        bool is_empty() const noexcept { return sent == backlog.size(); }
        /// Moves up to `size` bytes to `out`.
        std::size_t take(char* out, std::size_t size);
    };

    /// Null when all places are taken. The first thing it gets is `greeting`.
    Client* add(std::string greeting);
    void remove(Client* client);
    std::size_t clients() const noexcept { return clients_.size(); }
    bool has_clients() const noexcept { return !clients_.empty(); }

    /// `data` without line ends. An `id` of 0 is left out.
    void publish(std::string_view event, std::string_view data, std::uint64_t id = 0);
    /// A comment that keeps proxies and dead connections awake.
    void keep_alive();
    /// Everybody's connection ends.
    void close_all();

    static std::string format(std::string_view event, std::string_view data, std::uint64_t id = 0);

private:
    void append(std::string_view text);

    std::list<Client> clients_;
};

}  // namespace gnomon::mgmtd
