#include "tests/bench/dataplane/requests.h"

#include <algorithm>
#include <array>

#include "dataplane/wire/bytes.h"
#include "dataplane/wire/ntp_packet.h"

namespace gnomon::bench {
namespace {

void put16(std::uint8_t* at, std::uint32_t value) {
    at[0] = static_cast<std::uint8_t>(value >> 8);
    at[1] = static_cast<std::uint8_t>(value);
}
void put32(std::uint8_t* at, std::uint32_t value) {
    put16(at, value >> 16);
    put16(at + 2, value & 0xFFFF);
}

}  // namespace

std::vector<std::uint8_t> make_request(const RequestOptions& options) {
    std::array<std::uint8_t, 128> ntp{};
    NtpHeader header;
    header.mode = Mode::Client;
    header.transmit = NtpTimestamp::from_bits(0xE000'0000'1234'5600ULL);
    encode_header(header, std::span(ntp).first<kNtpHeaderSize>());
    // Only ever sent in interleaved mode together with an origin; servers ignore it otherwise.
    ntp[kReceiveOffset - kNtpOffset] = 0xE0;
    ntp[kReceiveOffset - kNtpOffset + 7] = kReceiveTag;
    std::size_t length = kNtpHeaderSize;
    if (options.key != nullptr) length = append_mac(ntp, length, header.version, *options.key);

    std::vector<std::uint8_t> frame(kNtpOffset + length);
    EthernetHeader ethernet;
    ethernet.destination = options.server_mac;
    ethernet.source = options.gateway;
    ethernet.ether_type = kEtherTypeIpv4;
    build_ethernet(ethernet, frame);
    std::uint8_t* const ip = frame.data() + kEthernetSize;
    ip[0] = 0x45;
    put16(ip + 2, static_cast<std::uint32_t>(20 + 8 + length));
    put16(ip + 6, 0x4000);
    ip[8] = 64;
    ip[9] = 17;
    put32(ip + 16, options.server);
    std::uint8_t* const udp = frame.data() + kUdpOffset;
    put16(udp, kClientPort);
    put16(udp + 2, options.port);
    put16(udp + 4, static_cast<std::uint32_t>(8 + length));
    std::copy_n(ntp.begin(), length, frame.begin() + kNtpOffset);
    set_source(frame.data(), header_sum(frame), options.first_client);
    return frame;
}

std::uint32_t header_sum(const std::vector<std::uint8_t>& frame) {
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < 20; i += 2) {
        if (i == 10 || i == 12 || i == 14) continue;
        sum += static_cast<std::uint32_t>(frame[kEthernetSize + i] << 8 |
                                          frame[kEthernetSize + i + 1]);
    }
    return sum;
}

void set_source(std::uint8_t* frame, std::uint32_t sum, std::uint32_t source) {
    put32(frame + kSourceOffset, source);
    sum += (source >> 16) + (source & 0xFFFF);
    sum = (sum & 0xFFFF) + (sum >> 16);
    sum = (sum & 0xFFFF) + (sum >> 16);
    put16(frame + kIpChecksumOffset, ~sum & 0xFFFF);
}

}  // namespace gnomon::bench
