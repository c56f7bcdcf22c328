#include "dataplane/proto/client_analytics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <map>
#include <thread>

#include "tests/unit/dataplane/proto/server_fixture.h"

namespace gnomon::testing {
namespace {

IpAddress client_number(std::uint32_t number) { return IpAddress::v4(0x0A000000U + number); }

ObservedRequest request_of(std::uint32_t number) {
    ObservedRequest request;
    request.remote = {client_number(number), 40000};
    request.size = 48;
    request.version = 4;
    request.mode = Mode::Client;
    request.poll = 6;
    return request;
}

/// Requests as a responder would show them: one packet each.
void show(ClientAnalytics& analytics, const ObservedRequest& request, SystemTime now) {
    if (analytics.next_due(1) == 0) analytics.observe(request, now);
}

/// Ranks by a Zipf law with exponent 1.1.
class Zipf {
public:
    explicit Zipf(std::size_t size) : sums_(size) {
        double sum = 0.0;
        for (std::size_t i = 0; i < size; ++i) {
            sums_[i] = sum += std::pow(static_cast<double>(i + 1), -1.1);
        }
    }
    std::uint32_t draw(SeededRandom& random) const {
        const double u = static_cast<double>(random.next() >> 11) * 0x1p-53 * sums_.back();
        return static_cast<std::uint32_t>(std::lower_bound(sums_.begin(), sums_.end(), u) -
                                          sums_.begin());
    }

private:
    std::vector<double> sums_;
};

TEST(ClientAnalytics, ClientAnalytics_CountsExactlyWhileLittleIsAsked) {
    ClientAnalytics analytics(1);
    // Client n of 1…10 asks n times a second.
    for (std::int64_t ms = 0; ms < 20'000; ms += 1000) {
        for (std::uint32_t n = 1; n <= 10; ++n) {
            for (std::uint32_t i = 0; i < n; ++i) {
                show(analytics, request_of(n), at_ns(ms * 1'000'000 + i * 90'000'000));
            }
        }
    }
    const AnalyticsSnapshot snapshot = analytics.snapshot(at_ns(20'000'000'000));
    EXPECT_EQ(snapshot.observed, 1100u);
    EXPECT_EQ(snapshot.sampling_log2, 0u);
    ASSERT_EQ(snapshot.clients.size(), 10u);
    EXPECT_NEAR(snapshot.window_s, 20.0, 2.0);
    for (std::uint32_t i = 0; i < 10; ++i) {
        EXPECT_EQ(snapshot.clients[i].address, client_number(10 - i));
        EXPECT_NEAR(snapshot.clients[i].rate * snapshot.window_s, 20.0 * (10 - i), 1e-6);
        EXPECT_EQ(snapshot.clients[i].error, 0.0);
        EXPECT_EQ(snapshot.clients[i].noise_sd, 0.0);
    }
    EXPECT_EQ(snapshot.others_rate, 0.0);
}

/// The guarantees of Space-Saving on a skewed stream of many more clients than counters.
TEST(ClientAnalytics, ClientAnalytics_BoundsHoldForSkewedStreams) {
    for (const std::uint64_t seed : {1, 2, 3}) {
        ClientAnalytics analytics(seed);
        SeededRandom random(seed);
        const Zipf zipf(50'000);
        constexpr int kRequests = 100'000;
        std::map<IpAddress, double> truth;
        for (int i = 0; i < kRequests; ++i) {
            const std::uint32_t n = zipf.draw(random);
            truth[client_number(n)] += 1.0;
            // 2000 a second: below what makes it sample, in less time than a halving.
            show(analytics, request_of(n), at_ns(std::int64_t{i} * 500'000));
        }
        const SystemTime end = at_ns(std::int64_t{kRequests} * 500'000);
        const AnalyticsSnapshot snapshot = analytics.snapshot(end);
        ASSERT_EQ(snapshot.sampling_log2, 0u);
        ASSERT_EQ(snapshot.clients.size(), ClientAnalytics::kCounters);
        const double bound = kRequests / static_cast<double>(ClientAnalytics::kCounters);
        std::map<IpAddress, bool> known;
        for (const HeavyClient& client : snapshot.clients) {
            const double most = client.rate * snapshot.window_s;
            const double error = client.error * snapshot.window_s;
            const double real = truth[client.address];
            EXPECT_GE(most + 1e-6, real);
            EXPECT_LE(most - error, real + 1e-6);
            EXPECT_LE(error, bound + 1e-6);
            known[client.address] = true;
        }
        for (const auto& [client, real] : truth) {
            if (known.count(client) != 0) continue;
            EXPECT_LE(real, bound) << client.to_string();
            EXPECT_LE(real, snapshot.others_rate * snapshot.window_s + 1e-6);
        }
    }
}

TEST(ClientAnalytics, ClientAnalytics_SamplesUnderLoadAndStaysUnbiased) {
    ClientAnalytics analytics(7);
    SeededRandom random(7);
    const Zipf zipf(50'000);
    // Two million requests a second for one second.
    constexpr int kRequests = 2'000'000;
    std::map<std::uint32_t, double> truth;
    for (int i = 0; i < kRequests; ++i) {
        const std::uint32_t n = zipf.draw(random);
        if (n < 10) truth[n] += 1.0;
        show(analytics, request_of(n), at_ns(std::int64_t{i} * 500));
    }
    const AnalyticsSnapshot snapshot = analytics.snapshot(at_ns(std::int64_t{kRequests} * 500));
    EXPECT_GE(snapshot.sampling_log2, 5u);
    EXPECT_LE(snapshot.sampling_log2, 9u);
    EXPECT_LT(snapshot.observed, kRequests / 30u);
    EXPECT_NEAR(snapshot.profile.total * snapshot.window_s / kRequests, 1.0, 0.05);
    for (std::size_t i = 0; i < 5; ++i) {
        const HeavyClient& client = snapshot.clients[i];
        const std::uint32_t n = client.address.to_u32() - 0x0A000000U;
        ASSERT_LT(n, 10u);
        EXPECT_GT(client.noise_sd, 0.0);
        EXPECT_NEAR(client.rate, truth[n] / snapshot.window_s,
                    5.0 * client.noise_sd + client.error);
    }
}

TEST(ClientAnalytics, ClientAnalytics_SeesPatternsThatWouldHideFromEveryNth) {
    ClientAnalytics analytics(3);
    // One client sends every 256th request, exactly.
    for (int i = 0; i < 3'000'000; ++i) {
        show(analytics, request_of(i % 256 == 0 ? 1 : 2), at_ns(std::int64_t{i} * 200));
    }
    const AnalyticsSnapshot snapshot = analytics.snapshot(at_ns(std::int64_t{3'000'000} * 200));
    ASSERT_EQ(snapshot.clients.size(), 2u);
    EXPECT_NEAR(snapshot.clients[1].rate / snapshot.profile.total, 1.0 / 256.0, 0.002);
}

TEST(ClientAnalytics, ClientAnalytics_ForgetsWithTime) {
    ClientAnalytics analytics(1);
    for (int i = 0; i < 1000; ++i) show(analytics, request_of(1), at_ns(i * 60'000'000LL));
    const double before = analytics.snapshot(at_ns(60'000'000'000)).clients[0].rate;
    EXPECT_NEAR(before, 16.7, 0.5);
    // Ten minutes of silence: ten halvings against a window of two minutes.
    const AnalyticsSnapshot later = analytics.snapshot(at_ns(660'000'000'000));
    EXPECT_LT(later.clients[0].rate, before / 500.0);
    EXPECT_LE(later.window_s, 121.0);
    // Another client asks from now on and soon leads.
    for (int i = 0; i < 100; ++i) {
        show(analytics, request_of(2), at_ns(660'000'000'000 + i * 600'000'000LL));
    }
    EXPECT_EQ(analytics.snapshot(at_ns(720'000'000'000)).clients[0].address, client_number(2));
}

TEST(ClientAnalytics, ClientAnalytics_SteadyRatesAreSteadyThroughHalvings) {
    ClientAnalytics analytics(1);
    for (int s = 0; s < 600; ++s) {
        for (int i = 0; i < 4; ++i) {
            show(analytics, request_of(1), at_ns(s * 1'000'000'000LL + i * 250'000'000LL));
        }
        if (s > 10) {
            const auto snapshot = analytics.snapshot(at_ns((s + 1) * 1'000'000'000LL));
            EXPECT_NEAR(snapshot.clients[0].rate, 4.0, 0.15) << s;
        }
    }
}

TEST(ClientAnalytics, ClientAnalytics_StandsAClockThatIsSetBack) {
    ClientAnalytics analytics(1);
    for (int i = 0; i < 100; ++i) show(analytics, request_of(1), at_ns(i * 1'000'000'000LL));
    for (int i = 0; i < 100; ++i) show(analytics, request_of(1), at_ns(i * 1'000'000LL));
    const auto snapshot = analytics.snapshot(at_ns(0));
    ASSERT_EQ(snapshot.clients.size(), 1u);
    EXPECT_GT(snapshot.clients[0].rate, 0.0);
    EXPECT_TRUE(std::isfinite(snapshot.clients[0].rate));
}

TEST(ClientAnalytics, ClientAnalytics_ScoresClientsThatDoNotSlowDown) {
    ClientAnalytics analytics(1);
    for (int i = 0; i < 200; ++i) {
        ObservedRequest bad = request_of(1);
        if (i > 20) bad.outcome = i % 4 == 0 ? Outcome::Kissed : Outcome::Limited;
        show(analytics, bad, at_ns(i * 100'000'000LL));
        ObservedRequest good = request_of(2);
        if (i < 3) good.outcome = Outcome::Limited;
        show(analytics, good, at_ns(i * 100'000'000LL));
    }
    for (const HeavyClient& client : analytics.snapshot(at_ns(20'000'000'000)).clients) {
        if (client.address == client_number(1)) {
            EXPECT_NEAR(client.abuse, 89.5, 1.0);
        } else {
            EXPECT_EQ(client.abuse, 0.0);
        }
    }
}

TEST(ClientAnalytics, ClientAnalytics_ProfilesRequests) {
    ClientAnalytics analytics(1);
    ObservedRequest request = request_of(1);
    request.remote = {ip("2001:db8::1"), 123};
    request.version = 3;
    request.poll = 100;
    request.size = 72;
    request.has_mac = true;
    request.interleaved = true;
    request.outcome = Outcome::Dropped;
    for (int i = 0; i <= 10; ++i) show(analytics, request, at_ns(i * 1'000'000'000LL));
    const RequestProfile profile = analytics.snapshot(at_ns(10'000'000'000)).profile;
    EXPECT_NEAR(profile.total, 1.1, 1e-9);
    for (const double part :
         {profile.version[3], profile.mode[3], profile.poll.back(), profile.size[2],
          profile.outcome[3], profile.ipv6, profile.ntp_port, profile.mac, profile.interleaved}) {
        EXPECT_DOUBLE_EQ(part, profile.total);
    }
    EXPECT_EQ(profile.nts, 0.0);
}

TEST(ClientAnalytics, ClientAnalytics_MergedBoundsHoldForSplitStreams) {
    // One client's packets are spread over two workers, as the kernel may do by its ports.
    ClientAnalytics first(1);
    ClientAnalytics second(2);
    SeededRandom random(5);
    const Zipf zipf(20'000);
    std::map<IpAddress, double> truth;
    constexpr int kRequests = 60'000;
    for (int i = 0; i < kRequests; ++i) {
        const std::uint32_t n = zipf.draw(random);
        truth[client_number(n)] += 1.0;
        show(random.next() % 2 == 0 ? first : second, request_of(n), at_ns(i * 500'000LL));
    }
    const SystemTime end = at_ns(kRequests * 500'000LL);
    AnalyticsSnapshot merged;
    merged.merge(first.snapshot(end));
    merged.merge(second.snapshot(end));
    EXPECT_NEAR(merged.profile.total * merged.window_s, kRequests, 5.0);
    for (const HeavyClient& client : merged.clients) {
        EXPECT_GE(client.rate * merged.window_s + 1.0, truth[client.address]);
        EXPECT_LE((client.rate - client.error) * merged.window_s - 1.0, truth[client.address]);
    }
    EXPECT_EQ(merged.clients[0].address, client_number(0));
}

TEST(ClientAnalytics, ClientAnalytics_SnapshotsWhileAnotherThreadObserves) {
    ClientAnalytics analytics(1);
    std::atomic<bool> stop{false};
    std::thread observer([&] {
        SeededRandom random(1);
        for (std::int64_t i = 0; !stop.load(std::memory_order_relaxed); ++i) {
            show(analytics, request_of(static_cast<std::uint32_t>(random.next() % 5000)),
                 at_ns(i * 200'000));
        }
    });
    for (int i = 0; i < 200; ++i) {
        const AnalyticsSnapshot snapshot = analytics.snapshot(at_ns(0));
        double sum = 0.0;
        for (const HeavyClient& client : snapshot.clients) sum += client.rate;
        // The weights of all counters together are those of all requests.
        EXPECT_NEAR(sum, snapshot.profile.total, 1e-6 * (1.0 + sum));
    }
    stop = true;
    observer.join();
}

TEST(ClientAnalytics, Responder_ShowsWhatBecameOfRequests) {
    Server server;
    ClientAnalytics analytics(1);
    server.responder.set_analytics(&analytics);
    server.access.deny({ip("192.0.2.9"), 32});
    const auto header = Server::client_header();
    server.ask(Server::request(header), at_ns(1), at_ns(2), "192.0.2.1", 123);
    server.ask(Server::request(header), at_ns(2), at_ns(3), "192.0.2.9");
    const std::vector<std::uint8_t> junk(10);
    server.ask(junk, at_ns(3), at_ns(4));
    const AnalyticsSnapshot snapshot = analytics.snapshot(at_ns(4));
    ASSERT_EQ(snapshot.clients.size(), 2u);
    EXPECT_DOUBLE_EQ(snapshot.profile.outcome[static_cast<std::size_t>(Outcome::Answered)], 1.0);
    EXPECT_DOUBLE_EQ(snapshot.profile.outcome[static_cast<std::size_t>(Outcome::Dropped)], 1.0);
    EXPECT_DOUBLE_EQ(snapshot.profile.ntp_port, 1.0);
}

}  // namespace
}  // namespace gnomon::testing
