/// Bursts, presend, online and offline, interleaved mode, authentication, delay limits.

#include <gtest/gtest.h>

#include "dataplane/wire/key_file.h"
#include "tests/unit/dataplane/proto/association_bench.h"

namespace gnomon {
namespace {

using test::AssociationBench;
using test::bits_of;
using Activity = Association::Activity;

int count_rows(const AssociationBench& bench, const std::string& bits, bool interleaved) {
    int count = 0;
    for (const ReplyRecord& record : bench.replies) {
        count += bits_of(record) == bits && record.interleaved == interleaved;
    }
    return count;
}

TEST(AssociationBurst, InitialBurstMakesFourMeasurementsTwoSecondsApart) {
    AssociationConfig config;
    config.iburst = true;
    AssociationBench bench(config);
    bench.start();
    EXPECT_EQ(bench.association->activity(), Activity::BurstWasOnline);
    for (int i = 0; i < 4; ++i) bench.exchange();
    EXPECT_EQ(bench.association->activity(), Activity::Online);
    for (int i = 1; i < 4; ++i) {
        EXPECT_NEAR(bench.request_times[i] - bench.request_times[i - 1], 2.0, 0.05);
    }
    bench.exchange();
    EXPECT_NEAR(bench.request_times[4] - bench.request_times[3], 64.0, 1.5);
}

TEST(AssociationBurst, InitialBurstGivesUpAfterEightRequests) {
    AssociationConfig config;
    config.iburst = true;
    AssociationBench bench(config);
    bench.start();
    for (int i = 0; i < 9; ++i) bench.run_to_request();
    EXPECT_EQ(bench.association->activity(), Activity::Online);
    EXPECT_NEAR(bench.request_times[7] - bench.request_times[0], 14.0, 0.3);
    EXPECT_GT(bench.request_times[8] - bench.request_times[7], 60.0);
}

TEST(AssociationBurst, DoesNotUseItselfUpWhileNothingGetsOut) {
    AssociationConfig config;
    config.iburst = true;
    AssociationBench bench(config);
    bench.send_works = false;
    bench.start();
    for (int i = 0; i < 30; ++i) bench.run_to_request();
    EXPECT_EQ(bench.association->activity(), Activity::BurstWasOnline);
    EXPECT_EQ(bench.association->report().tx_count, 0U);
    EXPECT_EQ(bench.association->drops()[Drop::SendFailed], 30U);
}

TEST(AssociationBurst, AutomaticBurstStopsAtTheFirstGoodReply) {
    AssociationConfig config;
    config.burst = true;
    config.min_poll = 4;
    config.max_poll = 6;
    AssociationBench bench(config);
    bench.prediction_error_s = 1e-9;
    bench.start();
    for (int i = 0; i < 60; ++i) bench.exchange();
    ASSERT_EQ(bench.association->poll(), 6);
    EXPECT_EQ(bench.association->activity(), Activity::Online);
    const std::size_t before = bench.requests.size();
    for (int i = 0; i < 5; ++i) bench.run_to_request();
    EXPECT_NEAR(bench.request_times[before + 1] - bench.request_times[before], 2.0, 0.05);
    EXPECT_NEAR(bench.request_times[before + 3] - bench.request_times[before + 2], 2.0, 0.05);
    EXPECT_GT(bench.request_times[before + 4] - bench.request_times[before + 3], 60.0);
}

TEST(AssociationBurst, CommandedBurstReturnsToOffline) {
    AssociationConfig config;
    config.offline = true;
    AssociationBench bench(config);
    bench.start();
    EXPECT_EQ(bench.association->next_timeout(), MonoTime::max());
    bench.association->start_burst(bench.view(), 2, 5);
    EXPECT_EQ(bench.association->activity(), Activity::BurstWasOffline);
    bench.exchange();
    bench.exchange();
    EXPECT_EQ(bench.association->activity(), Activity::Offline);
    EXPECT_EQ(bench.association->next_timeout(), MonoTime::max());
    EXPECT_EQ(bench.association->reach(), 0);
}

TEST(AssociationPresend, SendsOneMoreRequestBeforeTheMeasurement) {
    AssociationConfig config;
    config.presend_min_poll = 5;
    AssociationBench bench(config);
    bench.start();
    bench.exchange();
    bench.exchange();
    EXPECT_NEAR(bench.request_times[1] - bench.request_times[0], 2.0, 0.05);
    EXPECT_EQ(count_rows(bench, "111 111 0111", false), 1);
    EXPECT_EQ(count_rows(bench, "111 111 1111", false), 1);
    bench.exchange();
    EXPECT_GT(bench.request_times[2] - bench.request_times[1], 60.0);
}

TEST(AssociationPresend, InterleavedSendsTwo) {
    AssociationConfig config;
    config.presend_min_poll = 5;
    config.interleaved = true;
    AssociationBench bench(config);
    bench.start();
    for (int i = 0; i < 3; ++i) bench.exchange();
    EXPECT_EQ(count_rows(bench, "111 111 0111", false), 2);
    EXPECT_EQ(count_rows(bench, "111 111 1111", false), 1);
}

TEST(AssociationOnline, SwitchesAndReportsIt) {
    AssociationBench bench;
    bench.start();
    bench.exchange();
    bench.association->set_offline(bench.view());
    bench.drain();
    EXPECT_EQ(bench.association->activity(), Activity::Offline);
    EXPECT_EQ(bench.association->next_timeout(), MonoTime::max());
    EXPECT_EQ(bench.deliver(bench.reply_header()).drop, Drop::NotSolicited);
    bench.association->set_offline(bench.view());
    bench.association->set_online(bench.view());
    bench.association->set_online(bench.view());
    bench.drain();
    EXPECT_EQ(bench.online_changes, (std::vector<bool>{false, true}));
    bench.run_to_request();
    EXPECT_GT(bench.request_times[1] - bench.request_times[0], 63.0)
        << "a short break does not raise the rate";
}

TEST(AssociationOnline, GoesOfflineByItselfWhenSendingFails) {
    AssociationConfig config;
    config.auto_offline = true;
    AssociationBench bench(config);
    bench.start();
    bench.exchange();
    bench.send_works = false;
    bench.run_to_request();
    EXPECT_EQ(bench.association->activity(), Activity::Offline);
    EXPECT_EQ(bench.online_changes, (std::vector<bool>{false}));
}

TEST(AssociationOnline, BurstChangesItsReturn) {
    AssociationConfig config;
    config.iburst = true;
    AssociationBench bench(config);
    bench.start();
    bench.association->set_offline(bench.view());
    EXPECT_EQ(bench.association->activity(), Activity::BurstWasOffline);
    bench.association->set_online(bench.view());
    EXPECT_EQ(bench.association->activity(), Activity::BurstWasOnline);
}

/// A server that knows the interleaved mode, as RFC 9769 describes it.
struct InterleavingServer {
    NtpTimestamp last_receive;
    NtpTimestamp last_transmit;
    bool knows_interleaving = true;

    PacketResult answer(AssociationBench& bench) {
        return bench.answer_with([this, &bench](NtpHeader& reply) {
            const NtpHeader request = bench.request();
            const NtpTimestamp true_transmit = reply.transmit;
            if (knows_interleaving && !last_receive.is_zero() && request.origin == last_receive &&
                !(request.receive == request.transmit)) {
                reply.origin = request.receive;
                reply.transmit = last_transmit;
            }
            last_receive = reply.receive;
            last_transmit = true_transmit;
        });
    }
};

TEST(AssociationInterleaved, UsesTwoBasicExchangesAndDiscardsOneMore) {
    AssociationConfig config;
    config.interleaved = true;
    AssociationBench bench(config);
    InterleavingServer server;
    bench.start();
    for (int i = 0; i < 20; ++i) {
        ASSERT_TRUE(bench.run_to_request());
        bench.offset_s = 0.001 * i;
        server.answer(bench);
    }
    EXPECT_EQ(count_rows(bench, "111 111 0111", true), 1);
    EXPECT_GE(count_rows(bench, "111 111 1111", true), 17);
    EXPECT_LE(count_rows(bench, "111 111 1111", false), 2);
    for (const MeasurementOutput& output : bench.measurements) {
        EXPECT_NEAR(output.measurement.peer_delay_s(), 1e-3, 1e-6);
    }
}

TEST(AssociationInterleaved, MeasuresThePreviousExchange) {
    AssociationConfig config;
    config.interleaved = true;
    AssociationBench bench(config);
    InterleavingServer server;
    bench.start();
    for (int i = 0; i < 5; ++i) {
        bench.run_to_request();
        server.answer(bench);
    }
    const double previous_s = bench.request_times.back();
    bench.run_to_request();
    server.answer(bench);
    const Measurement& m = bench.measurements.back().measurement;
    EXPECT_NEAR((m.at - bench.utc(previous_s)).to_seconds(), 0.5e-3, 1e-4);
    EXPECT_NEAR(m.peer_delay_s(), 1e-3, 1e-7);
}

TEST(AssociationInterleaved, FallsBackAfterFourUnansweredRequests) {
    AssociationConfig config;
    config.interleaved = true;
    AssociationBench bench(config);
    InterleavingServer server;
    bench.start();
    for (int i = 0; i < 5; ++i) {
        bench.run_to_request();
        server.answer(bench);
    }
    for (int i = 0; i < 4; ++i) {
        bench.run_to_request();
        EXPECT_FALSE(bench.request().origin.is_zero()) << i;
    }
    bench.run_to_request();
    EXPECT_TRUE(bench.request().origin.is_zero());
    EXPECT_TRUE(bench.request().receive.is_zero());
    EXPECT_TRUE(server.answer(bench).good);
}

TEST(AssociationInterleaved, StaysBasicWithServersThatDoNotKnowIt) {
    AssociationConfig config;
    config.interleaved = true;
    AssociationBench bench(config);
    InterleavingServer server;
    server.knows_interleaving = false;
    bench.start();
    for (int i = 0; i < 10; ++i) {
        bench.run_to_request();
        EXPECT_TRUE(server.answer(bench).good);
    }
    EXPECT_EQ(count_rows(bench, "111 111 1111", false), 10);
}

TEST(AssociationInterleaved, IsNotAcceptedUnlessConfigured) {
    AssociationBench bench;
    bench.start();
    bench.exchange();
    bench.run_to_request();
    const PacketResult result = bench.answer_with([&bench](NtpHeader& h) {
        h.origin = bench.request().receive;  // zero
    });
    EXPECT_EQ(result.drop, Drop::NotSolicited);
}

class AssociationAuth : public testing::Test {
protected:
    AssociationAuth()
        : keys(parse_key_file("1 SHA1 HEX:00112233445566778899\n"
                              "2 SHA1 HEX:99887766554433221100\n"
                              "3 SHA256 HEX:99887766554433221100\n")
                   .keys) {}

    std::unique_ptr<ClientAuth> key(std::uint32_t id) {
        return std::make_unique<SymmetricAuth>(keys, id);
    }
    AssociationBench::Datagram signed_reply(const AssociationBench& bench, std::uint32_t id) {
        auto bytes = AssociationBench::encode(bench.reply_header());
        bytes.resize(200);
        bytes.resize(append_mac(bytes, kNtpHeaderSize, 4, *keys.find(id)));
        return bytes;
    }

    KeyTable keys;
};

TEST_F(AssociationAuth, SignsRequestsAndDemandsSignedReplies) {
    AssociationBench bench({}, key(1));
    bench.start();
    bench.run_to_request();
    const auto parsed = parse_packet(bench.requests[0]);
    ASSERT_TRUE(parsed.packet);
    EXPECT_TRUE(check_mac(*parsed.packet, *keys.find(1)));

    EXPECT_EQ(bench.answer().drop, Drop::BadAuthentication);
    EXPECT_EQ(bench.deliver(signed_reply(bench, 2)).drop, Drop::BadAuthentication);
    auto damaged = signed_reply(bench, 1);
    damaged[20] ^= 1;
    EXPECT_EQ(bench.deliver(damaged).drop, Drop::BadAuthentication);
    auto nak = AssociationBench::encode(bench.reply_header());
    nak.resize(52, 0);
    EXPECT_EQ(bench.deliver(nak).drop, Drop::BadAuthentication);
    EXPECT_TRUE(bench.measurements.empty());
    EXPECT_EQ(bench.association->drops()[Drop::BadAuthentication], 4U);

    EXPECT_TRUE(bench.deliver(signed_reply(bench, 1)).good);
    EXPECT_TRUE(bench.replies.back().authenticated);
    const AuthReport report = bench.association->auth_report(MonoTime());
    EXPECT_EQ(report.mode, AuthMode::Symmetric);
    EXPECT_EQ(report.key_id, 1U);
    EXPECT_EQ(report.key_type, static_cast<int>(KeyType::Sha1));
    EXPECT_EQ(report.key_length, 80);
}

TEST_F(AssociationAuth, RefusesSignedRepliesToUnsignedRequests) {
    AssociationBench bench;
    bench.start();
    bench.run_to_request();
    bench.now_s += 2e-3;
    EXPECT_EQ(bench.deliver(signed_reply(bench, 1)).drop, Drop::BadAuthentication);
    EXPECT_TRUE(bench.answer().good);
}

TEST_F(AssociationAuth, SendsNothingWithAnUnknownKey) {
    AssociationBench bench({}, key(77));
    bench.start();
    bench.run(1000.0);
    EXPECT_TRUE(bench.requests.empty());
    EXPECT_EQ(bench.association->reach(), 0);
    EXPECT_GT(bench.missed, 5);
}

TEST_F(AssociationAuth, PrefersVersion3ForLongDigestsUnlessVersion4IsNeeded) {
    AssociationBench bench({}, key(3));
    EXPECT_EQ(bench.association->version(), 3);
    AssociationConfig interleaved;
    interleaved.interleaved = true;
    AssociationBench needs_4(interleaved, key(3));
    EXPECT_EQ(needs_4.association->version(), 4);
}

TEST(AssociationDelay, LimitsTheDelay) {
    AssociationConfig config;
    config.max_delay_s = 0.5e-3;
    AssociationBench bench(config);
    bench.start();
    bench.exchange();
    EXPECT_EQ(bits_of(bench.replies.at(0)), "111 111 0111");
    bench.association->set_max_delay(1.0);
    bench.exchange();
    EXPECT_EQ(bits_of(bench.replies.at(1)), "111 111 1111");
}

TEST(AssociationDelay, LimitsRatioAndDeviationOfTheDelay) {
    AssociationConfig config;
    config.max_delay_ratio = 2.0;
    config.max_delay_dev_ratio = 10.0;
    AssociationBench bench(config);
    SourceView::Prediction prediction;
    prediction.min_delay_s = 0.9e-3;
    prediction.measurement_sd_s = 1e-6;
    prediction.last_sample = bench.utc(0.0);
    bench.source.prediction = prediction;
    bench.start();
    bench.exchange();
    EXPECT_EQ(bits_of(bench.replies.at(0)), "111 111 1101") << "50 us more than 10 deviations";
    bench.offset_s = 1.0;
    bench.exchange();
    EXPECT_EQ(bits_of(bench.replies.at(1)), "111 111 1111") << "the delay does not explain this";
    bench.delay_s = 5e-3;
    bench.exchange();
    EXPECT_EQ(bits_of(bench.replies.at(2)), "111 111 1011");
}

TEST(AssociationDelay, AcceptsTheFastestTenthWithAQuantile) {
    AssociationConfig config;
    config.min_poll = config.max_poll = 2;
    config.max_delay_quantile = 0.1;
    config.clock_precision_s = 2e-8;
    AssociationBench bench(config);
    std::mt19937 random(3);
    std::gamma_distribution<double> jitter(1.0, 1e-5);
    bench.start();
    for (int i = 0; i < 2500; ++i) {
        bench.run_to_request();
        bench.delay_s = 2e-5 + jitter(random);
        bench.answer();
    }
    EXPECT_GE(count_rows(bench, "111 111 1111", false), 180);
    EXPECT_LE(count_rows(bench, "111 111 1111", false), 500);
}

}  // namespace
}  // namespace gnomon
