#include "dataplane/wire/ntp_packet.h"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "dataplane/wire/extensions.h"

namespace gnomon {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes packet_with_version(int version, std::size_t tail) {
    Bytes bytes(kNtpHeaderSize + tail, 0);
    bytes[0] = static_cast<std::uint8_t>(version << 3 | 4);
    return bytes;
}

void put_field(Bytes& bytes, std::uint16_t type, std::size_t length) {
    const std::size_t at = bytes.size();
    bytes.resize(at + length, 0x55);
    bytes[at] = static_cast<std::uint8_t>(type >> 8);
    bytes[at + 1] = static_cast<std::uint8_t>(type);
    bytes[at + 2] = static_cast<std::uint8_t>(length >> 8);
    bytes[at + 3] = static_cast<std::uint8_t>(length);
}

Drop drop_of(const Bytes& bytes) { return parse_packet(bytes).drop; }

TEST(NtpHeader, SurvivesEncodingAndDecoding) {
    NtpHeader header;
    header.leap = Leap::DeleteSecond;
    header.version = 3;
    header.mode = Mode::Server;
    header.stratum = 2;
    header.poll = -6;
    header.precision = -24;
    header.root_delay = NtpShort::from_bits(0x01020304);
    header.root_dispersion = NtpShort::from_bits(0x05060708);
    header.ref_id = 0x7F7F0101;
    header.reference = NtpTimestamp::from_bits(0x1122334455667788);
    header.origin = NtpTimestamp::from_bits(1);
    header.receive = NtpTimestamp::from_bits(2);
    header.transmit = NtpTimestamp::from_bits(0xFFFFFFFFFFFFFFFF);
    std::array<std::uint8_t, kNtpHeaderSize> bytes;
    encode_header(header, bytes);
    EXPECT_EQ(bytes[0], 2 << 6 | 3 << 3 | 4);
    EXPECT_EQ(bytes[2], 0xFA);
    EXPECT_EQ(bytes[12], 0x7F);
    const NtpHeader back = decode_header(bytes);
    EXPECT_EQ(back.leap, header.leap);
    EXPECT_EQ(back.version, 3);
    EXPECT_EQ(back.mode, Mode::Server);
    EXPECT_EQ(back.poll, -6);
    EXPECT_EQ(back.precision, -24);
    EXPECT_EQ(back.root_delay, header.root_delay);
    EXPECT_EQ(back.root_dispersion, header.root_dispersion);
    EXPECT_EQ(back.ref_id, header.ref_id);
    EXPECT_EQ(back.reference, header.reference);
    EXPECT_EQ(back.origin, header.origin);
    EXPECT_EQ(back.receive, header.receive);
    EXPECT_EQ(back.transmit, header.transmit);
}

TEST(ParsePacket, RefusesImpossibleLengthsAndVersions) {
    EXPECT_EQ(drop_of(Bytes()), Drop::TooShort);
    EXPECT_EQ(drop_of(Bytes(47)), Drop::TooShort);
    EXPECT_EQ(drop_of(packet_with_version(4, 1)), Drop::BadFraming);
    EXPECT_EQ(drop_of(packet_with_version(4, kNtpMaxSize)), Drop::TooLong);
    EXPECT_EQ(drop_of(packet_with_version(0, 0)), Drop::BadVersion);
    EXPECT_EQ(drop_of(packet_with_version(5, 0)), Drop::BadVersion);
    for (int version = 1; version <= 4; ++version) {
        EXPECT_EQ(drop_of(packet_with_version(version, 0)), Drop::None);
    }
}

TEST(ParsePacket, TakesWhatFollowsAnOldHeaderForAMac) {
    for (const std::size_t tail : {4, 20, 24, 36, 68, 72}) {
        const Bytes bytes = packet_with_version(3, tail);
        const ParseResult result = parse_packet(bytes);
        ASSERT_TRUE(result.packet) << tail;
        EXPECT_TRUE(result.packet->has_mac);
        EXPECT_EQ(result.packet->mac.size(), tail - 4);
        EXPECT_EQ(result.packet->authenticated.size(), kNtpHeaderSize);
    }
}

TEST(ParsePacket, RecognisesACryptoNak) {
    Bytes bytes = packet_with_version(4, 4);
    const ParseResult nak = parse_packet(bytes);
    ASSERT_TRUE(nak.packet);
    EXPECT_TRUE(nak.packet->has_mac);
    EXPECT_EQ(nak.packet->key_id, 0U);
    EXPECT_TRUE(nak.packet->mac.empty());
    bytes[51] = 1;
    EXPECT_EQ(drop_of(bytes), Drop::BadFraming);
}

TEST(ParsePacket, TellsMacFromExtensionFieldByLength) {
    for (std::size_t tail = 4; tail <= 28; tail += 4) {
        Bytes bytes = packet_with_version(4, 0);
        put_field(bytes, 0x1234, tail);
        const ParseResult result = parse_packet(bytes);
        if (tail < 20) {
            EXPECT_FALSE(result.packet) << tail;
        } else if (tail <= 24) {
            ASSERT_TRUE(result.packet) << tail;
            EXPECT_TRUE(result.packet->has_mac);
            EXPECT_EQ(result.packet->field_count, 0U);
        } else {
            ASSERT_TRUE(result.packet) << tail;
            EXPECT_FALSE(result.packet->has_mac);
            EXPECT_EQ(result.packet->field_count, 1U);
        }
    }
}

TEST(ParsePacket, SplitsFieldsBeforeAMac) {
    Bytes bytes = packet_with_version(4, 0);
    put_field(bytes, 0x010A, 28);
    put_field(bytes, 0x2222, 16);
    bytes.resize(bytes.size() + 20, 7);
    const ParseResult result = parse_packet(bytes);
    ASSERT_TRUE(result.packet);
    ASSERT_EQ(result.packet->field_count, 2U);
    EXPECT_EQ(result.packet->fields[1].type, 0x2222);
    EXPECT_EQ(result.packet->fields[1].body.size(), 12U);
    EXPECT_TRUE(result.packet->has_mac);
    EXPECT_EQ(result.packet->key_id, 0x07070707U);
    EXPECT_EQ(result.packet->mac.size(), 16U);
    EXPECT_EQ(result.packet->authenticated.size(), kNtpHeaderSize + 44);
    EXPECT_NE(result.packet->find(0x010A), nullptr);
    EXPECT_EQ(result.packet->find(0x010B), nullptr);
}

TEST(ParsePacket, RefusesFieldsWithImpossibleLengths) {
    for (const int length : {0, 3, 4, 12, 15, 17, 30, 36, 0xFFFC}) {
        Bytes bytes = packet_with_version(4, 0);
        put_field(bytes, 0x1234, 32);
        bytes[50] = static_cast<std::uint8_t>(length >> 8);
        bytes[51] = static_cast<std::uint8_t>(length);
        EXPECT_EQ(drop_of(bytes), Drop::BadFraming) << length;
    }
}

TEST(ParsePacket, RefusesMoreFieldsThanItCanHold) {
    Bytes bytes = packet_with_version(4, 0);
    for (std::size_t i = 0; i < ParsedPacket::kMaxExtensionFields; ++i) put_field(bytes, 9, 28);
    EXPECT_EQ(drop_of(bytes), Drop::None);
    put_field(bytes, 9, 28);
    EXPECT_EQ(drop_of(bytes), Drop::BadFraming);
}

TEST(AppendExtension, PadsToWordsAndToTheMinimum) {
    std::array<std::uint8_t, 100> buffer;
    buffer.fill(0xEE);
    const Bytes body(5, 0x11);
    EXPECT_EQ(append_extension(buffer, 48, 0x0104, body), 64U);
    EXPECT_EQ(buffer[51], 16);
    EXPECT_EQ(buffer[56], 0x11);
    EXPECT_EQ(buffer[57], 0);
    EXPECT_EQ(buffer[63], 0);
    EXPECT_EQ(buffer[64], 0xEE);
    EXPECT_EQ(append_extension(buffer, 48, 1, Bytes(21)), 76U);
}

TEST(AppendExtension, RefusesWhatDoesNotFit) {
    std::array<std::uint8_t, 64> buffer{};
    EXPECT_EQ(append_extension(buffer, 48, 1, Bytes(12)), 64U);
    EXPECT_EQ(append_extension(buffer, 48, 1, Bytes(13)), 0U);
    EXPECT_EQ(append_extension(buffer, 50, 1, Bytes(1)), 0U);
    EXPECT_EQ(append_extension(buffer, 68, 1, Bytes(1)), 0U);
    EXPECT_EQ(append_extension(buffer, 0, 1, Bytes(70000)), 0U);
}

TEST(NetworkCorrection, SurvivesEncodingAndRefusesOtherLengths) {
    const auto field = NetworkCorrection::from_seconds(-1.25e-6);
    const auto body = field.encode();
    const auto back = NetworkCorrection::decode(body);
    ASSERT_TRUE(back);
    EXPECT_NEAR(back->seconds(), -1.25e-6, 2e-10);
    EXPECT_FALSE(NetworkCorrection::decode(std::span(body).first(20)));
    EXPECT_EQ(NetworkCorrection::from_seconds(1e300).correction, INT64_MAX);
    EXPECT_EQ(NetworkCorrection::from_seconds(std::nan("")).correction, 0);
}

TEST(MonoRoot, SurvivesEncodingAndNeedsItsMagic) {
    MonoRoot field;
    field.root_delay = MonoRoot::to_fixed28(0.125);
    field.root_dispersion = MonoRoot::to_fixed28(1e-9);
    field.mono_receive = NtpTimestamp::from_bits(77);
    field.mono_epoch = 5;
    auto body = field.encode();
    const auto back = MonoRoot::decode(body);
    ASSERT_TRUE(back);
    EXPECT_EQ(MonoRoot::from_fixed28(back->root_delay), 0.125);
    EXPECT_GE(MonoRoot::from_fixed28(back->root_dispersion), 1e-9);
    EXPECT_EQ(back->mono_receive.bits(), 77U);
    EXPECT_EQ(back->mono_epoch, 5U);
    EXPECT_EQ(MonoRoot::to_fixed28(1e9), 0xFFFFFFFFU);
    EXPECT_GE(MonoRoot::from_fixed28(0xFFFFFFFFU), 16.0);
    body[0] ^= 1;
    EXPECT_FALSE(MonoRoot::decode(body));
}

TEST(Drop, EveryReasonHasItsOwnName) {
    std::vector<std::string_view> names;
    for (int i = 0; i < static_cast<int>(Drop::Count); ++i) {
        const std::string_view name = to_string(static_cast<Drop>(i));
        EXPECT_EQ(std::count(names.begin(), names.end(), name), 0) << name;
        names.push_back(name);
    }
}

}  // namespace
}  // namespace gnomon
