#include "mgmt/runtime/resolver.h"

#include <gtest/gtest.h>

namespace gnomon {
namespace {

using Status = ResolvedName::Status;
using Family = IpAddress::Family;

TEST(Resolver, NumericAddress_IsAnsweredFromTheLoopWithoutAThread) {
    EventLoop loop;
    std::vector<NameResolver::QueryId> answered;
    ThreadResolver resolver(loop, [&](NameResolver::QueryId id, const ResolvedName& answer) {
        answered.push_back(id);
        ASSERT_EQ(answer.status, Status::Found);
        EXPECT_EQ(answer.addresses.front().to_string(), "192.0.2.7");
    });
    resolver.request(5, "192.0.2.7", Family::Unspecified);
    EXPECT_TRUE(answered.empty());
    EXPECT_TRUE(resolver.has_answers());
    resolver.deliver();
    EXPECT_EQ(answered, std::vector<NameResolver::QueryId>{5});
    EXPECT_FALSE(resolver.has_answers());
}

TEST(Resolver, AddressOfTheWrongFamily_IsRefusedForGood) {
    EXPECT_EQ(resolve_now("192.0.2.7", Family::V6).status, Status::NotAName);
    EXPECT_EQ(resolve_now("2001:db8::1", Family::V6).addresses.size(), 1u);
}

TEST(Resolver, Names_AreAnsweredInTurnByTheThread) {
    EventLoop loop;
    std::vector<NameResolver::QueryId> answered;
    ThreadResolver resolver(loop, [&](NameResolver::QueryId id, const ResolvedName& answer) {
        answered.push_back(id);
        EXPECT_EQ(answer.status, Status::Found);
        EXPECT_TRUE(answer.addresses.front().is_loopback());
    });
    resolver.request(1, "localhost", Family::V4);
    resolver.request(2, "localhost", Family::V4);
    while (answered.size() < 2) {
        const auto wake = loop.wait(Duration::from_s(30));
        ASSERT_TRUE(wake);
        ASSERT_NE(*wake, EventLoop::Wake::Timeout);
    }
    EXPECT_EQ(answered, (std::vector<NameResolver::QueryId>{1, 2}));
}

}  // namespace
}  // namespace gnomon
