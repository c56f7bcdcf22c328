#include "dataplane/wire/mac.h"

#include <string>

#include <gtest/gtest.h>

#include "dataplane/wire/address.h"
#include "dataplane/wire/key_file.h"

namespace gnomon {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes bytes_of(std::string_view text) { return Bytes(text.begin(), text.end()); }

std::string hex(std::span<const std::uint8_t> bytes) {
    std::string text;
    for (const std::uint8_t byte : bytes) {
        text += "0123456789abcdef"[byte >> 4];
        text += "0123456789abcdef"[byte & 15];
    }
    return text;
}

std::string digest_hex(KeyType type, std::string_view secret, std::string_view data) {
    std::array<std::uint8_t, kMaxDigestSize> out{};
    const SymmetricKey key(1, type, bytes_of(secret));
    const std::size_t size = key.digest(bytes_of(data), out);
    return hex(std::span(out).first(size));
}

constexpr KeyType kAllTypes[] = {KeyType::Md5,      KeyType::Sha1,     KeyType::Sha256,
                                 KeyType::Sha384,   KeyType::Sha512,   KeyType::Sha3_224,
                                 KeyType::Sha3_256, KeyType::Sha3_384, KeyType::Sha3_512,
                                 KeyType::Aes128,   KeyType::Aes256};

SymmetricKey key_of(KeyType type, std::uint32_t id = 7) {
    return SymmetricKey(id, type, Bytes(type == KeyType::Aes128 ? 16 : 32, 0x42));
}

// H("abc") of FIPS 180 and 202 and RFC 1321: the key is the first part of the message.
TEST(SymmetricKey, HashesKeyBeforeData) {
    EXPECT_EQ(digest_hex(KeyType::Md5, "a", "bc"), "900150983cd24fb0d6963f7d28e17f72");
    EXPECT_EQ(digest_hex(KeyType::Sha1, "ab", "c"), "a9993e364706816aba3e25717850c26c9cd0d89d");
    EXPECT_EQ(digest_hex(KeyType::Sha256, "a", "bc"),
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(digest_hex(KeyType::Sha3_256, "a", "bc"),
              "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532");
}

// RFC 4493, example 2.
TEST(SymmetricKey, ComputesAesCmac) {
    const Bytes secret = {0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6,
                          0xab, 0xf7, 0x15, 0x88, 0x09, 0xcf, 0x4f, 0x3c};
    const Bytes message = {0x6b, 0xc1, 0xbe, 0xe2, 0x2e, 0x40, 0x9f, 0x96,
                           0xe9, 0x3d, 0x7e, 0x11, 0x73, 0x93, 0x17, 0x2a};
    std::array<std::uint8_t, kMaxDigestSize> out{};
    const SymmetricKey key(1, KeyType::Aes128, secret);
    EXPECT_EQ(key.digest(message, out), 16U);
    EXPECT_EQ(hex(std::span(out).first(16)), "070a16b46b4d4144f79bdd9dd04a287c");
}

TEST(Mac, WhatIsAppendedIsAccepted) {
    for (const KeyType type : kAllTypes) {
        for (int version = 1; version <= 4; ++version) {
            const SymmetricKey key = key_of(type);
            Bytes buffer(200, 0);
            buffer[0] = static_cast<std::uint8_t>(version << 3 | 3);
            const std::size_t length =
                append_mac(buffer, kNtpHeaderSize, static_cast<std::uint8_t>(version), key);
            ASSERT_GT(length, kNtpHeaderSize + 4) << to_string(type);
            const std::size_t digest = length - kNtpHeaderSize - 4;
            EXPECT_EQ(digest, version == 4 ? std::min<std::size_t>(20, digest_size(type))
                                           : digest_size(type));
            const auto parsed = parse_packet(std::span(buffer).first(length));
            ASSERT_TRUE(parsed.packet) << to_string(type) << version;
            EXPECT_TRUE(check_mac(*parsed.packet, key)) << to_string(type) << version;
            EXPECT_FALSE(check_mac(*parsed.packet, key_of(type, 8)));
        }
    }
}

TEST(Mac, AnyChangedBitIsDetected) {
    const SymmetricKey key = key_of(KeyType::Sha1);
    Bytes buffer(72, 0);
    buffer[0] = 4 << 3 | 3;
    ASSERT_EQ(append_mac(buffer, kNtpHeaderSize, 4, key), 72U);
    for (std::size_t bit = 0; bit < 72 * 8; ++bit) {
        Bytes damaged = buffer;
        damaged[bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
        const auto parsed = parse_packet(damaged);
        EXPECT_TRUE(!parsed.packet || !check_mac(*parsed.packet, key)) << bit;
    }
}

TEST(Mac, TruncatedDigestIsRefused) {
    const SymmetricKey key = key_of(KeyType::Sha256);
    Bytes buffer(100, 0);
    buffer[0] = 3 << 3 | 3;
    ASSERT_EQ(append_mac(buffer, kNtpHeaderSize, 3, key), 84U);
    for (std::size_t length = 48; length < 84; length += 4) {
        const auto parsed = parse_packet(std::span(buffer).first(length));
        ASSERT_TRUE(parsed.packet);
        EXPECT_FALSE(check_mac(*parsed.packet, key)) << length;
    }
}

TEST(Mac, DoesNotWriteBeyondTheBuffer) {
    Bytes buffer(kNtpHeaderSize + 19, 0);
    EXPECT_EQ(append_mac(buffer, kNtpHeaderSize, 4, key_of(KeyType::Md5)), 0U);
    EXPECT_EQ(append_mac(buffer, kNtpHeaderSize + 20, 4, key_of(KeyType::Md5)), 0U);
}

TEST(Mac, SuggestsVersion3ForLongDigests) {
    EXPECT_EQ(suggested_version(key_of(KeyType::Md5)), 4);
    EXPECT_EQ(suggested_version(key_of(KeyType::Sha1)), 4);
    EXPECT_EQ(suggested_version(key_of(KeyType::Aes256)), 4);
    EXPECT_EQ(suggested_version(key_of(KeyType::Sha256)), 3);
}

TEST(KeyTable, FindsKeysAndPrefersTheFirstDuplicate) {
    const KeyTable table({key_of(KeyType::Md5, 9), key_of(KeyType::Sha1, 3),
                          key_of(KeyType::Sha512, 9), key_of(KeyType::Md5, 0xFFFFFFFF)});
    EXPECT_EQ(table.size(), 4U);
    ASSERT_NE(table.find(9), nullptr);
    EXPECT_EQ(table.find(9)->type(), KeyType::Md5);
    EXPECT_NE(table.find(0xFFFFFFFF), nullptr);
    EXPECT_EQ(table.find(4), nullptr);
    EXPECT_EQ(KeyTable().find(0), nullptr);
}

TEST(IpAddress, RefIdOfIpv6IsTheStartOfItsMd5) {
    EXPECT_EQ(IpAddress::parse("192.0.2.1")->ref_id(), 0xC0000201U);
    // md5 of the 16 bytes of ::1.
    EXPECT_EQ(IpAddress::loopback(IpAddress::Family::V6).ref_id(), 0xCF404DC8U);
}

TEST(KeyFile, ReadsEveryForm) {
    const KeyFile file = parse_key_file(
        "# comment\n"
        "; another\n"
        "\n"
        "1 ASCII:longsecretkey\n"
        "  2\tSHA1  HEX:00112233445566778899aabbccddeeff \r\n"
        "3 plainplainplain\n"
        "20 SHA3-512 0123456789ab\n"
        "4294967295 AES128 HEX:00112233445566778899AABBCCDDEEFF");
    EXPECT_TRUE(file.diagnostics.empty()) << file.diagnostics[0].message;
    ASSERT_EQ(file.keys.size(), 5U);
    EXPECT_EQ(file.keys[0].type(), KeyType::Md5);
    EXPECT_EQ(file.keys[0].bits(), 13 * 8);
    EXPECT_EQ(file.keys[1].type(), KeyType::Sha1);
    EXPECT_EQ(file.keys[1].bits(), 128);
    EXPECT_EQ(file.keys[3].type(), KeyType::Sha3_512);
    EXPECT_EQ(file.keys[4].id(), 4294967295U);
}

struct BadLine {
    const char* text;
    std::size_t column;
    const char* message;
};

TEST(KeyFile, PointsAtWhatIsWrong) {
    const BadLine lines[] = {
        {"1", 1, "expected ID"},
        {" x SHA1 abcdefghij", 2, "invalid key ID"},
        {"4294967296 abcdefghij", 1, "invalid key ID"},
        {"1 FOO abcdefghij", 3, "invalid type"},
        {"1 TIGER abcdefghij", 3, "TIGER is not supported"},
        {"1 WHIRLPOOL abcdefghij", 3, "WHIRLPOOL is not supported"},
        {"1 MD5 HEX:123", 7, "could not decode"},
        {"1 MD5 HEX:1g", 7, "could not decode"},
        {"1 MD5 ASCII:", 7, "could not decode"},
        {"1 AES256 HEX:00112233445566778899AABBCCDDEEFF", 10, "256 bits"},
        {"1 MD5 abcdefghij more", 18, "unexpected"},
    };
    for (const BadLine& line : lines) {
        const KeyFile file = parse_key_file(std::string("\n") + line.text + "\n2 abcdefghij\n");
        ASSERT_EQ(file.diagnostics.size(), 1U) << line.text;
        EXPECT_EQ(file.diagnostics[0].severity, KeyFileDiagnostic::Severity::Error);
        EXPECT_EQ(file.diagnostics[0].line, 2U);
        EXPECT_EQ(file.diagnostics[0].column, line.column) << line.text;
        EXPECT_NE(file.diagnostics[0].message.find(line.message), std::string::npos)
            << file.diagnostics[0].message;
        EXPECT_EQ(file.keys.size(), 1U) << "the good line counts";
    }
}

TEST(KeyFile, WarnsOfShortAndDuplicateKeysButKeepsThem) {
    const KeyFile file = parse_key_file("5 SHA1 short\n5 abcdefghij\n");
    ASSERT_EQ(file.diagnostics.size(), 2U);
    EXPECT_EQ(file.diagnostics[0].message, "less than 80 bits in key 5");
    EXPECT_EQ(file.diagnostics[1].message, "duplicate key 5");
    EXPECT_EQ(file.diagnostics[1].line, 2U);
    EXPECT_EQ(file.keys.size(), 2U);
}

TEST(KeyFile, RefusesLinesThatAreTooLong) {
    EXPECT_EQ(parse_key_file("1 " + std::string(kMaxKeyLine - 2, 'a')).keys.size(), 1U);
    const KeyFile file = parse_key_file("1 " + std::string(kMaxKeyLine - 1, 'a'));
    EXPECT_TRUE(file.keys.empty());
    EXPECT_EQ(file.diagnostics.size(), 1U);
}

}  // namespace
}  // namespace gnomon
