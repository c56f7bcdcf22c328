#include "mgmt/cli/client.h"

#include <sys/random.h>

#include <array>

namespace gnomon::cli {

namespace {

using std::chrono::steady_clock;

/// Nobody can answer for the daemon without having seen the request.
std::uint32_t random_sequence() {
    std::uint32_t value = 0;
    if (getrandom(&value, sizeof value, 0) != sizeof value) {
        value = static_cast<std::uint32_t>(steady_clock::now().time_since_epoch().count());
    }
    return value;
}

}  // namespace

bool DatagramClient::open() { return open_next(); }

bool DatagramClient::open_next() {
    if (socket_.has_value()) {
        socket_.reset();
        ++next_address_;
    }
    for (; next_address_ < addresses_.size(); ++next_address_) {
        socket_ = ClientSocket::open(addresses_[next_address_]);
        if (socket_.has_value()) return true;
    }
    next_address_ = 0;
    return false;
}

std::optional<Reply> DatagramClient::exchange(command::Command command,
                                              const command::RequestBody& body) {
    while (true) {
        auto reply = submit(command, body);
        if (reply.has_value()) return reply;
        if (!open_next()) return std::nullopt;
    }
}

std::optional<Reply> DatagramClient::submit(command::Command command,
                                            const command::RequestBody& body) {
    if (!socket_.has_value()) return std::nullopt;
    for (int attempt = 0; attempt <= retries_; ++attempt) {
        command::RequestHeader header;
        header.version = version_;
        header.command = static_cast<std::uint16_t>(command);
        header.attempt = static_cast<std::uint16_t>(attempt);
        header.sequence = random_sequence();
        std::array<std::uint8_t, command::kMaxRequestSize> packet{};
        const std::size_t size = command::encode_request(header, body, packet);
        GNOMON_ASSERT(size > 0);
        if (!socket_->send({packet.data(), size})) return std::nullopt;

        const auto deadline = steady_clock::now() + timeout_ * (std::int64_t{1} << attempt);
        Reply reply;
        Wait outcome = Wait::Again;
        while (outcome == Wait::Again) outcome = receive(deadline, header, reply);
        if (outcome == Wait::Replied) return reply;
        if (outcome == Wait::Stopped) return std::nullopt;
        if (version_changed_) {
            version_changed_ = false;
            --attempt;
        }
    }
    return std::nullopt;
}

DatagramClient::Wait DatagramClient::receive(steady_clock::time_point deadline,
                                             const command::RequestHeader& request, Reply& reply) {
    if (stop_ != 0) return Wait::Stopped;
    const auto left = deadline - steady_clock::now();
    if (left <= steady_clock::duration::zero()) return Wait::TimedOut;
    switch (socket_->wait(std::chrono::ceil<std::chrono::milliseconds>(left))) {
        case ClientSocket::Ready::Failed: return Wait::Stopped;
        case ClientSocket::Ready::No: return Wait::TimedOut;
        case ClientSocket::Ready::Yes: break;
    }
    std::array<std::uint8_t, 2048> packet{};
    const auto size = socket_->receive(packet);
    // A refused port shows here: no need to wait for the rest of the time-out.
    if (!size.has_value()) return Wait::TimedOut;
    const std::span<const std::uint8_t> bytes(packet.data(), *size);
    const auto header = command::decode_reply_header(bytes);
    if (!header) return Wait::Again;
    const command::ReplyHeader& h = *header;
    const bool other_version = h.version != version_;
    if (h.command != request.command || h.sequence != request.sequence ||
        (other_version && !(h.version >= command::kOldestReplyVersion &&
                            h.status == command::Status::BadPacketVersion))) {
        return Wait::Again;
    }
    // Version 5 differs only in the padding.
    if (version_ == command::kProtocolVersion && h.version == command::kProtocolVersion - 1) {
        version_ = h.version;
        version_changed_ = true;
        return Wait::TimedOut;
    }
    auto body = command::decode_reply_body(h, bytes);
    if (!body && body.error() == command::ParseError::TooShort) return Wait::TimedOut;
    reply.status = h.status;
    if (body) reply.body = std::move(body).value();
    return Wait::Replied;
}

}  // namespace gnomon::cli
