#include "dataplane/proto/access_index.h"

#include <gtest/gtest.h>

#include "tests/unit/dataplane/proto/server_fixture.h"

namespace gnomon::testing {
namespace {

TEST(AccessIndex, AccessIndex_DeniesEverythingAtFirst) {
    const AccessIndex nothing;
    EXPECT_FALSE(nothing.is_allowed(ip("192.0.2.1")));
    EXPECT_FALSE(nothing.is_allowed(ip("::1")));
    const AccessIndex empty{AccessTable()};
    EXPECT_FALSE(empty.is_allowed(ip("0.0.0.0")));
    EXPECT_FALSE(empty.is_allowed(ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")));
}

TEST(AccessIndex, AccessIndex_AllowsTheEndsOfBothSpaces) {
    AccessTable table;
    table.allow({IpAddress{}, 0});
    const AccessIndex all(table);
    table.deny({ip("255.255.255.255"), 32});
    table.deny({ip("0.0.0.0"), 32});
    table.deny({ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), 128});
    const AccessIndex index(table);
    for (const char* text : {"0.0.0.0", "255.255.255.255", "::", "ffff::"}) {
        EXPECT_TRUE(all.is_allowed(ip(text))) << text;
    }
    EXPECT_FALSE(all.is_allowed(IpAddress::id(5)));
    EXPECT_FALSE(all.is_allowed(IpAddress{}));
    EXPECT_FALSE(index.is_allowed(ip("255.255.255.255")));
    EXPECT_TRUE(index.is_allowed(ip("255.255.255.254")));
    EXPECT_FALSE(index.is_allowed(ip("0.0.0.0")));
    EXPECT_TRUE(index.is_allowed(ip("0.0.0.1")));
    EXPECT_FALSE(index.is_allowed(ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")));
    EXPECT_TRUE(index.is_allowed(ip("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe")));
}

struct Differ {
    SeededRandom random;
    AccessTable table;
    std::vector<IpAddress> touched;

    /// Addresses from a few clusters, so that rules overlap.
    IpAddress v4(int spread) {
        const auto bits = static_cast<std::uint32_t>(random.next());
        return IpAddress::v4((0x0A000000U << (random.next() % 3)) ^ (bits >> spread));
    }
    IpAddress v6(int spread) {
        std::array<std::uint8_t, 16> bytes{0x20, 0x01, 0x0d, 0xb8};
        for (std::size_t i = static_cast<std::size_t>(spread / 2); i < 16; ++i) {
            bytes[i] =
                static_cast<std::uint8_t>(random.next() & (random.next() % 2 == 0 ? 0 : 0x91));
        }
        return IpAddress::v6(bytes);
    }
    void add_rule(int spread) {
        const bool is_v4 = random.next() % 2 == 0;
        const IpAddress address = is_v4 ? v4(spread) : v6(spread);
        Subnet subnet{address, static_cast<std::uint8_t>(random.next() % (is_v4 ? 33 : 129))};
        if (random.next() % 64 == 0) subnet = {IpAddress{}, 0};
        const bool all = random.next() % 16 == 0;
        random.next() % 2 == 0 ? table.allow(subnet, all) : table.deny(subnet, all);
        touched.push_back(address);
    }
    void compare(const AccessIndex& index, const IpAddress& address) const {
        ASSERT_EQ(index.is_allowed(address), table.is_allowed(address)) << address.to_string();
    }
};

TEST(AccessIndex, AccessIndex_AgreesWithItsTable) {
    for (std::uint64_t seed = 1; seed <= 120; ++seed) {
        Differ differ{SeededRandom(seed), {}, {}};
        const int spread = static_cast<int>(seed % 24);
        const int rules = seed % 4 == 0 ? 400 : static_cast<int>(seed % 40);
        for (int i = 0; i < rules; ++i) differ.add_rule(spread);
        const AccessIndex index(differ.table);
        for (const IpAddress& address : differ.touched) {
            differ.compare(index, address);
            // Neighbours of every bit, and the addresses right beside.
            const std::size_t size = address.family() == IpAddress::Family::V4 ? 4 : 16;
            for (std::size_t bit = 0; bit < size * 8; ++bit) {
                auto bytes = address.bytes();
                bytes[bit / 8] ^= static_cast<std::uint8_t>(0x80 >> bit % 8);
                differ.compare(index, size == 16
                                          ? IpAddress::v6(bytes)
                                          : IpAddress::v4(std::uint32_t{bytes[0]} << 24 |
                                                          std::uint32_t{bytes[1]} << 16 |
                                                          std::uint32_t{bytes[2]} << 8 | bytes[3]));
            }
        }
        for (int i = 0; i < 500; ++i) {
            differ.compare(index, differ.v4(spread));
            differ.compare(index, differ.v6(spread));
            differ.compare(index, IpAddress::v4(static_cast<std::uint32_t>(differ.random.next())));
        }
    }
}

TEST(AccessIndex, AccessIndex_HoldsTenThousandPrefixes) {
    SeededRandom random(3);
    AccessTable table;
    for (int i = 0; i < 10000; ++i) {
        const auto bits = random.next();
        table.allow({IpAddress::v4(static_cast<std::uint32_t>(bits)),
                     static_cast<std::uint8_t>(16 + (bits >> 32) % 17)});
    }
    const AccessIndex index(table);
    for (int i = 0; i < 20000; ++i) {
        const IpAddress address = IpAddress::v4(static_cast<std::uint32_t>(random.next()));
        ASSERT_EQ(index.is_allowed(address), table.is_allowed(address));
    }
}

}  // namespace
}  // namespace gnomon::testing
