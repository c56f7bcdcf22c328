#pragma once

/// A responder with its surroundings, driven by hand.

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/proto/responder.h"
#include "dataplane/wire/mac.h"
#include "dataplane/wire/ntp_packet.h"
#include "servo/units/random_source.h"

namespace gnomon::testing {

/// SplitMix64.
class SeededRandom final : public RandomSource {
public:
    explicit SeededRandom(std::uint64_t seed) : state_(seed) {}
    std::uint64_t next() override {
        std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
        return z ^ (z >> 31);
    }

private:
    std::uint64_t state_;
};

inline IpAddress ip(const char* text) { return IpAddress::parse(text).value(); }

/// Whole seconds around which the tests play.
inline constexpr std::int64_t kBaseNs = 1'700'000'000'000'000'000;
inline SystemTime at_ns(std::int64_t ns) { return SystemTime::from_ns(kBaseNs + ns); }

class Server {
public:
    explicit Server(const ClientLogConfig& config = {})
        : log(config, 12345),
          store(config.enabled ? config.capacity() : 0),
          responder(log, store, random) {
        access.allow({IpAddress{}, 0});
        state.synchronised = true;
        state.leap = Leap::Normal;
        state.stratum = 2;
        state.ref_id = RefId{0x0A000001};
        state.reference_time = UtcTime::from_ns(kBaseNs - 10'000'000'000);
        state.root_delay_s = 0.01;
        state.root_dispersion_s = 0.001;
        state.dispersion_rate = 1e-5;
        state.precision = -25;
        state.clock.epoch = at_ns(0);
    }

    static std::vector<std::uint8_t> request(const NtpHeader& header) {
        std::vector<std::uint8_t> bytes(kNtpHeaderSize);
        encode_header(header, std::span(bytes).first<kNtpHeaderSize>());
        return bytes;
    }
    static NtpHeader client_header(std::uint64_t transmit = 0x1234567890abcdefULL) {
        NtpHeader header;
        header.mode = Mode::Client;
        header.poll = 6;
        header.transmit = NtpTimestamp::from_bits(transmit);
        return header;
    }

    Drop ask(std::span<const std::uint8_t> bytes, SystemTime received, SystemTime sent,
             const char* from = "192.0.2.7", std::uint16_t port = 40000) {
        datagram = RxDatagram{};
        datagram.payload = bytes;
        datagram.remote = {ip(from), port};
        datagram.local = ip("192.0.2.1");
        datagram.stamp = {received, TimestampSource::Kernel, 0.0};
        ServerTables tables;
        tables.access = AccessIndex(access);
        tables.keys = std::shared_ptr<const KeyTable>(std::shared_ptr<const KeyTable>(), &keys);
        Drop drop = Drop::None;
        responder.prepare_burst({&datagram, 1}, state, tables, replies.all(), {&drop, 1});
        if (drop == Drop::None) reply.finish(sent, 0);
        return drop;
    }
    /// As `serverstats` would tell.
    ServerStats stats() const {
        ServerStats stats;
        stats.add(responder.counters());
        add_shared(stats, log, store);
        return stats;
    }
    NtpHeader answer() const { return decode_header(reply.bytes().first<kNtpHeaderSize>()); }

    SeededRandom random{42};
    ClientLog log;
    TimestampStore store;
    Responder responder;
    AccessTable access;
    KeyTable keys;
    ServerState state;
    RxDatagram datagram;  ///< the last request
    ReplyArray replies{1};
    Reply& reply = replies[0];
};

}  // namespace gnomon::testing
