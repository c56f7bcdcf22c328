#include <gtest/gtest.h>

#include <cmath>

#include "mgmt/engine/manual_input.h"
#include "mgmt/engine/name_queue.h"
#include "mgmt/engine/sample_dump.h"

namespace gnomon {
namespace {

UtcTime at_s(double seconds) {
    return UtcTime::from_ns(1'262'304'000'000'000'000) + Duration::from_seconds(seconds);
}

TEST(ManualInput, TwoTimesGiveAFrequencyThreeWithstandAnOutlier) {
    ManualInput input(true);
    const auto first = input.add(at_s(0.0) - Duration::from_ms(500), at_s(0.0));
    ASSERT_TRUE(first);
    EXPECT_FALSE(first->frequency);
    EXPECT_NEAR(first->offset_s, -0.5, 1e-9);
    EXPECT_FALSE(input.add(at_s(0.5), at_s(0.5))) << "less than a second later";

    const auto second = input.add(at_s(1000.0) - Duration::from_ms(600), at_s(1000.0));
    ASSERT_TRUE(second && second->frequency);
    EXPECT_NEAR(*second->frequency, -1e-4, 1e-9) << "fast: gains 0.1 s in 1000 s";
}

TEST(ManualInput, KeepsTheNewestSixteenAndFollowsTheClock) {
    ManualInput input(true);
    for (int i = 0; i < 20; ++i) input.add(at_s(10.0 * i), at_s(10.0 * i));
    EXPECT_EQ(input.samples().size(), ManualInput::kMaxSamples);
    ClockAdjustment adjustment;
    adjustment.at = at_s(200.0);
    adjustment.offset_change_s = 0.25;
    input.adjust(adjustment);
    EXPECT_NEAR(input.samples().back().offset_s, -0.25, 1e-9);
    EXPECT_NEAR(input.samples().back().original_offset_s, 0.0, 1e-9);
    EXPECT_FALSE(input.remove(16));
    EXPECT_TRUE(input.remove(0));
    adjustment.kind = ClockAdjustment::Kind::UnknownStep;
    input.adjust(adjustment);
    EXPECT_TRUE(input.samples().empty());
}

TEST(SampleDump, WhatIsWrittenIsReadAgain) {
    SelectableSource source(1, SourceType::Ntp, HistoryConfig{});
    source.label = SourceLabel{IpAddress::v4(0x0A000001), {}, "ntp.example"};
    source.stratum = 2;
    source.leap = Leap::Normal;
    source.reach = Reach{0377, 8, 0};
    for (int i = 0; i < 5; ++i) {
        Measurement measurement;
        measurement.at = at_s(64.0 * i) + Duration::from_ns(123456789);
        measurement.forward = Duration::from_us(150);
        measurement.backward = Duration::from_us(50);
        source.filter.update(measurement);
    }
    EXPECT_EQ(dump_file_name(source), "10.0.0.1.dat");
    const std::string text = format_dump(source, at_s(300.0));
    const auto dump = parse_dump(text);
    ASSERT_TRUE(dump);
    EXPECT_EQ(dump->name, "ntp.example");
    EXPECT_EQ(dump->reach, 0377);
    EXPECT_EQ(dump->stratum, 2);
    ASSERT_EQ(dump->samples.size(), 5U);
    EXPECT_EQ(dump->samples[0].at, at_s(0.0) + Duration::from_ns(123456789));
    EXPECT_NEAR(dump->samples[4].offset_s, 50e-6, 1e-9);
    EXPECT_NEAR(dump->samples[4].peer_delay_s, 200e-6, 1e-9);
}

TEST(SampleDump, NonsenseIsRefused) {
    EXPECT_FALSE(parse_dump(""));
    EXPECT_FALSE(parse_dump("SRC0\nx\n0 377 8 1 0\n1 0\n"));
    EXPECT_FALSE(parse_dump("SRC1\nx\n0 377 8 1 0\n1 0\n1.0 0 0 0 0 0 0\n"));
    EXPECT_FALSE(parse_dump("SRC0\nx\n0 377 8 99 0\n1 0\n1.0 0 0 0 0 0 0\n"));
    EXPECT_FALSE(parse_dump("SRC0\nx\n0 377 8 1 0\n65 0\n1.0 0 0 0 0 0 0\n"));
    EXPECT_FALSE(parse_dump("SRC0\nx\n0 377 8 1 0\n1 0\n-1.0 0 0 0 0 0 0\n"));
    EXPECT_FALSE(parse_dump("SRC0\nx\n0 377 8 1 0\n1 0\n99999999999999999999 0 0 0 0 0 0\n"));
}

class QueueClient final : public NameQueueClient, public NameResolver {
public:
    bool wanted = true;
    int used = 0;
    int not_found = 0;
    QueryId asked = 0;

    bool is_wanted(const NameLookup&) const override { return wanted; }
    void use_addresses(const NameLookup&, const std::vector<IpAddress>&, const Now&) override {
        ++used;
    }
    void name_not_found(const NameLookup&) override { ++not_found; }
    void request(QueryId query, const std::string&, IpAddress::Family) override { asked = query; }
};

TEST(NameQueue, TriesAgainAtGrowingIntervals) {
    QueueClient client;
    NameQueue queue(client, client);
    queue.add(NameLookup{"ntp.example"});
    queue.resolve();
    Now now{MonoTime::from_ns(1), SystemTime::from_ns(1)};
    double previous_s = 0.0;
    for (int round = 0; round < 10; ++round) {
        queue.handle_resolved(client.asked, ResolvedName{}, now);
        const double pause_s = (queue.next_timeout() - now.mono).to_seconds();
        EXPECT_DOUBLE_EQ(pause_s, round == 0 ? 28.0 : std::min(previous_s * 2.0, 3584.0));
        previous_s = pause_s;
        now.mono = queue.next_timeout();
        const auto before = client.asked;
        queue.handle_timeout(now);
        EXPECT_EQ(client.asked, before + 1);
    }
}

TEST(NameQueue, NameThatDoesNotExistIsGivenUp) {
    QueueClient client;
    NameQueue queue(client, client);
    queue.add(NameLookup{"nowhere.example"});
    queue.resolve();
    ResolvedName answer;
    answer.status = ResolvedName::Status::NotAName;
    queue.handle_resolved(client.asked + 7, answer, Now{});
    EXPECT_EQ(client.not_found, 0) << "an answer to another question";
    queue.handle_resolved(client.asked, answer, Now{});
    EXPECT_EQ(client.not_found, 1);
    EXPECT_EQ(queue.next_timeout(), MonoTime::max());
    EXPECT_FALSE(queue.is_busy());
}

}  // namespace
}  // namespace gnomon
