#pragma once

/// Two servers with the same random numbers, states and stamps: one is asked by frames, the other as
/// sockets ask it. Whatever the requests, what they answer must be the same, byte for byte.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tests/unit/dataplane/frame/frame_fixture.h"

namespace gnomon::testing {

struct Asked {
    Bytes payload;
    FrameOptions options;
    /// Bytes between IP header and UDP, if the family has them: 0, or a multiple of 8 up to 32.
    std::size_t extra = 0;
    SystemTime received;
};

/// The packet with IPv4 options or an IPv6 extension header of `extra` bytes.
inline Bytes with_extra(Bytes frame, std::size_t l3, std::size_t extra) {
    if (extra == 0) return frame;
    const bool v6 = frame[l3] >> 4 == 6;
    const std::size_t at = l3 + (v6 ? 40 : 20);
    Bytes header(extra, v6 ? 0 : 1);
    if (v6) {
        header[0] = 17;
        header[1] = static_cast<std::uint8_t>(extra / 8 - 1);
        header[2] = 1;  // padding
        header[3] = static_cast<std::uint8_t>(extra - 4);
        frame[l3 + 6] = 60;
    } else {
        frame[l3] = static_cast<std::uint8_t>(0x45 + extra / 4);
    }
    const std::size_t length_at = l3 + (v6 ? 4 : 2);
    const std::size_t length = (frame[length_at] << 8 | frame[length_at + 1]) + extra;
    frame[length_at] = static_cast<std::uint8_t>(length >> 8);
    frame[length_at + 1] = static_cast<std::uint8_t>(length);
    frame.insert(frame.begin() + static_cast<std::ptrdiff_t>(at), header.begin(), header.end());
    if (!v6) {
        frame[l3 + 10] = frame[l3 + 11] = 0;
        const std::uint16_t sum =
            checksum_finish(checksum_add(0, std::span(frame).subspan(l3, 20 + extra)));
        frame[l3 + 10] = static_cast<std::uint8_t>(sum >> 8);
        frame[l3 + 11] = static_cast<std::uint8_t>(sum);
    }
    return frame;
}

class FrameTwin {
public:
    FrameTwin(const FrameServerConfig& config, const ClientLogConfig& log_config,
              const ServerState& server_state, const ServerTables& server_tables,
              std::uint64_t seed = 42)
        : state(server_state),
          tables(server_tables),
          frames_(config, log_config),
          log_(log_config, 12345),
          store_(log_config.enabled ? log_config.capacity() : 0),
          random_(seed),
          socket_(log_, store_, random_),
          replies_(FrameServer::kMaxBurst) {
        frames_.random = SeededRandom(seed);
    }

    /// Requests that both get as one burst; all are addressed to the server. What is wrong, or nothing.
    std::string ask(std::span<const Asked> burst, SystemTime now) {
        std::vector<Bytes> buffers;
        std::vector<Frame> frames(burst.size());
        for (const Asked& asked : burst) {
            buffers.push_back(with_extra(udp_frame(asked.payload, asked.options),
                                         14 + 4 * asked.options.tags.size(), asked.extra));
        }
        std::vector<RxDatagram> datagrams;
        for (std::size_t i = 0; i < burst.size(); ++i) {
            frames[i].data = buffers[i].data();
            frames[i].length = frames[i].capacity = static_cast<std::uint16_t>(buffers[i].size());
            frames[i].stamp = {burst[i].received, TimestampSource::Hardware, 0.0};
            RxDatagram datagram;
            datagram.payload = burst[i].payload;
            datagram.remote = {ip(burst[i].options.source), burst[i].options.source_port};
            datagram.local = ip(burst[i].options.destination);
            datagram.frame_length = frames[i].length;
            datagram.stamp = frames[i].stamp;
            datagrams.push_back(datagram);
        }
        frames_.server.receive(frames, state, tables);
        frames_.server.finish(frames, now);
        std::vector<Drop> verdicts(burst.size());
        socket_.prepare_burst(datagrams, state, tables, replies_.all(), verdicts);
        socket_.finish_burst(replies_.all(), verdicts, now);
        answers.assign(burst.size(), Bytes());
        for (std::size_t i = 0; i < burst.size(); ++i) {
            const bool answered = frames[i].verdict == FrameVerdict::Reply;
            if (answered != (verdicts[i] == Drop::None)) return "only one of them answered";
            if (!answered) {
                if (frames[i].drop != FrameDrop::Refused) return to_string(frames[i].drop);
                continue;
            }
            const auto bytes = replies_[i].bytes();
            answers[i].assign(bytes.begin(), bytes.end());
            if (const std::string wrong = compare(burst[i], frames[i], bytes); !wrong.empty()) {
                return wrong;
            }
            if (frames[i].cookie != replies_[i].cookie()) return "cookie";
            if (frames[i].want_stamp != replies_[i].wants_stamp()) return "stamp";
            if (frames[i].want_stamp) stamp(frames[i].cookie, now + Duration::from_us(2));
        }
        return same_counters() ? "" : "counters";
    }

    std::uint64_t interleaved() const { return socket_.counters().interleaved.get(); }
    std::uint64_t drops(Drop reason) const {
        return socket_.counters().drops[static_cast<std::size_t>(reason)].get();
    }

    ServerState state;
    ServerTables tables;
    std::vector<Bytes> answers;  ///< to the last burst; empty: refused

private:
    static std::string compare(const Asked& asked, const Frame& frame,
                               std::span<const std::uint8_t> bytes) {
        const std::span<const std::uint8_t> sent(frame.data, frame.length);
        const auto header = parse_ethernet(sent);
        if (!header || header->tag_count != asked.options.tags.size() ||
            header->destination != asked.options.from || header->source != asked.options.to) {
            return "Ethernet header";
        }
        const UdpParse parsed = parse_ip_udp(sent.subspan(header->size()));
        if (!parsed.packet || parsed.packet->unchecked) return "checksums or headers";
        if (parsed.packet->source !=
                SocketAddress{ip(asked.options.destination), asked.options.destination_port} ||
            parsed.packet->destination !=
                SocketAddress{ip(asked.options.source), asked.options.source_port}) {
            return "addresses";
        }
        const auto payload = parsed.packet->payload;
        if (payload.size() > asked.payload.size()) return "longer than the request";
        return std::equal(payload.begin(), payload.end(), bytes.begin(), bytes.end()) ? ""
                                                                                      : "payload";
    }

    /// Both learn how long the way to the wire is.
    void stamp(std::uint64_t cookie, SystemTime when) {
        TxStampReport report;
        report.cookie = cookie;
        report.stamp = {when, TimestampSource::Hardware, 0.0};
        frames_.server.responder().on_transmit_stamp(report);
        socket_.on_transmit_stamp(report);
    }

    bool same_counters() const {
        const ServerCounters& a = frames_.server.responder().counters();
        const ServerCounters& b = socket_.counters();
        for (std::size_t i = 0; i < a.drops.size(); ++i) {
            if (a.drops[i].get() != b.drops[i].get()) return false;
        }
        return a.requests.get() == b.requests.get() && a.replies.get() == b.replies.get() &&
               a.interleaved.get() == b.interleaved.get() &&
               a.authenticated.get() == b.authenticated.get();
    }

    FrameBench frames_;
    ClientLog log_;
    TimestampStore store_;
    SeededRandom random_;
    Responder socket_;
    ReplyArray replies_;
};

}  // namespace gnomon::testing
