#pragma once

/// The transport of the CLI: one request at a time to the first address that answers.

#include <chrono>
#include <csignal>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "dataplane/wire/address.h"
#include "mgmt/cli/socket.h"
#include "mgmt/command/wire.h"

namespace gnomon::cli {

/// A reply with a sound header. `body` is absent for types this side does not know.
struct Reply {
    command::Status status = command::Status::Success;
    std::optional<command::ReplyBody> body;
};

/// An interface, so that commands can be tested without a daemon.
class Channel {
public:
    virtual ~Channel() = default;
    /// Nothing when no address answered.
    virtual std::optional<Reply> exchange(command::Command command,
                                          const command::RequestBody& body) = 0;
    virtual void set_timeout(std::chrono::milliseconds initial) = 0;
    virtual void set_retries(int retries) = 0;
};

/// Sends to one address, resending after 1, 2, 4, … seconds; when the retries are used up, goes on
/// to the next address of the list and stays there. Starts over at the first one after all failed.
class DatagramClient : public Channel {
public:
    /// `stop`: set by a signal handler, ends the waiting; outlives the client.
    DatagramClient(std::vector<ServerAddress> addresses, const volatile std::sig_atomic_t& stop)
        : addresses_(std::move(addresses)), stop_(stop) {}

    /// Opens a socket to the first address where that is possible; false when there is none.
    bool open();

    std::optional<Reply> exchange(command::Command command,
                                  const command::RequestBody& body) override;
    void set_timeout(std::chrono::milliseconds initial) override { timeout_ = initial; }
    void set_retries(int retries) override { retries_ = retries; }

private:
    enum class Wait { Replied, Again, TimedOut, Stopped };

    bool open_next();
    std::optional<Reply> submit(command::Command command, const command::RequestBody& body);
    /// Waits for one datagram until `deadline` and judges it.
    Wait receive(std::chrono::steady_clock::time_point deadline,
                 const command::RequestHeader& request, Reply& reply);

    std::vector<ServerAddress> addresses_;
    const volatile std::sig_atomic_t& stop_;
    std::size_t next_address_ = 0;
    std::optional<ClientSocket> socket_;
    std::chrono::milliseconds timeout_{1000};
    int retries_ = 2;
    std::uint8_t version_ = command::kProtocolVersion;
    bool version_changed_ = false;
};

}  // namespace gnomon::cli
