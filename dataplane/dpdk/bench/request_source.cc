#include "dataplane/dpdk/bench/request_source.h"

#include <cstring>

#include "dataplane/dpdk/bench/bench_server.h"
#include "dataplane/wire/bytes.h"
#include "dataplane/wire/ip.h"

namespace gnomon::bench {

namespace {

constexpr std::size_t kIp = 14;
constexpr std::size_t kUdp = kIp + 20;
constexpr std::size_t kNtp = kUdp + 8;
constexpr std::size_t kSize = kNtp + 48;

}  // namespace

RequestSource::RequestSource(const BenchOptions& options, const MacAddress& server)
    : interleaved_(options.interleaved), template_(kSize), clients_(options.clients) {
    EthernetHeader ethernet;
    ethernet.destination = server;
    ethernet.source = {0x02, 0x67, 0x6e, 0x6f, 0x6d, 0x6e};
    ethernet.ether_type = kEtherTypeIpv4;
    build_ethernet(ethernet, template_);
    std::vector<std::uint8_t> payload(48);
    payload[0] = 0x23;
    UdpPacket packet;
    packet.source = {IpAddress::v4(0), 40123};
    packet.destination = {IpAddress::v4(kServerAddress), 123};
    packet.payload = payload;
    build_ip_udp(packet, std::span(template_).subspan(kIp));
    // Of a checksum that is not there the sender need not know the clients' part.
    std::memset(template_.data() + kUdp + 6, 0, 2);
    std::memset(template_.data() + kIp + 10, 0, 2);
    header_sum_ = checksum_add(0, std::span<const std::uint8_t>(template_).subspan(kIp, 20));
}

void RequestSource::make(Frame& frame) {
    random_ ^= random_ << 13;
    random_ ^= random_ >> 7;
    random_ ^= random_ << 17;
    auto index = static_cast<std::uint32_t>((random_ >> 32) * clients_.size() >> 32);
    if (!shuffled_) {
        index = next_;
        next_ = (next_ + 1) % static_cast<std::uint32_t>(clients_.size());
    }
    std::uint8_t* data = frame.data;
    std::memcpy(data, template_.data(), kSize);
    const std::span<std::uint8_t> bytes(data, kSize);
    store_be32(bytes, kIp + 12, kFirstClient + index);
    const std::uint32_t source = kFirstClient + index;
    std::uint32_t sum = header_sum_ + (source >> 16) + (source & 0xffff);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    store_be16(bytes, kIp + 10, static_cast<std::uint16_t>(~sum));
    store_be64(bytes, kNtp + 40, random_ & ~std::uint64_t{1});
    if (interleaved_ && clients_[index].receive != 0) {
        std::memcpy(data + kNtp + 24, &clients_[index].receive, 8);
        store_be64(bytes, kNtp + 32, random_ ^ 0x5555);
    }
    frame.length = kSize;
}

void RequestSource::learn(const Frame& frame) {
    if (!interleaved_ || frame.length < kSize) return;
    const std::uint32_t client = load_be32({frame.data, frame.length}, kIp + 16) - kFirstClient;
    if (client < clients_.size()) {
        std::memcpy(&clients_[client].receive, frame.data + kNtp + 32, 8);
    }
}

}  // namespace gnomon::bench
