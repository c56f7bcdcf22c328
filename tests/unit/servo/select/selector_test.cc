#include "servo/select/selector.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace gnomon {
namespace {

using Kind = SelectionEvent::Kind;

const UtcTime kNow = UtcTime::from_ns(1'700'000'000'000'000'000);

Candidate source(SourceId id, double offset_s, double distance_s) {
    Candidate c;
    c.id = id;
    c.reach = 0377;
    c.reach_size = 8;
    c.stratum = 2;
    c.leap = Leap::Normal;
    c.ref_id = RefId{0x0a000000u + id};
    SelectionData d;
    d.reference = Estimate{kNow - Duration::from_s(1), offset_s, 1e-6, 0.0, 1e-8, 0.0};
    d.estimate = d.reference.at_time(kNow, 0.0);
    d.stddev_s = 1e-5;
    d.stddev_known = true;
    d.root_delay_s = 2.0 * distance_s - 2e-6;
    d.root_dispersion_s = 1e-6;
    d.reference_dispersion_s = 2e-6;
    d.interval_offset_s = offset_s;
    d.skew = 1e-7;
    d.first_sample = kNow - Duration::from_s(100);
    d.last_sample = kNow - Duration::from_s(1);
    d.samples = 10;
    d.select_ok = true;
    c.data = d;
    return c;
}

std::string letters(const SelectionResult& result) {
    std::string text;
    for (const CandidateResult& c : result.candidates) text += letter_of(c.status);
    return text;
}

int count(const SelectionResult& result, Kind kind) {
    return static_cast<int>(
        std::count_if(result.events.begin(), result.events.end(),
                      [kind](const SelectionEvent& e) { return e.kind == kind; }));
}

const SelectionEvent* event(const SelectionResult& result, Kind kind) {
    for (const SelectionEvent& e : result.events) {
        if (e.kind == kind) return &e;
    }
    return nullptr;
}

TEST(Selector, NearestOfThreeIsSelectedOnItsOwnMeasurement) {
    Selector selector({});
    std::vector<Candidate> c = {source(1, 0, 0.02), source(2, 1e-4, 0.01), source(3, 0, 0.03)};
    const SelectionResult& first = selector.select(c, kNow, 1);
    EXPECT_EQ(letters(first), "UUU");  // the nearest has not measured anything yet
    EXPECT_FALSE(first.update);
    const SelectionResult& second = selector.select(c, kNow, 2);
    EXPECT_EQ(letters(second), "+*+");
    EXPECT_EQ(second.selected, 2u);
    ASSERT_TRUE(second.update);
    EXPECT_EQ(second.update->source, 2u);
    EXPECT_EQ(second.update->combined, 3);
    EXPECT_EQ(second.update->ref_id.value, 0x0a000002u);
    EXPECT_EQ(second.update->estimate.at, kNow - Duration::from_s(1));
    EXPECT_EQ(count(second, Kind::Selected), 1);
    const SelectionResult& third = selector.select(c, kNow, 3);
    EXPECT_FALSE(third.update);  // somebody else's measurement
    EXPECT_EQ(letters(third), "+*+");
    EXPECT_EQ(count(third, Kind::Selected), 0);
    EXPECT_TRUE(selector.select(c, kNow, 2).update);
}

TEST(Selector, FalsetickerAmongThreeIsDetectedOnce) {
    Selector selector({});
    std::vector<Candidate> c = {source(1, 0, 0.01), source(2, 1.0, 0.01), source(3, 0, 0.02)};
    const SelectionResult& first = selector.select(c, kNow, 1);
    EXPECT_EQ(letters(first), "*x+");
    ASSERT_NE(event(first, Kind::Falseticker), nullptr);
    EXPECT_EQ(event(first, Kind::Falseticker)->source, 2u);
    // Selection was new, which cleared what had been reported.
    EXPECT_EQ(count(selector.select(c, kNow, 2), Kind::Falseticker), 1);
    EXPECT_EQ(count(selector.select(c, kNow, 2), Kind::Falseticker), 0);
}

TEST(Selector, NoMajorityUnsynchronisesAndTellsTheNumbersOnce) {
    Selector selector({});
    std::vector<Candidate> c = {source(1, 0, 0.01), source(2, 0, 0.01)};
    selector.select(c, kNow, 1);
    ASSERT_TRUE(selector.selected());
    c.push_back(source(3, 1, 0.01));
    c.push_back(source(4, 2, 0.01));
    c.push_back(source(5, 3, 0.01));
    const SelectionResult& lost = selector.select(c, kNow, 3);
    EXPECT_EQ(letters(lost), "xxxxx");
    EXPECT_TRUE(lost.unsynchronise);
    EXPECT_FALSE(lost.selected);
    ASSERT_NE(event(lost, Kind::NoMajority), nullptr);
    EXPECT_EQ(event(lost, Kind::NoMajority)->count, 2);
    EXPECT_EQ(event(lost, Kind::NoMajority)->total, 5);
    EXPECT_EQ(count(lost, Kind::Falseticker), 0);
    const SelectionResult& again = selector.select(c, kNow, 4);
    EXPECT_EQ(count(again, Kind::NoMajority), 0);
    EXPECT_FALSE(again.unsynchronise);
}

TEST(Selector, AllDisagreeingCountsBelowTwo) {
    Selector selector({});
    std::vector<Candidate> c = {source(1, 0, 0.01), source(2, 1, 0.01), source(3, 2, 0.01)};
    const SelectionResult& r = selector.select(c, kNow, 1);
    ASSERT_NE(event(r, Kind::NoMajority), nullptr);
    EXPECT_LT(event(r, Kind::NoMajority)->count, 2);
    EXPECT_EQ(event(r, Kind::NoMajority)->total, 3);
}

TEST(Selector, ABetterSourceReplacesTheSelectedOnlyAfterSomeTime) {
    Selector selector({});
    std::vector<Candidate> c = {source(1, 0, 0.02)};
    selector.select(c, kNow, 1);
    c.push_back(source(2, 0, 0.01));
    int updates = 0;
    while (selector.selected() == 1u && updates < 100) selector.select(c, kNow, 1 + updates++ % 2);
    // Each update multiplies the score by 0.02 / 0.0101: ten is passed at the fourth.
    EXPECT_EQ(updates, 4);
    EXPECT_EQ(selector.selected(), 2u);
}

TEST(Selector, EquallyGoodSourcesDoNotSwap) {
    Selector selector({});
    std::vector<Candidate> c = {source(1, 0, 0.0100), source(2, 0, 0.00995)};
    selector.select(c, kNow, 1);
    selector.select(c, kNow, 2);
    const auto chosen = selector.selected();
    for (int i = 0; i < 200; ++i) selector.select(c, kNow, 1 + i % 2);
    EXPECT_EQ(selector.selected(), chosen);
}

TEST(Selector, ReselectTakesTheBestAtOnce) {
    Selector selector({});
    std::vector<Candidate> c = {source(1, 0, 0.0100)};
    selector.select(c, kNow, 1);
    c.push_back(source(2, 0, 0.0095));
    for (int i = 0; i < 6; ++i) selector.select(c, kNow, 1);
    selector.select(c, kNow, 2);
    EXPECT_EQ(selector.selected(), 1u);
    selector.reselect();
    selector.select(c, kNow, std::nullopt);
    EXPECT_EQ(selector.selected(), 2u);
}

TEST(Selector, PreferredSourcesLeaveOthersOut) {
    Selector selector({});
    std::vector<Candidate> c = {source(1, 0, 0.01), source(2, 0, 0.05), source(3, 0, 0.01)};
    c[1].options.prefer = true;
    EXPECT_EQ(letters(selector.select(c, kNow, 2)), "P*P");
}

TEST(Selector, NoselectIsNeverUsed) {
    Selector selector({});
    std::vector<Candidate> c = {source(1, 0, 0.01), source(2, 0, 0.05)};
    c[0].options.noselect = true;
    EXPECT_EQ(letters(selector.select(c, kNow, 2)), "N*");
}

TEST(Selector, TrustedSourcesOutvoteAMajority) {
    std::vector<Candidate> c = {source(1, 0, 0.01), source(2, 1, 0.01), source(3, 1, 0.01)};
    c[0].options.trust = true;
    c.push_back(source(4, 0, 0.02));  // covers the trusted interval, but could pull away from it
    EXPECT_EQ(letters(Selector({}).select(c, kNow, 1)), "*xxT");
    c[3] = source(4, 0.02, 0.005);
    EXPECT_EQ(letters(Selector({}).select(c, kNow, 1)), "*xxx");
    c[3] = source(4, 0.001, 0.005);
    Selector selector({});
    EXPECT_EQ(letters(selector.select(c, kNow, 1)), "UxxU");
    EXPECT_EQ(letters(selector.select(c, kNow, 4)), "+xx*");
}

TEST(Selector, RequiredSourceMustBeAmongTheSelectable) {
    Selector selector({});
    std::vector<Candidate> c = {source(1, 0, 0.01), source(2, 0, 0.01)};
    c[1].options.require = true;
    c[1].data.reset();
    c[1].reach = 1;
    const SelectionResult& r = selector.select(c, kNow, 1);
    EXPECT_EQ(letters(r), "WM");
    EXPECT_EQ(count(r, Kind::RequiredMissing), 1);
    EXPECT_FALSE(r.update);
}

TEST(Selector, TooFewSourcesWait) {
    SelectorConfig config;
    config.min_sources = 2;
    Selector selector(config);
    std::vector<Candidate> c = {source(1, 0, 0.01)};
    const SelectionResult& r = selector.select(c, kNow, 1);
    EXPECT_EQ(letters(r), "W");
    EXPECT_EQ(count(r, Kind::TooFewSources), 1);
}

TEST(Selector, UnusableSourcesGetTheirLetters) {
    Selector selector({});
    std::vector<Candidate> c;
    for (SourceId id = 1; id <= 6; ++id) c.push_back(source(id, 0, 0.01));
    c[0].leap = Leap::Unsynchronised;
    c[1].data->select_ok = false;
    c[2].stratum = 16;
    c[3].data->root_dispersion_s = 4.0;
    c[4].data->stddev_s = 1.5;
    EXPECT_EQ(letters(selector.select(c, kNow, 6)), "sMrd~*");
}

TEST(Selector, BadSourceIsToldAndReplacedAtItsFourthUpdate) {
    Selector selector({});
    std::vector<Candidate> c = {source(1, 0, 0.01)};
    c[0].data->root_dispersion_s = 4.0;
    for (int i = 1; i <= 5; ++i) {
        const SelectionResult& r = selector.select(c, kNow, 1);
        EXPECT_EQ(count(r, Kind::ReplaceSource), i >= 4 ? 1 : 0) << i;
        EXPECT_EQ(count(r, Kind::DistanceExceeded), i == 4 ? 1 : 0) << i;
    }
}

TEST(Selector, StaleSourceIsDroppedWhenReachableOnesHaveNewerSamples) {
    Selector selector({});
    std::vector<Candidate> c = {source(1, 0, 0.01), source(2, 0, 0.02)};
    c[0].reach = 0;
    c[0].unreachable_polls = 20;
    c[0].data->first_sample = kNow - Duration::from_s(500);
    c[0].data->last_sample = kNow - Duration::from_s(90);
    EXPECT_EQ(letters(selector.select(c, kNow, 2))[0], 'U');  // younger than the other's oldest
    c[0].data->last_sample = kNow - Duration::from_s(110);
    EXPECT_EQ(letters(selector.select(c, kNow, 2)), "S*");
    c[0].data->last_sample = kNow - Duration::from_s(50);
    c[0].max_unreachable_polls = 10;
    EXPECT_EQ(letters(selector.select(c, kNow, 2)), "S*");
}

TEST(Selector, LastSelectableSourceLostIsToldWithTheUnreachable) {
    Selector selector({});
    std::vector<Candidate> c = {source(1, 0, 0.01), source(2, 0, 0.01)};
    c[1].data.reset();
    c[1].reach = 0;
    selector.select(c, kNow, 1);
    ASSERT_TRUE(selector.selected());
    c[0].data->root_dispersion_s = 5.0;
    const SelectionResult& r = selector.select(c, kNow, 1);
    ASSERT_NE(event(r, Kind::NoSelectable), nullptr);
    EXPECT_EQ(event(r, Kind::NoSelectable)->count, 1);
    EXPECT_FALSE(r.unsynchronise);
    EXPECT_EQ(count(selector.select(c, kNow, 1), Kind::NoSelectable), 0);
    EXPECT_EQ(count(selector.select({}, kNow, std::nullopt), Kind::NoSources), 0);
}

TEST(Selector, RemovedSelectedSourceMakesRoomAndIsTold) {
    Selector selector({});
    std::vector<Candidate> c = {source(1, 0, 0.01)};
    selector.select(c, kNow, 1);
    const SelectionResult& r = selector.select({}, kNow, std::nullopt);
    EXPECT_EQ(count(r, Kind::NoSources), 1);
    EXPECT_FALSE(r.selected);
}

TEST(Selector, OnStartSelectionWaitsForSourcesOnePollBehind) {
    Selector selector({});
    std::vector<Candidate> c = {source(1, 0, 0.01), source(2, 0, 0.01)};
    c[0].reach = 07;
    c[0].reach_size = 3;
    c[1].reach = 03;
    c[1].reach_size = 2;
    c[1].data->select_ok = false;
    EXPECT_EQ(letters(selector.select(c, kNow, 1)), "wM");
    c[1].reach = 07;
    c[1].data->select_ok = true;
    EXPECT_EQ(letters(selector.select(c, kNow, 2)), "*+");
}

TEST(Selector, DistantOrDifferentSourceIsNotCombinedForAWhile) {
    Selector selector({});
    std::vector<Candidate> c = {source(1, 0, 0.01), source(2, 0, 0.2), source(3, 0, 0.01)};
    c[2].data->reference.frequency = 1e-4;
    const SelectionResult& r = selector.select(c, kNow, 1);
    EXPECT_EQ(letters(r), "*DD");
    ASSERT_TRUE(r.update);
    EXPECT_EQ(r.update->combined, 1);
    c[1] = source(2, 0, 0.01);
    int updates = 0;
    while (letters(selector.select(c, kNow, 1))[1] == 'D' && updates < 100) ++updates;
    EXPECT_EQ(updates, 31);
}

TEST(Selector, SourceApartFromThoseThatAgreeIsShownAsDifferentAndDoesNotPull) {
    Selector selector({});
    std::vector<Candidate> c = {source(1, 0, 0.01), source(2, 2e-6, 0.01), source(3, 1e-6, 0.01),
                                source(4, 2e-3, 0.01)};
    const SelectionResult& r = selector.select(c, kNow, 1);
    EXPECT_EQ(letters(r), "*++D");
    ASSERT_TRUE(r.update);
    EXPECT_EQ(r.update->combined, 3);
    EXPECT_NEAR(r.update->estimate.offset_s, 1e-6, 2e-6);
}

TEST(Selector, OfVeryManySourcesOnlyTheNearestAreCombined) {
    Selector selector({});
    std::vector<Candidate> c;
    for (SourceId id = 1; id <= 100; ++id) c.push_back(source(id, 0, 0.02 - 1e-4 * id));
    const SelectionResult& r = selector.select(c, kNow, 100);
    ASSERT_TRUE(r.update);
    EXPECT_EQ(r.update->source, 100u);
    EXPECT_EQ(r.update->combined, 1 + Selector::kMaxCombined);
    for (int i = 0; i < 99; ++i) {
        EXPECT_EQ(letters(r)[i], i < 99 - Selector::kMaxCombined ? 'D' : '+') << i;
    }
}

TEST(Selector, FollowersOfOneServerDoNotOutvoteIndependentSources) {
    const auto offset_with = [](std::uint32_t reference) {
        Selector selector({});
        std::vector<Candidate> c = {source(1, 0, 0.01), source(2, 2e-6, 0.01),
                                    source(3, 2e-3, 0.01), source(4, 2e-3, 0.01),
                                    source(5, 2.002e-3, 0.01)};
        for (std::size_t i = 2; i < c.size(); ++i) c[i].reference = RefId{reference};
        return selector.select(c, kNow, 1).update->estimate.offset_s;
    };
    EXPECT_GT(offset_with(0), 1.5e-3);
    EXPECT_LT(offset_with(0xc0000201), 5e-4);
}

TEST(Selector, ZeroCombineLimitUsesTheSelectedSourceOnly) {
    SelectorConfig config;
    config.combine_limit = 0;
    Selector selector(config);
    std::vector<Candidate> c = {source(1, 0, 0.01), source(2, 0, 0.01)};
    EXPECT_EQ(selector.select(c, kNow, 1).update->combined, 1);
}

TEST(Selector, LeapSecondNeedsMoreThanHalfOfTheVotes) {
    Selector selector({});
    std::vector<Candidate> c = {source(1, 0, 0.01), source(2, 0, 0.01), source(3, 0, 0.01)};
    c[0].leap = Leap::InsertSecond;
    EXPECT_EQ(selector.select(c, kNow, 1).update->leap, Leap::Normal);
    c[1].leap = Leap::InsertSecond;
    EXPECT_EQ(selector.voted_leap(c), Leap::InsertSecond);
    EXPECT_EQ(selector.select(c, kNow, 1).update->leap, Leap::InsertSecond);
    c[2].options.trust = true;  // then only the trusted one votes
    EXPECT_EQ(selector.select(c, kNow, 1).update->leap, Leap::Normal);
}

TEST(Selector, OrphanWithLeastIdIsFollowedWhenNothingElseIsLeft) {
    SelectorConfig config;
    config.orphan_stratum = 10;
    Selector selector(config);
    std::vector<Candidate> c = {source(1, 0, 0.01), source(2, 0.5, 0.01), source(3, 0, 0.01)};
    for (Candidate& s : c) {
        s.stratum = 10;
        s.local_ref_id = RefId{0x0a0000ff};
    }
    c[2].stratum = 11;
    EXPECT_EQ(letters(selector.select(c, kNow, 1)), "*OO");
    for (Candidate& s : c) s.local_ref_id = RefId{0x01000000};
    EXPECT_EQ(letters(selector.select(c, kNow, 1)), "OOO");
    c[1].stratum = 3;
    EXPECT_EQ(letters(selector.select(c, kNow, 2)), "O*O");
}

TEST(Selector, LowerStratumWinsAtEqualDistance) {
    Selector selector({});
    std::vector<Candidate> c = {source(1, 0, 0.01), source(2, 0, 0.01)};
    c[0].stratum = 3;
    selector.select(c, kNow, 1);
    selector.select(c, kNow, 2);
    EXPECT_EQ(selector.selected(), 2u);
}

TEST(Selector, CreditedDumpUpdatesTheClockWithoutAMeasurement) {
    Selector selector({});
    std::vector<Candidate> c = {source(1, 0, 0.01)};
    selector.credit_update(1);
    EXPECT_TRUE(selector.select(c, kNow, std::nullopt).update);
}

TEST(Selector, AnyInputIsSurvived) {
    std::mt19937_64 random(41);
    const auto wild = [&random] {
        const auto bits = random();
        if (bits % 16 == 0) return std::numeric_limits<double>::quiet_NaN();
        if (bits % 16 == 1) return std::numeric_limits<double>::infinity();
        return (static_cast<double>(bits >> 11) * 0x1p-53 - 0.5) * (bits % 3 == 0 ? 0.01 : 10.0);
    };
    Selector selector({});
    for (int round = 0; round < 20000; ++round) {
        std::vector<Candidate> c;
        for (SourceId id = 1; id <= random() % 7; ++id) {
            Candidate s = source(id, wild(), wild());
            s.options = {random() % 8 == 0, random() % 8 == 0, random() % 8 == 0,
                         random() % 8 == 0};
            s.reach = static_cast<std::uint8_t>(random());
            s.stratum = static_cast<Stratum>(random() % 18);
            s.leap = static_cast<Leap>(random() % 4);
            s.data->skew = wild();
            s.data->reference.frequency_sd = wild();
            s.data->stddev_s = wild();
            if (random() % 8 == 0) s.data.reset();
            c.push_back(s);
        }
        const SelectionResult& r = selector.select(c, kNow, static_cast<SourceId>(random() % 8));
        ASSERT_EQ(r.candidates.size(), c.size());
        ASSERT_LE(r.marks.size(), 2 * c.size());
    }
}

TEST(EffectiveOptions, FollowTheAuthenticationMode) {
    const std::vector<OptionsInput> in = {{SourceType::Ntp, true, {}},
                                          {SourceType::Ntp, false, {}},
                                          {SourceType::Refclock, false, {}}};
    std::vector<SelectOptions> out(3);
    effective_options(AuthSelectMode::Mix, in, out);
    EXPECT_TRUE(out[0].trust && out[0].require && out[2].trust && out[2].require);
    EXPECT_EQ(out[1], SelectOptions{});
    effective_options(AuthSelectMode::Prefer, in, out);
    EXPECT_TRUE(out[1].noselect && !out[0].noselect && !out[2].noselect);
    effective_options(AuthSelectMode::Ignore, in, out);
    EXPECT_EQ(out[0], SelectOptions{});
    const std::vector<OptionsInput> plain = {{SourceType::Ntp, false, {}}};
    out.resize(1);
    effective_options(AuthSelectMode::Prefer, plain, out);
    EXPECT_FALSE(out[0].noselect);
    effective_options(AuthSelectMode::Require, plain, out);
    EXPECT_TRUE(out[0].noselect);
}

TEST(Selector, FalsetickerDoesNotGetTheClockWhenTheMajorityFallsSilent) {
    Selector selector({});
    const Candidate liar = source(3, 5.0, 0.01);
    std::vector<Candidate> all = {source(1, 0, 0.01), source(2, 0, 0.01), liar};
    EXPECT_EQ(letters(selector.select(all, kNow, 1)), "*+x");
    std::vector<Candidate> alone = {source(1, 0, 0.01), source(2, 0, 0.01), liar};
    for (int i : {0, 1}) alone[i].data.reset();
    const SelectionResult& left = selector.select(alone, kNow, 3);
    EXPECT_EQ(letters(left)[2], 'x');
    EXPECT_FALSE(left.selected.has_value() && *left.selected == 3);
    EXPECT_FALSE(left.update);
}

TEST(Selector, ConvictionEndsWhenTheSourceAgreesAgainOrAfterHalfADay) {
    Selector selector({});
    std::vector<Candidate> all = {source(1, 0, 0.01), source(2, 0, 0.01), source(3, 5.0, 0.01)};
    selector.select(all, kNow, 1);
    std::vector<Candidate> mended = {source(3, 0.001, 0.01)};
    EXPECT_EQ(letters(selector.select(mended, kNow, 3)), "*");

    Selector other({});
    other.select(all, kNow, 1);
    std::vector<Candidate> alone = {source(3, 5.0, 0.01)};
    EXPECT_EQ(letters(other.select(alone, kNow, 3)), "x");
    const UtcTime later = kNow + Duration::from_s(13 * 3600);
    alone[0].data->last_sample = later - Duration::from_s(1);
    alone[0].data->first_sample = later - Duration::from_s(100);
    EXPECT_EQ(letters(other.select(alone, later, 3)), "*");
}

TEST(Selector, AdvertisedDispersionCoversTheDistanceToTheCombinedEstimate) {
    Selector selector({});
    std::vector<Candidate> c = {source(1, 0.0, 0.01), source(2, 0.004, 0.01)};
    selector.select(c, kNow, 2);
    const SelectionResult& result = selector.select(c, kNow, 1);
    ASSERT_TRUE(result.update);
    const double moved_s =
        std::abs(result.update->estimate.offset_s - c[0].data->reference.offset_s);
    ASSERT_GT(moved_s, 0.001);
    EXPECT_GE(result.update->root_dispersion_s, moved_s);
}

TEST(Selector, BoundOfACombinationIsWhatTheSelectedSourceHasProven) {
    Selector selector(SelectorConfig{});
    std::vector<Candidate> all{source(1, 0.0, 1e-3), source(2, 8e-4, 1e-3)};
    // The first one's estimate lies at the lower end of its proven interval, and the combination
    // moves towards the middle: that makes the bound smaller, not larger.
    all[0].data->proven = HardInterval{-1e-4, 2e-3};
    const SelectionResult result = selector.select(all, kNow, 1);
    ASSERT_TRUE(result.update.has_value());
    ASSERT_EQ(result.update->combined, 2);
    const double followed_s = result.update->estimate.offset_s;
    ASSERT_GT(followed_s, 1e-4);
    EXPECT_NEAR(0.5 * result.update->root_delay_s + result.update->root_dispersion_s,
                2e-3 - followed_s, 1e-9);
}

TEST(Selector, WhatIsProvenBoundsTheEstimateEvenIfTheBestSampleAloneDoesNot) {
    Selector selector(SelectorConfig{});
    std::vector<Candidate> all{source(1, 0.0, 1e-3)};
    all[0].data->reference_dispersion_s = 5e-4;
    all[0].data->proven = HardInterval{-1.1e-3, 1.2e-3};
    const SelectionResult proven = selector.select(all, kNow, 1);
    ASSERT_TRUE(proven.update.has_value());
    EXPECT_NEAR(0.5 * proven.update->root_delay_s + proven.update->root_dispersion_s, 1.2e-3, 1e-9);

    // Less than half the root delay is not told: the dispersion cannot be negative.
    Selector other(SelectorConfig{});
    all[0].data->proven = HardInterval{-1e-4, 1e-4};
    const SelectionResult narrow = other.select(all, kNow, 1);
    ASSERT_TRUE(narrow.update.has_value());
    EXPECT_EQ(narrow.update->root_dispersion_s, 0.0);
}

TEST(Selector, FirstSelectionWaitsForThoseThatAnswerAndCouldOutvoteTheFirst) {
    Selector selector(SelectorConfig{});
    std::vector<Candidate> all{source(1, 100.0, 1e-3), source(2, 0.0, 1e-3), source(3, 0.0, 1e-3)};
    for (Candidate& c : all) c.reach_size = 4;
    all[0].reach = 0b1110;
    // They answer, but lost packets: two samples each so far.
    for (int i : {1, 2}) {
        all[i].reach = 0b0101;
        all[i].data->select_ok = false;
    }
    EXPECT_EQ(letters(selector.select(all, kNow, 1)), "wMM");
    for (int i : {1, 2}) {
        all[i].reach = 0b1011;
        all[i].data->select_ok = true;
    }
    EXPECT_EQ(letters(selector.select(all, kNow, 2)).substr(0, 1), "x");
    EXPECT_EQ(selector.selected(), std::optional<SourceId>(2));
}

TEST(Selector, FirstSelectionDoesNotWaitForTheSilentNorForever) {
    Selector selector(SelectorConfig{});
    std::vector<Candidate> all{source(1, 0.0, 1e-3), source(2, 0.0, 1e-3), source(3, 0.0, 1e-3)};
    all[0].reach = 0b1111;
    all[0].reach_size = 4;
    for (int i : {1, 2}) {
        all[i].reach = 0;
        all[i].reach_size = 4;
        all[i].data.reset();
    }
    EXPECT_EQ(letters(selector.select(all, kNow, 1)), "*MM") << "nobody else answers";

    Selector patient(SelectorConfig{});
    all[0].reach = 0b11111111;
    all[0].reach_size = 8;
    all[1].reach = 0b1;
    EXPECT_EQ(letters(patient.select(all, kNow, 1)), "*MM") << "eight polls are enough";
}

}  // namespace
}  // namespace gnomon
