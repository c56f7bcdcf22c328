/// Two associations that talk to each other, and the property that matters most: nobody who cannot
/// see our requests, or lacks the key, can make a measurement.

#include <map>

#include <gtest/gtest.h>

#include "dataplane/wire/key_file.h"
#include "tests/unit/dataplane/proto/association_bench.h"

namespace gnomon {
namespace {

using test::AssociationBench;
using test::bits_of;
using test::FakeSource;
using test::SeededRandom;

/// Two peers, a network with a constant delay and loss, one clock of true time.
class Pair {
public:
    struct Side {
        std::unique_ptr<Association> association;
        FakeSource source;
        ServerState server;
        double clock_offset_s = 0.0;  ///< its clock minus true time
        std::vector<ReplyRecord> replies;
        std::vector<Measurement> measurements;
    };

    Pair(const AssociationConfig& left, const AssociationConfig& right) {
        add(0, left, "192.0.2.2");
        add(1, right, "192.0.2.1");
        sides[0].server.stratum = 2;
        sides[1].server.stratum = 3;
    }

    void run(double until_s) {
        for (Side& side : sides) {
            side.association->start(view(side));
            drain(side);
        }
        while (step() && now_s < until_s) {
        }
    }

    int rows(int side, const std::string& bits, bool interleaved) const {
        int count = 0;
        for (const ReplyRecord& record : sides[side].replies) {
            count += bits_of(record) == bits && record.interleaved == interleaved;
        }
        return count;
    }

    std::array<Side, 2> sides;
    double delay_s = 1e-4;
    double loss = 0.0;
    double now_s = 0.0;

private:
    struct Flight {
        int to;
        std::vector<std::uint8_t> bytes;
    };

    void add(int index, AssociationConfig config, const char* remote) {
        config.symmetric = true;
        config.remote = {*IpAddress::parse(remote), 123};
        Side& side = sides[index];
        side.server.synchronised = true;
        side.server.leap = Leap::Normal;
        side.server.precision = -25;
        side.server.reference_time = AssociationBench::utc(-5.0);
        side.association =
            std::make_unique<Association>(config, std::make_unique<NoAuth>(),
                                          Association::Surroundings{random, side.source, nullptr});
    }

    LocalView view(const Side& side) const {
        return LocalView{MonoTime::from_ns(0) + Duration::from_seconds(now_s),
                         AssociationBench::utc(now_s + side.clock_offset_s), &side.server, true,
                         false};
    }

    bool step() {
        MonoTime next = MonoTime::max();
        for (const Side& side : sides) next = std::min(next, side.association->next_timeout());
        double at_s = next.since_epoch().to_seconds();
        if (!flights.empty()) at_s = std::min(at_s, flights.begin()->first);
        if (at_s > 1e9) return false;
        now_s = std::max(now_s, at_s + 1e-9);
        while (!flights.empty() && flights.begin()->first <= now_s) {
            const Flight flight = flights.begin()->second;
            flights.erase(flights.begin());
            Side& side = sides[flight.to];
            ReceivedPacket packet;
            packet.datagram = flight.bytes;
            packet.stamp.time = view(side).utc;
            side.association->handle_packet(view(side), packet);
            drain(side);
        }
        for (Side& side : sides) {
            side.association->handle_timeout(view(side));
            drain(side);
        }
        return true;
    }

    void drain(Side& side) {
        const int other = &side == &sides[0] ? 1 : 0;
        while (auto output = side.association->poll_output()) {
            if (const auto* send = std::get_if<SendOutput>(&*output)) {
                side.association->handle_send_result(view(side), true, view(side).utc);
                if (random.uniform() < loss) continue;
                flights.emplace(now_s + delay_s,
                                Flight{other, {send->datagram.begin(), send->datagram.end()}});
            } else if (const auto* m = std::get_if<MeasurementOutput>(&*output)) {
                side.measurements.push_back(m->measurement);
                side.association->handle_accumulated(view(side), 1e-9, m->distance_s,
                                                     ++side.source.samples);
            } else if (const auto* reply = std::get_if<ReplyOutput>(&*output)) {
                side.replies.push_back(reply->record);
            }
        }
    }

    SeededRandom random{99};
    std::multimap<double, Flight> flights;
};

AssociationConfig peer(int poll, bool interleaved) {
    AssociationConfig config;
    config.min_poll = config.max_poll = poll;
    config.interleaved = interleaved;
    return config;
}

TEST(AssociationPair, PeersMeasureEachOther) {
    Pair pair(peer(5, false), peer(5, false));
    pair.sides[0].clock_offset_s = -0.5;
    pair.run(10000.0);
    for (int side = 0; side < 2; ++side) {
        EXPECT_GT(pair.sides[side].measurements.size(), 200U) << side;
        const Measurement& m = pair.sides[side].measurements.back();
        EXPECT_NEAR(m.offset_s(), side == 0 ? 0.5 : -0.5, 1e-6);
        EXPECT_NEAR(m.peer_delay_s(), 2e-4, 1e-6);
    }
}

TEST(AssociationPair, PeersInterleaveWhenBothAreConfiguredTo) {
    Pair pair(peer(5, true), peer(5, true));
    pair.run(10000.0);
    for (int side = 0; side < 2; ++side) {
        EXPECT_GT(pair.rows(side, "111 111 1111", true), 200) << side;
        EXPECT_LE(pair.rows(side, "111 111 1111", false), 3) << side;
    }
    EXPECT_NEAR(pair.sides[0].measurements.back().offset_s(), 0.0, 1e-6);
}

TEST(AssociationPair, PeerThatIsNotConfiguredToInterleaveNeverDoes) {
    Pair pair(peer(5, true), peer(5, false));
    pair.run(10000.0);
    EXPECT_EQ(pair.rows(0, "111 111 1111", true), 0);
    EXPECT_EQ(pair.rows(1, "111 111 1111", true), 0);
    // The configuration is an error: the side that interleaves is not understood.
    EXPECT_LT(pair.rows(1, "111 111 1111", false), 10);
}

TEST(AssociationPair, PeersSurviveLoss) {
    for (const bool interleaved : {false, true}) {
        Pair pair(peer(5, interleaved), peer(5, interleaved));
        pair.sides[0].clock_offset_s = 0.125;
        pair.loss = 0.33;
        pair.run(40000.0);
        for (int side = 0; side < 2; ++side) {
            EXPECT_GT(pair.sides[side].measurements.size(), 200U) << side << interleaved;
            for (const Measurement& m : pair.sides[side].measurements) {
                EXPECT_NEAR(m.offset_s(), side == 0 ? -0.125 : 0.125, 1e-6);
            }
        }
    }
}

TEST(AssociationPair, PeersPollAtTheShorterInterval) {
    Pair pair(peer(4, false), peer(6, false));
    pair.run(3000.0);
    EXPECT_EQ(pair.sides[1].association->poll(), 6) << "not below its own minimum";
    AssociationConfig flexible = peer(4, false);
    flexible.max_poll = 8;
    Pair adaptive(peer(4, false), flexible);
    adaptive.run(20000.0);
    EXPECT_EQ(adaptive.sides[1].association->poll(), 4);
    EXPECT_GT(adaptive.sides[1].association->poll_control().poll(), 4);
}

TEST(AssociationProperty, RandomPacketsNeverMakeAMeasurement) {
    std::mt19937_64 random(12345);
    const KeyTable keys(parse_key_file("1 SHA1 HEX:00112233445566778899").keys);
    for (int round = 0; round < 60; ++round) {
        AssociationConfig config;
        config.symmetric = round % 3 == 1;
        config.interleaved = round % 2 == 1;
        config.mono_root = round % 5 == 1;
        const bool authenticated = round % 4 >= 2;
        std::unique_ptr<ClientAuth> auth = std::make_unique<NoAuth>();
        if (authenticated) auth = std::make_unique<SymmetricAuth>(keys, 1);
        AssociationBench bench(config, std::move(auth));
        bench.start();
        for (int i = 0; i < 300; ++i) {
            if (i % 20 == 0) bench.run_to_request();
            // A plausible reply, damaged: its origin, or (with a key) anything.
            auto bytes = AssociationBench::encode(bench.reply_header());
            if (random() % 4 == 0) {
                for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
            }
            const bool keeps_origin = authenticated && random() % 2 == 0;
            for (std::size_t at = 24; at < 32 && !keeps_origin; ++at) {
                bytes[at] = static_cast<std::uint8_t>(random());
            }
            if (random() % 2 == 0) bytes.resize(kNtpHeaderSize + random() % 80);
            if (random() % 8 == 0) {
                std::fill(bytes.begin() + 24, bytes.begin() + 32, std::uint8_t{0});
            }
            bench.now_s += 1e-3;
            EXPECT_FALSE(bench.deliver(bytes).good) << round << " " << i;
        }
        EXPECT_TRUE(bench.measurements.empty());
    }
}

TEST(TransmitSchedule, KeepsTransmissionsApart) {
    TransmitSchedule schedule;
    const Duration separation = Duration::from_ms(200);
    std::vector<MonoTime> times;
    for (int i = 0; i < 6; ++i) {
        times.push_back(
            schedule.place(schedule.add(), MonoTime(), Duration::from_s(1), separation));
    }
    for (std::size_t i = 0; i < times.size(); ++i) {
        for (std::size_t j = 0; j < i; ++j) EXPECT_GE(abs(times[i] - times[j]), separation);
    }
    schedule.dispatched(0, times[0]);
    const auto soon = schedule.place(0, times[0], Duration::zero(), Duration::from_ms(50));
    EXPECT_GE(soon - times[0], Duration::from_ms(50));
    schedule.remove(0);
    EXPECT_EQ(schedule.place(7, times[0], Duration::from_ms(100), Duration::from_ms(50)),
              times[0] + Duration::from_ms(100));
}

TEST(PollControl, ClampsAndFollowsLimits) {
    PollControl poll(-20, 30, 0);
    EXPECT_EQ(poll.min_poll(), kDefaultMinPoll);
    EXPECT_EQ(poll.max_poll(), kMaxPoll);
    EXPECT_EQ(poll.target(), 1);
    EXPECT_FALSE(poll.set_min_poll(25));
    EXPECT_TRUE(poll.set_max_poll(3));
    EXPECT_EQ(poll.min_poll(), 3);
    poll.add(std::nan(""), true);
    poll.add(1e300, true);
    EXPECT_EQ(poll.poll(), 3);
    EXPECT_EQ(poll.score(), 1.0);
    poll.add(-1e300, true);
    EXPECT_EQ(poll.poll(), 3);
    EXPECT_EQ(poll.score(), 0.0);
}

TEST(PollControl, ScoreCollectsEvidence) {
    PollControl poll(4, 8, 8);
    poll.add(0.6, false);
    EXPECT_EQ(poll.poll(), 4);
    poll.add(0.6, false);
    EXPECT_EQ(poll.poll(), 5);
    EXPECT_NEAR(poll.score(), 0.2, 1e-12);
    poll.add(-0.3, false);
    EXPECT_EQ(poll.poll(), 4);
    EXPECT_NEAR(poll.score(), 0.9, 1e-12);
    EXPECT_NEAR(poll.evidence(8.0, 1.0, 3), -3.0, 1e-12);
    EXPECT_NEAR(poll.evidence(0.5, 1.0, 16), 0.125, 1e-12);
    EXPECT_NEAR(poll.evidence(-0.5, 1.0, 4), -0.125, 1e-12);
}

TEST(PeerDelayQuantile, ConvergesToTheQuantile) {
    SeededRandom random(4);
    for (const double wanted : {0.1, 0.5, 0.9}) {
        PeerDelayQuantile quantile(wanted, 1e-8);
        int below = 0;
        const int total = 20000;
        for (int i = 0; i < total; ++i) {
            const double value_s = 1e-3 + 1e-4 * random.uniform();
            if (i >= total / 2) below += quantile.passes(value_s);
            quantile.add(value_s, random);
        }
        EXPECT_NEAR(below / (total / 2.0), wanted, 0.05);
    }
}

}  // namespace
}  // namespace gnomon
