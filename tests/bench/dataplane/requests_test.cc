#include "tests/bench/dataplane/requests.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <span>

#include "dataplane/wire/ip.h"
#include "dataplane/wire/ntp_packet.h"

namespace gnomon::bench {
namespace {

RequestOptions options() {
    RequestOptions request;
    request.server = 0x0A090001;
    request.first_client = 0x0A800000;
    return request;
}

UdpParse parse(const std::vector<std::uint8_t>& frame) {
    return parse_ip_udp(std::span(frame).subspan(kEthernetSize));
}

TEST(Requests, RequestOfEveryClientHasValidHeaders) {
    std::vector<std::uint8_t> frame = make_request(options());
    const std::uint32_t sum = header_sum(frame);
    for (const std::uint32_t client : {0x0A800000U, 0x0A800001U, 0x0A81869FU, 0xFFFFFFFFU, 0U}) {
        set_source(frame.data(), sum, client);
        const UdpParse parsed = parse(frame);
        ASSERT_TRUE(parsed.packet) << client;
        EXPECT_EQ(parsed.packet->source.port, kClientPort);
        EXPECT_EQ(parsed.packet->destination.port, 123);
        EXPECT_EQ(parsed.packet->payload.size(), kNtpHeaderSize);
        const std::array<std::uint8_t, 4> bytes{
            static_cast<std::uint8_t>(client >> 24), static_cast<std::uint8_t>(client >> 16),
            static_cast<std::uint8_t>(client >> 8), static_cast<std::uint8_t>(client)};
        EXPECT_EQ(0, std::memcmp(frame.data() + kSourceOffset, bytes.data(), bytes.size()));
    }
}

TEST(Requests, OffsetsAreThoseOfTheFields) {
    const std::vector<std::uint8_t> frame = make_request(options());
    const UdpParse parsed = parse(frame);
    ASSERT_TRUE(parsed.packet);
    EXPECT_EQ(parsed.packet->payload.data(), frame.data() + kNtpOffset);
    const NtpHeader header = decode_header(parsed.packet->payload.first<kNtpHeaderSize>());
    EXPECT_EQ(header.mode, Mode::Client);
    EXPECT_EQ(header.origin.bits(), 0U);
    EXPECT_EQ(header.receive.bits() & 0xFF, kReceiveTag);
    EXPECT_EQ(header.transmit.bits() & (kReceiveTag | kEligibleTag), 0U);
    EXPECT_EQ(frame[kReceiveOffset + 7], kReceiveTag);
}

TEST(Requests, MacIsValid) {
    const std::array<std::uint8_t, 16> secret{1, 2, 3};
    const SymmetricKey key(7, KeyType::Aes128, secret);
    RequestOptions request = options();
    request.key = &key;
    const std::vector<std::uint8_t> frame = make_request(request);
    const UdpParse parsed = parse(frame);
    ASSERT_TRUE(parsed.packet);
    const ParseResult packet = parse_packet(parsed.packet->payload);
    ASSERT_TRUE(packet.packet);
    EXPECT_TRUE(check_mac(*packet.packet, key));
}

}  // namespace
}  // namespace gnomon::bench
