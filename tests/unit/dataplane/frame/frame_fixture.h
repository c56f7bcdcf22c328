#pragma once

/// A frame server with its surroundings, and frames to give to it.

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "dataplane/frame/frame_server.h"
#include "dataplane/wire/ethernet.h"
#include "dataplane/wire/ip.h"
#include "tests/unit/dataplane/proto/server_fixture.h"

namespace gnomon::testing {

using Bytes = std::vector<std::uint8_t>;

/// "02 00 5e…": spaces and line ends between bytes.
inline Bytes hex(std::string_view text) {
    Bytes out;
    int high = -1;
    for (const char c : text) {
        const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
        if (digit < 0) continue;
        if (high < 0) {
            high = digit;
        } else {
            out.push_back(static_cast<std::uint8_t>(high * 16 + digit));
            high = -1;
        }
    }
    return out;
}

inline constexpr MacAddress kOurMac{0x02, 0, 0, 0, 0, 0x01};
inline constexpr MacAddress kTheirMac{0x02, 0, 0, 0, 0, 0x02};

struct FrameOptions {
    const char* source = "192.0.2.7";
    const char* destination = "192.0.2.1";
    std::uint16_t source_port = 40000;
    std::uint16_t destination_port = 123;
    std::vector<VlanTag> tags;
    MacAddress to = kOurMac;
    MacAddress from = kTheirMac;
};

inline Bytes ethernet_frame(const FrameOptions& options, std::uint16_t type,
                            std::span<const std::uint8_t> payload) {
    EthernetHeader header;
    header.destination = options.to;
    header.source = options.from;
    header.tag_count = options.tags.size();
    std::copy(options.tags.begin(), options.tags.end(), header.tags.begin());
    header.ether_type = type;
    Bytes frame(header.size());
    build_ethernet(header, frame);
    frame.insert(frame.end(), payload.begin(), payload.end());
    if (frame.size() < kMinFrameSize) frame.resize(kMinFrameSize, 0);
    return frame;
}

inline Bytes udp_frame(std::span<const std::uint8_t> payload, const FrameOptions& options = {}) {
    UdpPacket packet;
    packet.source = {ip(options.source), options.source_port};
    packet.destination = {ip(options.destination), options.destination_port};
    packet.payload = payload;
    Bytes data(payload.size() + 48);
    const std::size_t size = build_ip_udp(packet, data);
    data.resize(size);
    const bool v6 = packet.source.ip.family() == IpAddress::Family::V6;
    return ethernet_frame(options, v6 ? kEtherTypeIpv6 : kEtherTypeIpv4, data);
}

inline Bytes ntp_request(std::uint64_t transmit = 0x1234567890abcdefULL) {
    return Server::request(Server::client_header(transmit));
}

inline DataplaneAddress address(const char* text, int prefix, std::uint16_t vlan = 0) {
    return {{ip(text), static_cast<std::uint8_t>(prefix)}, vlan};
}

inline FrameServerConfig frame_config(DataplaneMode mode) {
    FrameServerConfig config;
    config.mode = mode;
    config.mac = kOurMac;
    config.addresses = {address("192.0.2.1", 24), address("2001:db8::1", 64),
                        address("fe80::1", 64), address("198.51.100.1", 24, 7)};
    return config;
}

inline const ServerState& synchronised_state() {
    static const ServerState kState = Server().state;
    return kState;
}

class FrameBench {
public:
    explicit FrameBench(const FrameServerConfig& config, const ClientLogConfig& log_config = {})
        : log(log_config, 12345),
          store(log_config.enabled ? log_config.capacity() : 0),
          server(config, log, store, random) {
        AccessTable access;
        access.allow({IpAddress{}, 0});
        allow(access);
        state = synchronised_state();
    }
    void allow(const AccessTable& access) { tables.access = decltype(tables.access)(access); }

    /// One frame as a burst of its own, in a buffer of 2,048 bytes.
    Frame& receive(const Bytes& bytes, SystemTime when = at_ns(0)) {
        std::fill(buffer.begin(), buffer.end(), std::uint8_t{0xEE});
        std::copy(bytes.begin(), bytes.end(), buffer.begin());
        frame.data = buffer.data();
        frame.length = static_cast<std::uint16_t>(bytes.size());
        frame.capacity = static_cast<std::uint16_t>(buffer.size());
        frame.stamp = {when, TimestampSource::Hardware, 0.0};
        server.receive({&frame, 1}, state, tables);
        return frame;
    }
    /// Receives and finishes; the frame that would be sent, or nothing.
    Bytes answer(const Bytes& bytes, SystemTime when = at_ns(0)) {
        receive(bytes, when);
        server.finish({&frame, 1}, when + Duration::from_us(5));
        if (!frame.is_answer()) return {};
        return {frame.data, frame.data + frame.length};
    }
    std::uint64_t drops(FrameDrop reason) const {
        return server.counters().drops[static_cast<std::size_t>(reason)].get();
    }

    SeededRandom random{42};
    ClientLog log;
    TimestampStore store;
    FrameServer server;
    ServerState state;
    ServerTables tables;
    std::array<std::uint8_t, 2048> buffer{};
    Frame frame;
};

}  // namespace gnomon::testing
