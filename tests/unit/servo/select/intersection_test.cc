#include "servo/select/intersection.h"

#include <gtest/gtest.h>

#include <vector>

namespace gnomon {
namespace {

Intersection of(const std::vector<Interval>& intervals) {
    std::vector<IntervalEnd> scratch;
    return intersect(intervals, scratch);
}

TEST(Intersection, IsTheCommonStretch) {
    const Intersection i = of({{0, 4}, {1, 5}, {2, 9}});
    EXPECT_EQ(i.depth, 3);
    EXPECT_EQ(i.voters, 3);
    EXPECT_EQ(i.low, 2);
    EXPECT_EQ(i.high, 4);
    EXPECT_TRUE(i.majority());
}

TEST(Intersection, OneOfThreeAwayIsNoPartOfTheMajority) {
    const Interval away{10, 11};
    const Intersection i = of({{0, 4}, away, {1, 5}});
    EXPECT_EQ(i.depth, 2);
    EXPECT_TRUE(i.majority());
    EXPECT_FALSE(i.agrees(away));
    EXPECT_TRUE(i.agrees({0, 4}));
}

TEST(Intersection, TwoOfFiveIsNoMajority) {
    const Intersection i = of({{0, 1}, {0.5, 1.5}, {5, 6}, {10, 11}, {20, 21}});
    EXPECT_EQ(i.depth, 2);
    EXPECT_EQ(i.voters, 5);
    EXPECT_FALSE(i.majority());
}

TEST(Intersection, TouchingIntervalsOverlap) {
    EXPECT_EQ(of({{0, 1}, {1, 2}}).depth, 2);
    EXPECT_EQ(of({{3, 3}}).depth, 1);
}

TEST(Intersection, TwoSeparateDeepestStretchesAreSpanned) {
    const Intersection i = of({{0, 10}, {1, 2}, {7, 8}});
    EXPECT_EQ(i.depth, 2);
    EXPECT_EQ(i.low, 1);
    EXPECT_EQ(i.high, 8);
    EXPECT_TRUE(i.agrees({1, 2}));
    EXPECT_TRUE(i.agrees({0, 10}));
    EXPECT_FALSE(i.agrees({0, 2}));
}

TEST(Intersection, TrustedOnesDecideAndConfineTheOthers) {
    const Intersection i =
        of({{0, 1, true}, {0.5, 2, true}, {10, 11}, {10, 12}, {10, 13}, {0.2, 1.4}});
    EXPECT_TRUE(i.by_trust);
    EXPECT_EQ(i.depth, 2);
    EXPECT_EQ(i.voters, 2);
    EXPECT_TRUE(i.majority());
    EXPECT_EQ(i.trusted_low, 0.5);
    EXPECT_EQ(i.trusted_high, 1);
    EXPECT_FALSE(i.within_trust({0.2, 1.4}));
    EXPECT_TRUE(i.within_trust({0.6, 0.9}));
    EXPECT_FALSE(i.agrees({10, 11}));
}

TEST(Intersection, NothingGivesNoMajority) { EXPECT_FALSE(of({}).majority()); }

}  // namespace
}  // namespace gnomon
