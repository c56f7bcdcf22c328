#include "mgmt/cli/source_argument.h"

#include <gtest/gtest.h>

namespace gnomon::cli {
namespace {

class FixedResolver : public Resolver {
public:
    std::vector<IpAddress> addresses(const std::string& name) override {
        if (const auto literal = IpAddress::parse(name)) return {*literal};
        if (name == "ntp1.example.net") return {*IpAddress::parse("192.0.2.1")};
        return {};
    }
    std::string name(const IpAddress& address) override { return address.to_string(); }
    void set_family(IpAddress::Family) override {}
};

std::string access(std::string_view text) {
    FixedResolver resolver;
    const auto result = parse_access(resolver, Arguments(text));
    if (!result) return "-";
    return (result->all ? "all " : "") + result->rule.address.to_string() + "/" +
           std::to_string(result->rule.bits);
}

TEST(SourceArgument, SubnetsMayBeShort) {
    EXPECT_EQ(access(""), "[UNSPEC]/0");
    EXPECT_EQ(access("all"), "all [UNSPEC]/0");
    EXPECT_EQ(access("192.0.2.1"), "192.0.2.1/32");
    EXPECT_EQ(access("10"), "10.0.0.0/8");
    EXPECT_EQ(access("10.1"), "10.1.0.0/16");
    EXPECT_EQ(access("10.1/12"), "10.1.0.0/12");
    EXPECT_EQ(access("all 2001:db8::/32"), "all 2001:db8::/32");
    EXPECT_EQ(access("ntp1.example.net"), "192.0.2.1/32");
    for (const char* bad : {"300", "10/x", "10/-1", "1.2.3.4.5", "ntp1.example.net/8", "10 11"}) {
        EXPECT_EQ(access(bad), "-") << bad;
    }
}

TEST(SourceArgument, RangesAreMaskOrBits) {
    FixedResolver resolver;
    EXPECT_EQ((*parse_range(resolver, "10.0.0.0/12")).mask.to_string(), "255.240.0.0");
    EXPECT_EQ((*parse_range(resolver, "255.0.0.0/10.1.1.1")).address.to_string(), "10.1.1.1");
    EXPECT_EQ((*parse_range(resolver, "10.0.0.1")).mask.to_string(), "255.255.255.255");
    EXPECT_EQ((*parse_range(resolver, "2001:db8::/33")).mask.to_string(), "ffff:ffff:8000::");
    EXPECT_EQ((*parse_range(resolver, "ID#0000000001")).mask.family(),
              IpAddress::Family::Unspecified);
    EXPECT_FALSE(parse_range(resolver, "unknown").has_value());
    EXPECT_FALSE(parse_range(resolver, "1.2.3.4/::1").has_value());
    EXPECT_FALSE(parse_range(resolver, "x/1").has_value());
}

TEST(SourceArgument, AddTakesTheOptionsOfTheConfiguration) {
    const auto request = parse_add_source(
        Arguments("pool ntp1.example.net MINPOLL 3 iburst offline key 5 extfield f323 trust ipv6"));
    ASSERT_TRUE(request.has_value());
    EXPECT_EQ((*request).kind, command::SourceKind::Pool);
    EXPECT_EQ((*request).minpoll, 3);
    EXPECT_EQ((*request).key_id, 5U);
    EXPECT_TRUE((*request).iburst && (*request).select.trust && (*request).ef_exp_mono_root);
    EXPECT_TRUE((*request).ipv6_only && !(*request).online);
    EXPECT_EQ((*request).max_unreach, 100000);
}

TEST(SourceArgument, AddTellsOptionsFromValues) {
    EXPECT_STREQ(parse_add_source(Arguments("server")).error(), "Invalid syntax for add command");
    EXPECT_STREQ(parse_add_source(Arguments("server a minpoll")).error(),
                 "Invalid value in add command");
    EXPECT_STREQ(parse_add_source(Arguments("server a version 9")).error(),
                 "Invalid value in add command");
    EXPECT_STREQ(parse_add_source(Arguments("server a bogus")).error(),
                 "Invalid option in add command");
}

TEST(SourceArgument, OrphansWaitUnlessToldOtherwise) {
    EXPECT_EQ(parse_local(Arguments("orphan"))->wait_unsynced_s, 300.0);
    EXPECT_EQ(parse_local(Arguments(""))->wait_unsynced_s, 0.0);
    EXPECT_EQ(parse_local(Arguments("orphan waitunsynced 5"))->wait_unsynced_s, 5.0);
    EXPECT_FALSE(parse_local(Arguments("stratum 16")).has_value());
    EXPECT_FALSE(parse_local(Arguments("distance")).has_value());
}

}  // namespace
}  // namespace gnomon::cli
