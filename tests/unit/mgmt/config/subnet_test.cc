#include "mgmt/config/subnet.h"

#include <gtest/gtest.h>

namespace gnomon {
namespace {

std::string show(std::string_view text) {
    const SubnetResult result = parse_subnet(text);
    if (!result.subnet) return "error";
    if (!result.subnet->host.empty()) return "host " + result.subnet->host;
    const Subnet& subnet = result.subnet->subnet;
    if (!subnet.address.is_ip()) return "everything";
    return subnet.address.to_string() + "/" + std::to_string(subnet.prefix_length);
}

TEST(Subnet, EveryFormOfTheAllowDirectiveIsUnderstood) {
    const std::vector<std::pair<std::string, std::string>> cases{
        {"192.0.2.1", "192.0.2.1/32"},
        {"192.0.2.77/24", "192.0.2.0/24"},
        {"1.2.3", "1.2.3.0/24"},
        {"1.2", "1.2.0.0/16"},
        {"10", "10.0.0.0/8"},
        {"1.2/12", "1.0.0.0/12"},
        {"0/0", "0.0.0.0/0"},
        {"::/0", "::/0"},
        {"2001:db8::1", "2001:db8::1/128"},
        {"2001:db8:ffff::/33", "2001:db8:8000::/33"},
        {"255.255.255.255/31", "255.255.255.254/31"},
        {"all", "everything"},
        {"", "everything"},
        {"ntp.example.net", "host ntp.example.net"},
        {"host-1", "host host-1"},
    };
    for (const auto& [text, expected] : cases) EXPECT_EQ(show(text), expected) << text;
}

TEST(Subnet, TextThatIsNoneOfTheFormsIsRejected) {
    for (const char* text :
         {"1.2.3.4/33", "::/129", "256", "1.256", "1.2.3.4.5", "1.2.3.", "a/24", "/8", "10/",
          "10/-1", "10/8x", "1:2", "4294967296", "10/99999999999"}) {
        EXPECT_EQ(show(text), "error") << text;
        EXPECT_FALSE(parse_subnet(text).error.empty()) << text;
    }
    EXPECT_EQ(show(std::string(256, 'a')), "error");
}

TEST(AccessLine, AllComesBeforeTheSubnetInLowerCase) {
    const AccessLine all = parse_access_line(true, "allow", {"all", "10/8"});
    ASSERT_TRUE(all.rule);
    EXPECT_TRUE(all.rule->all);
    EXPECT_TRUE(all.rule->allow);
    EXPECT_EQ(all.rule->subnet.prefix_length, 8);

    const AccessLine everything = parse_access_line(false, "deny", {});
    ASSERT_TRUE(everything.rule);
    EXPECT_FALSE(everything.rule->all);
    EXPECT_FALSE(everything.rule->allow);

    EXPECT_FALSE(parse_access_line(true, "allow", {"All"}).rule);
    EXPECT_FALSE(parse_access_line(true, "allow", {"10/8", "all"}).rule);
    EXPECT_FALSE(parse_access_line(true, "allow", {"all", "all"}).rule);
    const AccessLine bad = parse_access_line(true, "allow", {"all", "10/40"});
    ASSERT_EQ(bad.diagnostics.size(), 1u);
    EXPECT_EQ(bad.diagnostics[0].column, 11);
}

}  // namespace
}  // namespace gnomon
