#include "dataplane/proto/access_table.h"

#include <gtest/gtest.h>

#include "tests/unit/dataplane/proto/server_fixture.h"

namespace gnomon::testing {
namespace {

Subnet net(const char* address, int prefix) {
    return {ip(address), static_cast<std::uint8_t>(prefix)};
}

TEST(AccessTable, AccessTable_DeniesEverythingAtFirst) {
    const AccessTable table;
    EXPECT_FALSE(table.is_allowed(ip("127.0.0.1")));
    EXPECT_FALSE(table.is_allowed(ip("::1")));
    EXPECT_FALSE(table.is_any_allowed(IpAddress::Family::Unspecified));
}

TEST(AccessTable, AccessTable_KeepsFamiliesApart) {
    AccessTable table;
    ASSERT_TRUE(table.allow(net("0.0.0.0", 0)));
    EXPECT_TRUE(table.is_allowed(ip("203.0.113.5")));
    EXPECT_FALSE(table.is_allowed(ip("2001:db8::1")));
    EXPECT_TRUE(table.is_any_allowed(IpAddress::Family::V4));
    EXPECT_FALSE(table.is_any_allowed(IpAddress::Family::V6));
    ASSERT_TRUE(table.allow({IpAddress{}, 0}));
    EXPECT_TRUE(table.is_allowed(ip("2001:db8::1")));
    EXPECT_FALSE(table.is_allowed(IpAddress::id(5)));
    EXPECT_FALSE(table.is_allowed(IpAddress{}));
}

TEST(AccessTable, AccessTable_RefusesImpossibleSubnets) {
    AccessTable table;
    EXPECT_FALSE(table.allow(net("10.0.0.0", 33)));
    EXPECT_FALSE(table.deny(net("2001:db8::", 129)));
    EXPECT_FALSE(table.allow({IpAddress{}, 1}));
    EXPECT_FALSE(table.allow({IpAddress::id(1), 0}));
}

TEST(AccessTable, AccessTable_DeeperLevelWinsInEitherOrder) {
    for (const bool narrow_first : {true, false}) {
        AccessTable table;
        if (narrow_first) table.deny(net("1.2.3.16", 29));
        table.allow(net("1.2.3.0", 28));
        table.allow(net("1.2.3.16", 28));
        if (!narrow_first) table.deny(net("1.2.3.16", 29));
        EXPECT_FALSE(table.is_allowed(ip("1.2.3.17"))) << narrow_first;
        EXPECT_TRUE(table.is_allowed(ip("1.2.3.24"))) << narrow_first;
    }
}

TEST(AccessTable, AccessTable_LaterRuleWinsWithinOneLevel) {
    AccessTable table;
    table.deny(net("1.2.3.0", 28));
    table.allow(net("1.2.3.0", 25));
    EXPECT_TRUE(table.is_allowed(ip("1.2.3.4"))) << "/25 and /28 share a table";
    table.deny(net("1.2.3.0", 28));
    EXPECT_FALSE(table.is_allowed(ip("1.2.3.4")));
    EXPECT_TRUE(table.is_allowed(ip("1.2.3.20")));
    EXPECT_FALSE(table.is_allowed(ip("1.2.3.130")));
}

TEST(AccessTable, AccessTable_AllFormClearsWhatIsBelow) {
    AccessTable table;
    table.allow(net("10.1.2.0", 24));
    table.allow(net("10.1.2.3", 32));
    table.deny(net("10.1.0.0", 16));
    EXPECT_TRUE(table.is_allowed(ip("10.1.2.3")));
    table.deny(net("10.1.0.0", 16), true);
    EXPECT_FALSE(table.is_allowed(ip("10.1.2.3")));
    EXPECT_FALSE(table.is_any_allowed(IpAddress::Family::V4));
    table.allow(net("0.0.0.0", 0), true);
    EXPECT_TRUE(table.is_allowed(ip("10.1.2.3"))) << "the denial of 10.1/16 is below 0/0";
}

TEST(AccessTable, AccessTable_RuleForAllAddressesLeavesNarrowerOnes) {
    AccessTable table;
    table.deny(net("10.0.0.0", 8));
    table.allow(net("0.0.0.0", 0));
    EXPECT_FALSE(table.is_allowed(ip("10.0.0.1")));
    EXPECT_TRUE(table.is_allowed(ip("11.0.0.1")));
}

TEST(AccessTable, AccessTable_HandlesEveryPrefixOfBothFamilies) {
    for (int prefix = 0; prefix <= 32; ++prefix) {
        AccessTable table;
        const Subnet subnet = net("172.29.93.201", prefix);
        ASSERT_TRUE(table.allow(subnet));
        for (int bit = 0; bit < 32; ++bit) {
            const IpAddress other = IpAddress::v4(subnet.address.to_u32() ^ (0x80000000U >> bit));
            EXPECT_EQ(table.is_allowed(other), bit >= prefix) << prefix << " " << bit;
        }
    }
    for (int prefix = 0; prefix <= 128; ++prefix) {
        AccessTable table;
        const Subnet subnet = net("2001:db8:1234:5678:9abc:def0:1122:3344", prefix);
        ASSERT_TRUE(table.allow(subnet));
        for (int bit = 0; bit < 128; ++bit) {
            auto bytes = subnet.address.bytes();
            bytes[static_cast<std::size_t>(bit / 8)] ^= static_cast<std::uint8_t>(0x80 >> bit % 8);
            EXPECT_EQ(table.is_allowed(IpAddress::v6(bytes)), bit >= prefix);
        }
    }
}

TEST(AccessTable, AccessTable_CopyIsIndependent) {
    AccessTable table;
    table.allow(net("10.0.0.0", 9));
    const AccessTable before = table;
    table.deny(net("0.0.0.0", 0), true);
    EXPECT_TRUE(before.is_allowed(ip("10.0.0.1")));
    EXPECT_FALSE(table.is_allowed(ip("10.0.0.1")));
}

/// The rule of the header, applied naively: per level the last rule that covers the address, and the
/// deepest level with any.
TEST(AccessTable, AccessTable_AgreesWithTheRuleOnRandomTables) {
    SeededRandom random(5);
    for (int round = 0; round < 200; ++round) {
        AccessTable table;
        struct Rule {
            Subnet subnet;
            bool allow;
        };
        std::vector<Rule> rules;
        for (int i = 0; i < 30; ++i) {
            const std::uint32_t address = 0x0A000000U | (random.next() & 0x33U);
            const Rule rule{
                {IpAddress::v4(address), static_cast<std::uint8_t>(20 + random.next() % 13)},
                (random.next() & 1) != 0};
            rules.push_back(rule);
            rule.allow ? table.allow(rule.subnet) : table.deny(rule.subnet);
        }
        for (std::uint32_t low = 0; low < 0x40; ++low) {
            const IpAddress address = IpAddress::v4(0x0A000000U | low);
            int deepest = -1;
            bool expected = false;
            for (const Rule& rule : rules) {
                const int level = (rule.subnet.prefix_length + 3) / 4;
                if (level >= deepest && rule.subnet.contains(address)) {
                    deepest = level;
                    expected = rule.allow;
                }
            }
            ASSERT_EQ(table.is_allowed(address), expected) << address.to_string();
        }
    }
}

}  // namespace
}  // namespace gnomon::testing
