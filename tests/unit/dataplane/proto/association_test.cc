#include "dataplane/proto/association.h"

#include <gtest/gtest.h>

#include "tests/unit/dataplane/proto/association_bench.h"

namespace gnomon {
namespace {

using test::AssociationBench;
using test::bits_of;

AssociationConfig polling(int min_poll, int max_poll) {
    AssociationConfig config;
    config.min_poll = min_poll;
    config.max_poll = max_poll;
    return config;
}

TEST(Association, RevealsNothingInClientRequests) {
    AssociationBench bench;
    bench.start();
    ASSERT_TRUE(bench.run_to_request());
    ASSERT_EQ(bench.requests[0].size(), kNtpHeaderSize);
    const NtpHeader request = bench.request();
    EXPECT_EQ(request.mode, Mode::Client);
    EXPECT_EQ(request.version, 4);
    EXPECT_EQ(request.leap, Leap::Normal);
    EXPECT_EQ(request.stratum, 0);
    EXPECT_EQ(request.poll, 6);
    EXPECT_EQ(request.precision, 32);
    EXPECT_EQ(request.ref_id, 0U);
    EXPECT_EQ(request.root_delay.bits(), 0U);
    EXPECT_EQ(request.root_dispersion.bits(), 0U);
    EXPECT_TRUE(request.reference.is_zero());
    EXPECT_TRUE(request.origin.is_zero());
    EXPECT_TRUE(request.receive.is_zero());
    const double near_s = (request.transmit.resolve(bench.utc()) - bench.utc()).to_seconds();
    EXPECT_GT(std::fabs(near_s), 1000.0) << "the transmit time is random";
    EXPECT_TRUE(bench.fresh_port);
    EXPECT_EQ(bench.cookie, request.transmit.bits());
}

TEST(Association, FirstRequestWaitsAFifthOfASecond) {
    AssociationBench bench;
    bench.start();
    EXPECT_TRUE(bench.requests.empty());
    ASSERT_TRUE(bench.run_to_request());
    EXPECT_GE(bench.now_s, 0.2);
    EXPECT_LE(bench.now_s, 0.205);
}

TEST(Association, GoodReplyBecomesAMeasurement) {
    AssociationBench bench;
    bench.offset_s = 0.25;
    bench.start();
    EXPECT_TRUE(bench.exchange().good);
    ASSERT_EQ(bench.measurements.size(), 1U);
    const Measurement& m = bench.measurements[0].measurement;
    EXPECT_NEAR(m.offset_s(), 0.25, 1e-8);
    EXPECT_NEAR(m.peer_delay_s(), 1e-3, 1e-8);
    EXPECT_EQ(m.stratum, 2);
    EXPECT_EQ(m.leap, Leap::Normal);
    EXPECT_NEAR(m.root_delay_s, 100 / 65536.0, 1e-12);
    EXPECT_EQ(bits_of(bench.replies[0]), "111 111 1111");
    EXPECT_EQ(bench.association->reach(), 1);
    EXPECT_EQ(bench.ports_closed, 1);
    EXPECT_EQ(bench.statuses.size(), 1U);
    const NtpReport& report = bench.association->report();
    EXPECT_EQ(report.tx_count, 1U);
    EXPECT_EQ(report.rx_count, 1U);
    EXPECT_EQ(report.valid_count, 1U);
    EXPECT_EQ(report.good_count, 1U);
    EXPECT_EQ(report.local, bench.local);
    EXPECT_NEAR(report.reply.response_time_s, 1e-5, 1e-8);
}

TEST(Association, NoMeasurementHasANegativeDelay) {
    // A server that predicts when its reply leaves is sometimes late with it.
    for (const double delay_s : {-3e-7, -2e-9, 0.0, 1e-9}) {
        AssociationBench bench;
        bench.offset_s = 0.25;
        bench.delay_s = delay_s;
        bench.start();
        bench.exchange();
        ASSERT_EQ(bench.measurements.size(), 1U) << delay_s;
        const Measurement& m = bench.measurements[0].measurement;
        EXPECT_GE(m.peer_delay_s(), 1e-7) << "the clocks' precision";
        EXPECT_GT(m.root_distance_s(), 0.0);
        EXPECT_NEAR(m.offset_s(), 0.25, 2e-9);
    }
}

TEST(Association, AddsTheConfiguredOffset) {
    AssociationConfig config;
    config.offset_s = 0.5;
    AssociationBench bench(config);
    bench.start();
    bench.exchange();
    EXPECT_NEAR(bench.measurements.at(0).measurement.offset_s(), 0.5, 1e-8);
    EXPECT_NEAR(bench.measurements.at(0).measurement.peer_delay_s(), 1e-3, 1e-8);
}

TEST(Association, SecondReplyToOneRequestIsADuplicate) {
    AssociationBench bench;
    bench.start();
    bench.run_to_request();
    const NtpHeader reply = bench.reply_header();
    bench.answer();
    EXPECT_EQ(bench.deliver(reply).drop, Drop::Duplicate);
    EXPECT_EQ(bits_of(bench.replies.back()).substr(0, 3), "000");
    NtpHeader other = reply;
    other.receive = NtpTimestamp::from_bits(other.receive.bits() + 5);
    EXPECT_EQ(bench.deliver(other).drop, Drop::Duplicate);
    EXPECT_EQ(bench.measurements.size(), 1U);
    EXPECT_EQ(bench.association->drops()[Drop::Duplicate], 2U);
}

struct BadReply {
    const char* what;
    void (*change)(NtpHeader&);
    Drop drop;
    const char* bits;
};

TEST(Association, RefusesWhatFailsATest) {
    const BadReply cases[] = {
        {"wrong origin",
         [](NtpHeader& h) { h.origin = NtpTimestamp::from_bits(h.origin.bits() ^ 1); },
         Drop::NotSolicited, "101 111 0000"},
        {"zero origin", [](NtpHeader& h) { h.origin = {}; }, Drop::NotSolicited, "100 111 0000"},
        {"zero receive", [](NtpHeader& h) { h.receive = {}; }, Drop::NotSolicited, "110 111 0000"},
        {"zero transmit", [](NtpHeader& h) { h.transmit = {}; }, Drop::NotSolicited,
         "110 111 0000"},
        {"alarm", [](NtpHeader& h) { h.leap = Leap::Unsynchronised; }, Drop::None, "111 101 0000"},
        {"stratum 0", [](NtpHeader& h) { h.stratum = 0; }, Drop::None, "111 101 0000"},
        {"stratum 16", [](NtpHeader& h) { h.stratum = 16; }, Drop::None, "111 101 0000"},
        {"root distance", [](NtpHeader& h) { h.root_dispersion = NtpShort::from_seconds_up(16.0); },
         Drop::None, "111 110 0000"},
        {"coarse precision", [](NtpHeader& h) { h.precision = 127; }, Drop::None, "111 111 0111"},
        {"slow server",
         [](NtpHeader& h) { h.receive = NtpTimestamp::from_bits(h.receive.bits() - (5ULL << 32)); },
         Drop::None, "111 111 0111"},
    };
    for (const BadReply& bad : cases) {
        AssociationBench bench;
        bench.start();
        bench.run_to_request();
        EXPECT_EQ(bench.answer_with(bad.change).drop, bad.drop) << bad.what;
        EXPECT_TRUE(bench.measurements.empty()) << bad.what;
        EXPECT_EQ(bits_of(bench.replies.at(0)), bad.bits) << bad.what;
        if (bad.drop != Drop::None) {
            EXPECT_EQ(bench.association->drops()[bad.drop], 1U) << bad.what;
            // The real one still counts.
            EXPECT_TRUE(bench.answer().good) << bad.what;
        }
    }
}

TEST(Association, SortsPacketsByMode) {
    AssociationBench bench;
    bench.start();
    bench.run_to_request();
    const auto with_mode = [&bench](Mode mode) {
        NtpHeader header = bench.reply_header();
        header.mode = mode;
        return bench.deliver(header);
    };
    EXPECT_TRUE(with_mode(Mode::Client).for_responder);
    EXPECT_TRUE(with_mode(Mode::SymmetricActive).for_responder);
    for (const Mode mode :
         {Mode::Reserved, Mode::SymmetricPassive, Mode::Broadcast, Mode::Control, Mode::Private}) {
        EXPECT_EQ(with_mode(mode).drop, Drop::BadMode);
    }
    EXPECT_TRUE(bench.measurements.empty());
}

TEST(Association, DropsMalformedDatagrams) {
    AssociationBench bench;
    bench.start();
    bench.run_to_request();
    EXPECT_EQ(bench.deliver(AssociationBench::Datagram(20)).drop, Drop::TooShort);
    auto padded = AssociationBench::encode(bench.reply_header());
    padded.push_back(0);
    EXPECT_EQ(bench.deliver(padded).drop, Drop::BadFraming);
    EXPECT_EQ(bench.association->report().rx_count, 2U);
}

TEST(Association, KeepsTheIntervalWithinAFewPercent) {
    for (int poll = 1; poll <= 10; ++poll) {
        AssociationBench bench(polling(poll, poll));
        bench.start();
        for (int i = 0; i < 60; ++i) bench.exchange();
        const double interval_s = std::ldexp(1.0, poll);
        const auto& times = bench.request_times;
        for (std::size_t i = 1; i < times.size(); ++i) {
            EXPECT_LE(times[i] - times[i - 1], interval_s * 1.1);
        }
        const double mean_s =
            (times.back() - times.front()) / static_cast<double>(times.size() - 1);
        EXPECT_GE(mean_s, interval_s * 0.99);
        EXPECT_LE(mean_s, interval_s * 1.03);
    }
}

TEST(Association, PollsFasterThanOncePerSecondOnlyInTheLan) {
    for (int poll = -7; poll <= -1; ++poll) {
        for (const bool near : {true, false}) {
            AssociationBench bench(polling(poll, poll));
            bench.delay_s = near ? 2e-4 : 4e-2;
            bench.prediction_error_s = 1e-6;
            bench.start();
            while (bench.run_to_request() && bench.now_s < 10.0) bench.answer();
            const double expected = near ? std::ldexp(10.0, -poll) : 10.0;
            EXPECT_LE(bench.requests.size(), expected + 1) << poll << near;
            EXPECT_GE(bench.requests.size(), 0.9 * expected) << poll << near;
        }
    }
}

TEST(Association, UnansweredRequestsLengthenTheInterval) {
    AssociationBench bench(polling(2, 5));
    bench.start();
    for (int i = 0; i < 2; ++i) bench.exchange();
    EXPECT_EQ(bench.association->reach(), 3);
    const int before = bench.association->poll();
    for (int i = 0; i < 30; ++i) bench.run_to_request();
    EXPECT_GT(bench.association->poll(), before);
    EXPECT_EQ(bench.association->poll(), 5);
    EXPECT_EQ(bench.association->reach(), 0);
    EXPECT_EQ(bench.missed, 29);
    EXPECT_GT(bench.association->unreachable_run(), 10);
}

TEST(Association, AdaptsTheIntervalToTheNumberOfSamples) {
    AssociationConfig config = polling(4, 7);
    AssociationBench bench(config);
    bench.prediction_error_s = 1e-9;
    bench.start();
    for (int i = 0; i < 40; ++i) bench.exchange();
    EXPECT_EQ(bench.association->poll(), 7);
    // A prediction that fails badly shortens it at once.
    bench.prediction_error_s = 1.0;
    bench.exchange();
    EXPECT_EQ(bench.association->poll(), 4);
}

TEST(Association, ClosesThePortWhenNoReplyCanPassAnyMore) {
    AssociationBench bench;
    bench.start();
    bench.run_to_request();
    EXPECT_EQ(bench.ports_closed, 0);
    bench.run(bench.now_s + 7.1);
    EXPECT_EQ(bench.ports_closed, 1);
    EXPECT_EQ(bench.requests.size(), 1U);
}

TEST(Association, SpuriousTimeoutsChangeNothing) {
    AssociationBench bench;
    bench.start();
    bench.run_to_request();
    const MonoTime next = bench.association->next_timeout();
    for (int i = 0; i < 5; ++i) bench.association->handle_timeout(bench.view());
    bench.drain();
    EXPECT_EQ(bench.requests.size(), 1U);
    EXPECT_EQ(bench.association->next_timeout(), next);
}

TEST(Association, LaterAndBetterTransmitStampsReplaceTheDaemons) {
    AssociationBench bench;
    bench.start();
    bench.run_to_request();
    LocalStamp kernel;
    kernel.time = bench.utc() + Duration::from_us(100);
    kernel.source = TimestampSource::Kernel;
    bench.association->handle_transmit_stamp(bench.view(), bench.cookie ^ 1, kernel);
    LocalStamp wild = kernel;
    wild.time = kernel.time + Duration::from_s(2);
    bench.association->handle_transmit_stamp(bench.view(), bench.cookie, wild);
    bench.association->handle_transmit_stamp(bench.view(), bench.cookie, kernel);
    bench.answer();
    const Measurement& m = bench.measurements.at(0).measurement;
    EXPECT_EQ(m.tx_source, TimestampSource::Kernel);
    EXPECT_NEAR(m.peer_delay_s(), 0.9e-3, 1e-8);
    EXPECT_EQ(bench.association->report().kernel_tx_stamps, 3U);
}

TEST(Association, WaitsForTheHardwareStampOfItsRequest) {
    AssociationConfig config;
    config.hw_stamp_timeout = Duration::from_ms(1);
    AssociationBench bench(config);
    bench.start();
    EXPECT_TRUE(bench.exchange().good) << "the first one is not worth waiting";
    bench.run_to_request();
    EXPECT_TRUE(bench.answer().good);
    EXPECT_EQ(bench.measurements.size(), 1U) << "held back";
    LocalStamp hardware;
    hardware.time = bench.utc() - Duration::from_us(900);
    hardware.source = TimestampSource::Hardware;
    bench.association->handle_transmit_stamp(bench.view(), bench.cookie, hardware);
    bench.drain();
    ASSERT_EQ(bench.measurements.size(), 2U);
    EXPECT_EQ(bench.measurements[1].measurement.tx_source, TimestampSource::Hardware);
    // Without a stamp the time-out releases it.
    bench.run_to_request();
    bench.answer();
    EXPECT_EQ(bench.measurements.size(), 2U);
    bench.run(bench.now_s + 0.002);
    ASSERT_EQ(bench.measurements.size(), 3U);
    EXPECT_EQ(bench.measurements[2].measurement.tx_source, TimestampSource::Daemon);
}

TEST(Association, ClockAdjustmentsMoveStoredStamps) {
    AssociationBench bench;
    bench.start();
    bench.run_to_request();
    ClockAdjustment step;
    step.kind = ClockAdjustment::Kind::Step;
    step.at = bench.utc();
    step.offset_change_s = 100.0;
    bench.association->adjust(bench.view(), step);
    NtpHeader reply = bench.reply_header();
    const double shift_s = 100.0;
    reply.receive = NtpTimestamp::from_utc(bench.utc(bench.sent_s + 0.5e-3 + shift_s));
    reply.transmit = NtpTimestamp::from_utc(bench.utc(bench.sent_s + 0.5e-3 + 1e-5 + shift_s));
    const double mono_s = bench.now_s + 1e-3 + 1e-5;
    ReceivedPacket packet;
    const auto bytes = AssociationBench::encode(reply);
    packet.datagram = bytes;
    packet.stamp.time = bench.utc(mono_s + shift_s);
    EXPECT_TRUE(bench.association->handle_packet(bench.view(), packet).good);
    bench.drain();
    EXPECT_NEAR(bench.measurements.at(0).measurement.offset_s(), 0.0, 1e-8);
}

TEST(Association, UnknownStepForgetsTheExchange) {
    AssociationBench bench(polling(4, 8));
    bench.prediction_error_s = 1e-9;
    bench.start();
    for (int i = 0; i < 40; ++i) bench.exchange();
    ASSERT_GT(bench.association->poll(), 4);
    bench.run_to_request();
    ClockAdjustment step;
    step.kind = ClockAdjustment::Kind::UnknownStep;
    bench.association->adjust(bench.view(), step);
    const std::size_t before = bench.measurements.size();
    EXPECT_EQ(bench.answer().drop, Drop::NotSolicited);
    EXPECT_EQ(bench.measurements.size(), before);
    EXPECT_EQ(bench.association->poll(), 4);
}

TEST(Association, AsksInTheConfiguredVersion) {
    for (std::uint8_t version = 1; version <= 4; ++version) {
        AssociationConfig config;
        config.version = version;
        AssociationBench bench(config);
        bench.start();
        bench.run_to_request();
        EXPECT_EQ(bench.request().version, version);
        EXPECT_TRUE(bench.answer_with([version](NtpHeader& h) { h.version = version; }).good);
    }
}

TEST(Association, RaisesAndCopiesTheStratum) {
    AssociationConfig config;
    config.min_stratum = 5;
    AssociationBench raised(config);
    raised.start();
    raised.exchange();
    EXPECT_EQ(raised.statuses.at(0).stratum, 5);
    EXPECT_FALSE(raised.statuses.at(0).copied_ref_id);

    AssociationConfig copying;
    copying.copy = true;
    AssociationBench copied(copying);
    copied.start();
    copied.exchange();
    EXPECT_EQ(copied.statuses.at(0).stratum, 1);
    ASSERT_TRUE(copied.statuses.at(0).copied_ref_id);
    EXPECT_EQ(copied.statuses.at(0).copied_ref_id->value, 0x0A000001U);
    copied.run_to_request();
    copied.answer_with([](NtpHeader& h) { h.leap = Leap::Unsynchronised; });
    EXPECT_EQ(copied.source_resets, 1);
}

TEST(Association, RefusesSourcesThatFollowUs) {
    AssociationBench bench;
    bench.serving = true;
    bench.start();
    bench.run_to_request();
    bench.answer_with([](NtpHeader& h) { h.ref_id = 0xC0000263; });
    EXPECT_EQ(bits_of(bench.replies.at(0)), "111 111 1110");
    bench.run_to_request();
    bench.server_state.ref_id = RefId{0x01020304};
    bench.answer_with([&bench](NtpHeader& h) {
        h.stratum = 3;
        h.ref_id = 0x01020304;
        h.root_delay = {};
        h.reference = NtpTimestamp::from_utc(bench.server_state.reference_time);
    });
    EXPECT_EQ(bits_of(bench.replies.at(1)), "111 111 1110") << "it is ourselves";
    bench.serving = false;
    bench.run_to_request();
    bench.answer_with([](NtpHeader& h) { h.ref_id = 0xC0000263; });
    EXPECT_EQ(bits_of(bench.replies.at(2)), "111 111 1111");
}

TEST(Association, BacksOffAfterAKissOfDeath) {
    AssociationBench bench(polling(3, 3));
    bench.start();
    bench.exchange();
    bench.run_to_request();
    const auto kiss = [](NtpHeader& h) {
        h.leap = Leap::Unsynchronised;
        h.stratum = 0;
        h.ref_id = RefId::from_text("RATE").value;
    };
    const double asked_s = bench.now_s;
    // Somebody who cannot see our requests cannot silence us.
    bench.answer_with([&kiss](NtpHeader& h) {
        kiss(h);
        h.origin = NtpTimestamp::from_bits(1);
    });
    EXPECT_EQ(bench.kods, 0);
    bench.answer_with(kiss);
    EXPECT_EQ(bench.kods, 1);
    bench.run_to_request();
    EXPECT_GE(bench.now_s - asked_s, 5 * 8.0);
    EXPECT_LE(bench.now_s - asked_s, 5 * 8.0 * 1.03);
}

TEST(Association, TellsTheSourcesStepsFromItsOffset) {
    AssociationConfig config;
    config.mono_root = true;
    AssociationBench bench(config);
    bench.start();
    for (int i = 0; i < 3; ++i) {
        bench.run_to_request();
        bench.now_s += 1e-3 + 1e-5;
        const NtpTimestamp mono = bench.reply_header().receive;
        // Between the first two replies the server puts its clock forward by half a second.
        bench.offset_s = i == 0 ? 0.0 : 0.5;
        auto reply = AssociationBench::encode(bench.reply_header());
        reply.resize(kNtpHeaderSize + 28);
        MonoRoot field;
        field.mono_epoch = 9;
        field.root_delay = MonoRoot::to_fixed28(0.001);
        bench.offset_s = 0.0;
        field.mono_receive = mono;
        append_extension(reply, kNtpHeaderSize, kExtensionMonoRoot, field.encode());
        EXPECT_TRUE(bench.deliver(reply).good) << i;
    }
    ASSERT_EQ(bench.measurements.size(), 3U);
    EXPECT_EQ(bench.measurements[0].source_step_s, 0.0);
    EXPECT_NEAR(bench.measurements[1].source_step_s, 0.5, 1e-9);
    EXPECT_NEAR(bench.measurements[2].source_step_s, 0.0, 1e-9);
    EXPECT_NEAR(bench.measurements[1].measurement.offset_s(), 0.5, 1e-8);
    EXPECT_NEAR(bench.measurements[1].measurement.root_delay_s, 0.001, 1e-8);
}

TEST(Association, ReportsNothingBeforeTheFirstReply) {
    AssociationBench bench;
    const NtpReport& report = bench.association->report();
    EXPECT_EQ(report.reply.remote, bench.config.remote);
    EXPECT_EQ(report.reply.header.leap, Leap::Normal);
    EXPECT_EQ(report.reply.header.version, 0);
    EXPECT_EQ(report.reply.header.mode, Mode::Reserved);
    EXPECT_EQ(report.reply.tests.bits(), 0);
}

TEST(Association, ReadsNetworkCorrections) {
    AssociationConfig config;
    config.network_correction = true;
    AssociationBench bench(config);
    bench.start();
    bench.run_to_request();
    ASSERT_EQ(bench.requests[0].size(), kNtpHeaderSize + 28);
    bench.now_s += 1e-3 + 1e-5;
    auto reply = AssociationBench::encode(bench.reply_header());
    reply.resize(kNtpHeaderSize + 28);
    // 400 us of the request's way, 100 us of the reply's are residence times.
    append_extension(reply, kNtpHeaderSize, kExtensionNetworkCorrection,
                     NetworkCorrection::from_seconds(400e-6).encode());
    ReceivedPacket packet;
    packet.datagram = reply;
    packet.stamp.time = bench.utc();
    packet.stamp.net_correction_s = 100e-6;
    EXPECT_TRUE(bench.association->handle_packet(bench.view(), packet).good);
    bench.drain();
    const Measurement& m = bench.measurements.at(0).measurement;
    EXPECT_NEAR(m.offset_s(), -150e-6, 1e-8);
    EXPECT_NEAR(m.peer_delay_s(), 500e-6, 1e-7);
}

}  // namespace
}  // namespace gnomon
