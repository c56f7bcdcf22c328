#include "mgmt/telemetry/codec.h"

#include <gtest/gtest.h>

#include <limits>

#include "mgmt/telemetry/archive.h"
#include "mgmt/telemetry/fields.h"

namespace gnomon::telemetry {
namespace {

Source sample_source(int i) {
    Source source;
    source.name = "ntp" + std::to_string(i) + ".example.net";
    source.source.address = IpAddress::v4(0xC0000200U + static_cast<std::uint32_t>(i));
    source.source.poll = -6;
    source.source.reach = 0377;
    source.source.measured_offset_s = -1.25e-6;
    source.stats.samples = 17;
    source.stats.offset_s = 3e-9;
    source.select.state = '*';
    source.select.effective.trust = true;
    source.ntp.emplace();
    source.ntp->local_address = *IpAddress::parse("2001:db8::1");
    source.ntp->precision = -25;
    source.ntp->total_good_rx = 99;
    source.auth.emplace();
    source.auth->mode = command::AuthMode::Nts;
    source.auth->cookies = 8;
    source.servos.servos.resize(2);
    source.servos.servos[0].name = "emg";
    source.servos.servos[0].offset_sd_s = 4e-7;
    source.servos.servos[1].name = "kalman";
    return source;
}

Snapshot sample_snapshot(int sources) {
    Snapshot s;
    s.number = 7;
    s.at = UtcTime::from_ns(1'800'000'000'123'456'789);
    s.mono = MonoTime::from_ns(42);
    s.steers = false;
    s.tracking.frequency_ppm = -12.5;
    s.tracking.leap = Leap::InsertSecond;
    s.tracking.reference_time = UtcTime::from_ns(1'799'999'999'000'000'000);
    s.state.kind = ClockStateKind::Holdover;
    s.state.reason = ClockReason::NoMajority;
    s.state.in_spec = true;
    s.state.bound_s = 1e-3;
    s.state.breach_in_s = std::numeric_limits<double>::infinity();
    s.server.ntp_hits = 1ULL << 40;
    s.loop.busy.add(1500);
    s.loop.longest_late_ns = 77;
    s.clients.emplace();
    s.clients->ntp_clients = 3;
    s.clients->drops.counts[7] = 5;
    s.clients->talkers.resize(2);
    s.clients->talkers[1].ntp_interval = -3;
    s.stream.frames_dropped = 11;
    for (int i = 0; i < sources; ++i) s.sources.push_back(sample_source(i));
    return s;
}

std::optional<Snapshot> through(const Snapshot& snapshot, std::size_t* frames = nullptr) {
    FrameWriter writer;
    FrameReader reader;
    std::optional<Message> message;
    const auto written = writer.snapshot(snapshot);
    if (frames != nullptr) *frames = written.size();
    for (const Frame& frame : written) {
        EXPECT_FALSE(message.has_value()) << "complete before its last frame";
        EXPECT_LE(frame.size(), kMaxFrameSize);
        message = reader.read(frame);
    }
    EXPECT_EQ(reader.bad_frames(), 0U);
    if (!message) return std::nullopt;
    return std::get<Snapshot>(*message);
}

TEST(TelemetryCodec, SnapshotComesBackWhole) {
    const auto back = through(sample_snapshot(2));
    ASSERT_TRUE(back);
    EXPECT_EQ(back->number, 7U);
    EXPECT_EQ(back->at.ns(), 1'800'000'000'123'456'789);
    EXPECT_FALSE(back->steers);
    EXPECT_EQ(back->tracking.frequency_ppm, -12.5);
    EXPECT_EQ(back->tracking.leap, Leap::InsertSecond);
    EXPECT_EQ(back->state.kind, ClockStateKind::Holdover);
    EXPECT_EQ(back->state.reason, ClockReason::NoMajority);
    EXPECT_TRUE(back->state.in_spec);
    EXPECT_EQ(back->state.breach_in_s, std::numeric_limits<double>::infinity());
    EXPECT_EQ(back->server.ntp_hits, 1ULL << 40);
    EXPECT_EQ(back->loop.busy.counts[1], 1U);
    EXPECT_EQ(back->loop.busy.total_ns, 1500U);
    EXPECT_EQ(back->loop.longest_late_ns, 77U);
    EXPECT_FALSE(back->rtc);
    ASSERT_TRUE(back->clients);
    EXPECT_EQ(back->clients->drops.counts[7], 5U);
    ASSERT_EQ(back->clients->talkers.size(), 2U);
    EXPECT_EQ(back->clients->talkers[1].ntp_interval, -3);
    EXPECT_EQ(back->stream.frames_dropped, 11U);
    ASSERT_EQ(back->sources.size(), 2U);
    const Source& source = back->sources[1];
    EXPECT_EQ(source.name, "ntp1.example.net");
    EXPECT_EQ(source.source.address.to_string(), "192.0.2.1");
    EXPECT_EQ(source.source.poll, -6);
    EXPECT_EQ(source.source.measured_offset_s, -1.25e-6);
    EXPECT_EQ(source.select.state, '*');
    EXPECT_TRUE(source.select.effective.trust);
    ASSERT_TRUE(source.ntp);
    EXPECT_EQ(source.ntp->local_address.to_string(), "2001:db8::1");
    EXPECT_EQ(source.ntp->precision, -25);
    EXPECT_EQ(source.ntp->total_good_rx, 99U);
    ASSERT_TRUE(source.auth);
    EXPECT_EQ(source.auth->cookies, 8);
    ASSERT_EQ(source.servos.servos.size(), 2U);
    EXPECT_EQ(source.servos.servos[0].offset_sd_s, 4e-7);
    EXPECT_EQ(source.servos.servos[1].name, "kalman");
}

TEST(TelemetryCodec, ManySourcesTakeSeveralFramesAndComeBackInOrder) {
    std::size_t frames = 0;
    const auto back = through(sample_snapshot(500), &frames);
    EXPECT_GT(frames, 5U);
    ASSERT_TRUE(back);
    ASSERT_EQ(back->sources.size(), 500U);
    EXPECT_EQ(back->sources[499].name, "ntp499.example.net");
}

TEST(TelemetryCodec, SnapshotWithAMissingFrameIsGivenUpAndTheNextOneIsWhole) {
    FrameWriter writer;
    FrameReader reader;
    auto frames = writer.snapshot(sample_snapshot(500));
    for (std::size_t i = 0; i < frames.size(); ++i) {
        if (i == 2) continue;
        EXPECT_FALSE(reader.read(frames[i]));
    }
    EXPECT_EQ(reader.lost_snapshots(), 1U);
    std::optional<Message> message;
    for (const Frame& frame : writer.snapshot(sample_snapshot(500))) message = reader.read(frame);
    ASSERT_TRUE(message);
    EXPECT_EQ(std::get<Snapshot>(*message).sources.size(), 500U);
}

TEST(TelemetryCodec, HelloEventsAndMeasurementsComeBack) {
    FrameWriter writer;
    FrameReader reader;
    const auto hello = reader.read(writer.hello({"gnomond", "1.2", 99, 0xABCDEF, UtcTime()}));
    ASSERT_TRUE(hello);
    EXPECT_EQ(std::get<Hello>(*hello).instance, 0xABCDEFU);

    std::vector<Event> events(3);
    events[2].number = 12;
    events[2].severity = 1;
    events[2].kind = "step";
    events[2].text = std::string(5000, 'x');
    events[2].value = -0.5;
    const auto frames = writer.events(events);
    ASSERT_EQ(frames.size(), 1U);
    const auto back = reader.read(frames[0]);
    ASSERT_TRUE(back);
    const auto& list = std::get<std::vector<Event>>(*back);
    ASSERT_EQ(list.size(), 3U);
    EXPECT_EQ(list[2].number, 12U);
    EXPECT_EQ(list[2].value, -0.5);
    EXPECT_EQ(list[2].text.size(), kMaxText) << "texts are bounded";

    Measurement measurement;
    measurement.source = "PPS0";
    measurement.delay_s = 0.25;
    measurement.valid = true;
    const auto measured = reader.read(writer.measurement(measurement));
    ASSERT_TRUE(measured);
    EXPECT_EQ(std::get<Measurement>(*measured).source, "PPS0");
    EXPECT_TRUE(std::get<Measurement>(*measured).valid);
}

TEST(TelemetryCodec, OlderRecordLeavesWhatItLacksAtItsDefault) {
    Frame bytes;
    Writer writer(bytes);
    writer.record([&] {
        writer.number(std::uint32_t{4});
        writer.number(std::uint32_t{5});
    });
    Reader reader(bytes);
    Reader record(reader.record());
    command::ActivityReport activity;
    activity.unresolved = 77;
    fields(record, activity);
    EXPECT_EQ(activity.online, 4U);
    EXPECT_EQ(activity.offline, 5U);
    EXPECT_EQ(activity.unresolved, 77U);
}

TEST(TelemetryCodec, NewerRecordIsReadAsFarAsItIsKnown) {
    Frame bytes;
    Writer writer(bytes);
    command::ActivityReport activity;
    activity.unresolved = 3;
    writer.record([&] {
        fields(writer, activity);
        writer.text("a field of tomorrow");
    });
    writer.record([&] { fields(writer, activity); });
    Reader reader(bytes);
    for (int i = 0; i < 2; ++i) {
        Reader record(reader.record());
        command::ActivityReport back;
        fields(record, back);
        EXPECT_EQ(back.unresolved, 3U);
    }
    EXPECT_EQ(reader.left(), 0U);
}

TEST(TelemetryCodec, BrokenFramesAreCountedAndNothingElse) {
    FrameWriter writer;
    FrameReader reader;
    const Frame good = writer.snapshot(sample_snapshot(3)).front();
    for (std::size_t size = 0; size < good.size(); ++size) {
        EXPECT_FALSE(reader.read(std::span(good).first(size)) && size < kFrameHeaderSize);
    }
    EXPECT_GT(reader.bad_frames(), kFrameHeaderSize);
    Frame other_version = good;
    other_version[2] = kFrameVersion + 1;
    const std::uint64_t before = reader.bad_frames();
    EXPECT_FALSE(reader.read(other_version));
    EXPECT_EQ(reader.bad_frames(), before + 1);
    Frame unknown_type = good;
    unknown_type[3] = 200;
    EXPECT_FALSE(reader.read(unknown_type));
    EXPECT_EQ(reader.bad_frames(), before + 1) << "a type of tomorrow is no error";
    EXPECT_TRUE(reader.read(good));
}

TEST(LatencyHistogram, BucketsArePowersOfTwoInMicroseconds) {
    LatencyHistogram histogram;
    for (const std::int64_t ns : {-5, 0, 999, 1000, 1999, 2000, 4'000'000}) histogram.add(ns);
    histogram.add(3'600'000'000'000);
    EXPECT_EQ(histogram.counts[0], 3U);
    EXPECT_EQ(histogram.counts[1], 2U);
    EXPECT_EQ(histogram.counts[2], 1U);
    EXPECT_EQ(histogram.counts[12], 1U);
    EXPECT_EQ(histogram.counts[LatencyHistogram::kBuckets - 1], 1U);
    EXPECT_EQ(histogram.count, 8U);
    EXPECT_EQ(LatencyHistogram::bound_s(0), 1e-6);
    EXPECT_EQ(LatencyHistogram::bound_s(12), 4096e-6);
}

}  // namespace
}  // namespace gnomon::telemetry
