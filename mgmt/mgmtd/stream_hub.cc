#include "mgmt/mgmtd/stream_hub.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

namespace gnomon::mgmtd {

std::size_t StreamHub::Client::take(char* out, std::size_t size) {
    const std::size_t count = std::min(size, backlog.size() - sent);
    memcpy(out, backlog.data() + sent, count);
    sent += count;
    if (is_empty()) {
        backlog.clear();
        sent = 0;
    }
    return count;
}

StreamHub::Client* StreamHub::add(std::string greeting) {
    if (clients_.size() >= kMaxClients) return nullptr;
    Client& client = clients_.emplace_back();
    client.backlog = std::move(greeting);
    return &client;
}

void StreamHub::remove(Client* client) {
    clients_.remove_if([client](const Client& other) { return &other == client; });
}

std::string StreamHub::format(std::string_view event, std::string_view data, std::uint64_t id) {
    std::string text = fmt::format("event: {}\n", event);
    if (id != 0) text += fmt::format("id: {}\n", id);
    return text + fmt::format("data: {}\n\n", data);
}

void StreamHub::append(std::string_view text) {
    for (Client& client : clients_) {
        if (client.backlog.size() - client.sent + text.size() > kMaxBacklog) {
            client.is_over = true;
        } else {
            if (client.sent > 0) client.backlog.erase(0, client.sent);
            client.sent = 0;
            client.backlog += text;
        }
        if (client.wake) client.wake();
    }
}

void StreamHub::publish(std::string_view event, std::string_view data, std::uint64_t id) {
    if (has_clients()) append(format(event, data, id));
}

void StreamHub::keep_alive() { append(": still here\n\n"); }

void StreamHub::close_all() {
    for (Client& client : clients_) {
        client.is_over = true;
        if (client.wake) client.wake();
    }
}

}  // namespace gnomon::mgmtd
