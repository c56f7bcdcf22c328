#include "mgmt/mgmtd/history.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "tests/unit/mgmt/mgmtd/sample.h"

namespace gnomon::mgmtd {
namespace {

constexpr std::int64_t kStart = 1'700'000'000;

TEST(HistoryBlock, BlocksBeginAtMultiplesOfTheirLength) {
    EXPECT_EQ(Block::start_of(0, 1'700'000'059), 1'699'999'920 + 120);
    EXPECT_EQ(Block::start_of(1, 7199), 3600);
    EXPECT_EQ(Block::start_of(2, 86400), 86400);
    EXPECT_EQ(Block::start_of(0, -1), -120);
}

TEST(HistoryBlock, BytesComeBackAndOthersAreRefused) {
    for (std::size_t tier = 0; tier < kTierCount; ++tier) {
        Block block(tier, 0);
        block.add(0, 1.5);
        block.add(0, 2.5);
        block.add(kTiers[tier].step_s * 3, -1.0);
        block.add(kTiers[tier].step_s * 3, std::numeric_limits<double>::infinity());
        const std::string bytes = block.to_bytes();
        const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
        const auto back = Block::from_bytes(tier, 0, {data, bytes.size()});
        ASSERT_TRUE(back);
        EXPECT_EQ(back->points()[0].mean, 2.0F);
        EXPECT_EQ(back->points()[0].min, tier > 0 ? 1.5F : 2.0F);
        EXPECT_EQ(back->points()[0].max, tier > 0 ? 2.5F : 2.0F);
        EXPECT_TRUE(back->points()[1].is_empty());
        EXPECT_EQ(back->points()[3].mean, -1.0F);
        EXPECT_FALSE(Block::from_bytes(tier, 0, {data, bytes.size() - 1}));
    }
}

TEST(Resampler, StepsTakeMeanLeastAndLargest) {
    Block block(0, 0);
    for (int i = 0; i < 120; ++i) block.add(i, i);
    Resampler resampler(0, 60, 3);
    resampler.add(block);
    std::vector<double> mean, min, max;
    resampler.take(mean, min, max);
    EXPECT_EQ(mean[0], 29.5);
    EXPECT_EQ(min[1], 60.0);
    EXPECT_EQ(max[1], 119.0);
    EXPECT_TRUE(std::isnan(mean[2]));
}

TEST(Resampler, LaterBlocksReplaceWhatEarlierOnesSaidOfTheSameSecond) {
    Block first(0, 0);
    Block second(0, 0);
    first.add(5, 1.0);
    first.add(6, 1.0);
    second.add(6, 3.0);
    Resampler resampler(0, 1, 10);
    resampler.add(first);
    resampler.add(second);
    std::vector<double> mean, min, max;
    resampler.take(mean, min, max);
    EXPECT_EQ(mean[5], 1.0);
    EXPECT_EQ(mean[6], 3.0);
}

TEST(Tiers, CoarserOnesServeLongerStepsAndOlderTimes) {
    EXPECT_EQ(best_tier(1, 3600), 0U);
    EXPECT_EQ(best_tier(59, 3600), 0U);
    EXPECT_EQ(best_tier(60, 3600), 1U);
    EXPECT_EQ(best_tier(1, 7 * 3600), 1U);
    EXPECT_EQ(best_tier(3600, 3600), 2U);
    EXPECT_EQ(best_tier(1, 30 * 86400), 2U);
    EXPECT_EQ(best_tier(1, 100LL * 366 * 86400), 2U);
}

class HistoryFile : public testing::Test {
protected:
    HistoryFile() {
        directory = std::filesystem::temp_directory_path() /
                    ("gnomon-history-" + std::to_string(getpid()) + "-" +
                     testing::UnitTest::GetInstance()->current_test_info()->name());
        std::filesystem::create_directories(directory);
        path = directory / "history.db";
    }
    ~HistoryFile() override { std::filesystem::remove_all(directory); }

    std::unique_ptr<History> open(std::uint64_t bytes = 16 << 20) {
        auto history = std::make_unique<History>(path.string(), bytes);
        EXPECT_TRUE(history->open());
        return history;
    }
    static void feed(History& history, std::int64_t at_s, double frequency_ppm, int sources = 1) {
        telemetry::Snapshot snapshot = sample_snapshot(sources);
        snapshot.at = UtcTime::from_ns(at_s * 1'000'000'000 + 500'000'000);
        snapshot.mono = MonoTime::from_ns((mono_s += 1) * 1'000'000'000);
        snapshot.tracking.frequency_ppm = frequency_ppm;
        history.add(snapshot);
    }
    static HistorySeries frequency(const History& history, std::int64_t from, std::int64_t to,
                                   int points = 10000) {
        HistoryQuery query;
        query.metrics = {"frequency"};
        query.from_s = from;
        query.to_s = to;
        query.points = points;
        const HistoryResult result = history.query(query);
        return result.series.empty() ? HistorySeries{} : result.series[0];
    }

    std::filesystem::path directory;
    std::filesystem::path path;
    static inline std::int64_t mono_s = 1000;
};

TEST_F(HistoryFile, WhatWasWrittenIsThereAfterARestartAndIsGoneOnWith) {
    {
        auto history = open();
        for (int i = 0; i < 30; ++i) feed(*history, kStart + i, i);
        history->flush(MonoClock::now(), true);
    }
    auto history = open();
    for (int i = 30; i < 60; ++i) feed(*history, kStart + i, i);
    const HistorySeries series = frequency(*history, kStart, kStart + 60);
    ASSERT_EQ(series.mean.size(), 60U);
    for (int i = 0; i < 60; ++i) EXPECT_EQ(series.mean[static_cast<std::size_t>(i)], i);
    // The minute knows both halves.
    const HistorySeries minute = frequency(*history, kStart - 3600, kStart + 3600, 60);
    double most = 0.0;
    double least = 100.0;
    for (std::size_t i = 0; i < minute.max.size(); ++i) {
        if (std::isnan(minute.max[i])) continue;
        most = std::max(most, minute.max[i]);
        least = std::min(least, minute.min[i]);
    }
    EXPECT_EQ(least, 0.0);
    EXPECT_EQ(most, 59.0);
}

TEST_F(HistoryFile, ClockThatIsSteppedBackLosesNothing) {
    auto history = open();
    for (int i = 0; i < 100; ++i) feed(*history, kStart + i, 1.0);
    for (int i = 0; i < 20; ++i) feed(*history, kStart - 1000 + i, 2.0);
    for (int i = 0; i < 10; ++i) feed(*history, kStart + 50 + i, 3.0);
    history->flush(MonoClock::now(), true);
    const HistorySeries series = frequency(*history, kStart - 1000, kStart + 100);
    EXPECT_EQ(series.mean[0], 2.0);
    EXPECT_EQ(series.mean[19], 2.0);
    EXPECT_TRUE(std::isnan(series.mean[20]));
    EXPECT_EQ(series.mean[1000], 1.0);
    EXPECT_EQ(series.mean[1050], 3.0) << "the later run counts";
    EXPECT_EQ(series.mean[1070], 1.0);
}

TEST_F(HistoryFile, UnreadableFileIsSetAside) {
    std::ofstream(path) << std::string(10000, 'x');
    auto history = open();
    feed(*history, kStart, 1.0);
    EXPECT_TRUE(std::filesystem::exists(path.string() + ".corrupt-1"));
    EXPECT_EQ(frequency(*history, kStart, kStart + 1).mean.at(0), 1.0);
}

TEST_F(HistoryFile, DatabaseOfAnotherProgramIsSetAside) {
    { open(); }
    {
        std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(60);  // user_version
        file.put(0x7f);
    }
    auto history = open();
    EXPECT_TRUE(std::filesystem::exists(path.string() + ".corrupt-1"));
}

TEST_F(HistoryFile, MissingDirectoryMeansNoHistory) {
    History history((directory / "no" / "such" / "h.db").string(), 16 << 20);
    EXPECT_FALSE(history.open());
    EXPECT_FALSE(history.is_open());
    feed(history, kStart, 1.0);
    history.flush(MonoClock::now(), true);
}

TEST_F(HistoryFile, SizeIsBoundedAndTheNewestIsKept) {
    auto history = open(4 << 20);
    auto now = MonoClock::now();
    for (int i = 0; i < 15'000; ++i) {
        feed(*history, kStart + i, i, 10);
        if (i % 600 == 0) history->flush(now += std::chrono::seconds(600), true);
    }
    history->flush(now += std::chrono::seconds(600), true);
    EXPECT_LE(history->bytes(), 4U << 20);
    EXPECT_EQ(history->errors(), 0U);
    const HistorySeries series = frequency(*history, kStart + 14'990, kStart + 15'000);
    ASSERT_FALSE(series.mean.empty());
    EXPECT_EQ(series.mean[9], 14'999.0);
}

TEST_F(HistoryFile, EventsAreKeptAndFoundByIdAndTime) {
    {
        auto history = open();
        for (std::uint64_t i = 1; i <= 10; ++i) {
            StoredEvent event;
            event.id = i;
            event.instance = ~0ULL;
            event.event.number = i;
            event.event.at =
                UtcTime::from_ns((kStart + static_cast<std::int64_t>(i)) * 1'000'000'000);
            event.event.kind = "log";
            event.event.text = "it's; DROP TABLE event";
            history->add_event(event);
        }
        EXPECT_EQ(history->events(8, {}, {}, 100).size(), 2U) << "before they are written";
        history->flush(MonoClock::now(), true);
    }
    auto history = open();
    EXPECT_EQ(history->events(8, {}, {}, 100).size(), 2U);
    const auto some = history->events(0, kStart + 3.0, kStart + 5.0, 100);
    ASSERT_EQ(some.size(), 3U);
    EXPECT_EQ(some[0].id, 3U);
    EXPECT_EQ(some[0].event.text, "it's; DROP TABLE event");
    EXPECT_EQ(history->events(0, {}, {}, 4).front().id, 7U) << "the last ones";
    ASSERT_TRUE(history->last_event());
    EXPECT_EQ(history->last_event()->id, 10U);
    EXPECT_EQ(history->last_event()->instance, ~0ULL);
}

}  // namespace
}  // namespace gnomon::mgmtd
