#include "dataplane/capture/replay_port.h"

#include <algorithm>

#include "dataplane/wire/bytes.h"

namespace gnomon {

namespace {

constexpr std::size_t kOriginAt = 24;
constexpr std::size_t kReceiveAt = 32;

Mode mode_of(std::span<const std::uint8_t> payload) noexcept {
    return payload.empty() ? Mode::Reserved : static_cast<Mode>(payload[0] & 7);
}

}  // namespace

ReplayPort::ReplayPort(CaptureFile file, Options options)
    : file_(std::move(file)), options_(std::move(options)), buffers_(kBatch) {}

std::size_t ReplayPort::receive(std::span<RxDatagram> out) {
    std::size_t used = 0;
    while (used < std::min(out.size(), kBatch) && next(out[used], used)) ++used;
    return used;
}

bool ReplayPort::next(RxDatagram& datagram, std::size_t used) {
    while (!error_) {
        if (!pending_) {
            auto read = file_.next();
            if (!read) {
                error_ = read.error();
                return false;
            }
            if (!read->has_value()) return false;
            pending_ = **read;
            ++counts_.packets;
        }
        const CaptureFilePacket packet = *pending_;
        const ExtractedDatagram found = extract_datagram(packet.link, packet.bytes);
        if (!found.packet) {
            ++counts_.skipped[static_cast<std::size_t>(found.skip)];
            pending_.reset();
            continue;
        }
        const UdpPacket& udp = *found.packet;
        const bool answer =
            udp.source.port == options_.server_port &&
            (mode_of(udp.payload) == Mode::Server || udp.destination.port != options_.server_port);
        if (packet.direction == CaptureFilePacket::Direction::Out || answer) {
            // The replies that it is compared with have to be sent first.
            if (used > 0) return false;
            note_outgoing(udp);
            pending_.reset();
            continue;
        }
        pending_.reset();
        if (udp.destination.port != options_.server_port) {
            ++counts_.other_port;
            continue;
        }
        if (udp.payload.size() > kNtpMaxSize) {
            ++counts_.too_long;
            continue;
        }
        ++counts_.requests;
        std::copy(udp.payload.begin(), udp.payload.end(), buffers_[used].begin());
        const std::span<std::uint8_t> payload(buffers_[used].data(), udp.payload.size());
        translate(payload);
        datagram = RxDatagram{};
        datagram.payload = payload;
        datagram.remote = udp.source;
        datagram.local = udp.destination.ip;
        datagram.stamp = packet.stamp;
        last_ = packet.stamp.time;
        return true;
    }
    return false;
}

void ReplayPort::note_outgoing(const UdpPacket& packet) {
    ++counts_.outgoing;
    if (packet.payload.size() < kNtpHeaderSize || mode_of(packet.payload) != Mode::Server) return;
    const auto ours = ours_by_client_.find(packet.destination);
    if (ours == ours_by_client_.end()) return;
    if (ours_by_theirs_.size() >= kMostRemembered) ours_by_theirs_.clear();
    ours_by_theirs_[load_be64(packet.payload, kReceiveAt)] = ours->second;
}

void ReplayPort::translate(std::span<std::uint8_t> request) {
    // What follows the header may be a MAC over it.
    if (request.size() != kNtpHeaderSize || mode_of(request) != Mode::Client) return;
    const auto ours = ours_by_theirs_.find(load_be64(request, kOriginAt));
    if (ours == ours_by_theirs_.end()) return;
    store_be64(request, kOriginAt, ours->second);
    ++counts_.translated;
}

std::size_t ReplayPort::send(std::span<const TxDatagram> datagrams) {
    const SystemTime now = last_ + options_.service;
    for (std::size_t i = 0; i < datagrams.size(); ++i) {
        const TxDatagram& datagram = datagrams[i];
        if (datagram.finisher != nullptr) datagram.finisher->finish(now, i);
        if (datagram.payload.size() >= kNtpHeaderSize) {
            if (ours_by_client_.size() >= kMostRemembered) ours_by_client_.clear();
            ours_by_client_[datagram.remote] = load_be64(datagram.payload, kReceiveAt);
        }
        const Stamp stamp{now + options_.departure, TimestampSource::Kernel, 0.0};
        if (datagram.want_stamp) {
            TxStampReport report;
            report.cookie = datagram.cookie;
            report.stamp = stamp;
            report.remote = datagram.remote;
            stamps_.push_back(report);
        }
        if (!options_.on_reply) continue;
        UdpPacket reply;
        reply.source = {datagram.local, options_.server_port};
        reply.destination = datagram.remote;
        reply.payload = datagram.payload;
        options_.on_reply(reply, stamp);
    }
    return datagrams.size();
}

std::size_t ReplayPort::transmit_stamps(std::span<TxStampReport> out) {
    const std::size_t count = std::min(out.size(), stamps_.size());
    std::copy_n(stamps_.begin(), count, out.begin());
    stamps_.erase(stamps_.begin(), stamps_.begin() + static_cast<std::ptrdiff_t>(count));
    return count;
}

}  // namespace gnomon
