#include "servo/select/upstream.h"

#include <gtest/gtest.h>

#include <vector>

namespace gnomon {
namespace {

std::vector<int> groups(const std::vector<UpstreamClaim>& claims) {
    std::vector<int> result(claims.size(), 7);
    group_by_upstream(claims, result);
    return result;
}

UpstreamClaim claim(std::uint32_t own, std::uint32_t reference, int stratum) {
    return {RefId{own}, RefId{reference}, static_cast<Stratum>(stratum)};
}

constexpr std::uint32_t kGps = 0x47505300;

TEST(Upstream, ServersWithTheSameReferenceAreOneGroup) {
    const std::vector<int> g =
        groups({claim(0x0a000001, 0xc0000201, 2), claim(0x0a000002, 0xc0000202, 2),
                claim(0x0a000003, 0xc0000201, 2)});
    EXPECT_GE(g[0], 0);
    EXPECT_EQ(g[0], g[2]);
    EXPECT_LT(g[1], 0);
}

TEST(Upstream, FollowerAndItsServerAreOneGroupAndSoAreChains) {
    const std::vector<int> g = groups({claim(0x0a000003, 0x0a000002, 3), claim(0x0a000001, kGps, 1),
                                       claim(0x0a000002, 0x0a000001, 2)});
    EXPECT_GE(g[0], 0);
    EXPECT_EQ(g[0], g[1]);
    EXPECT_EQ(g[1], g[2]);
}

TEST(Upstream, ALinkJoinsTwoGroups) {
    const std::vector<int> g = groups({claim(1 << 24, 0x0b000001, 2), claim(2 << 24, 0x0b000001, 2),
                                       claim(3 << 24, 0x0c000001, 2), claim(4 << 24, 0x0c000001, 2),
                                       claim(0x0b000001, 0x0c000001, 2)});
    for (int group : g) EXPECT_EQ(group, g[0]);
    EXPECT_GE(g[0], 0);
}

TEST(Upstream, NamesOfClocksAndOwnClocksAreNotShared) {
    for (int group : groups({claim(0x0a000001, kGps, 1), claim(0x0a000002, kGps, 1),
                             claim(0x0a000003, 0x7f7f0101, 10), claim(0x0a000004, 0x7f7f0101, 10),
                             claim(0x0a000005, 0, 3), claim(0x0a000006, 0, 3)})) {
        EXPECT_LT(group, 0);
    }
}

}  // namespace
}  // namespace gnomon
