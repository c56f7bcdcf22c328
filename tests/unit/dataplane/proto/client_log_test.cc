#include "dataplane/proto/client_log.h"

#include <gtest/gtest.h>

#include "tests/unit/dataplane/proto/server_fixture.h"

namespace gnomon::testing {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

ClientLogConfig limited(RateLimit limit) {
    ClientLogConfig config;
    limit.enabled = true;
    config.limits[0] = limit;
    return config;
}

std::optional<ClientRecordView> find(ClientLog& log, const IpAddress& address, SystemTime now,
                                     std::uint32_t min_hits = 0) {
    for (std::size_t i = 0; i < log.index_count(); ++i) {
        if (auto view = log.report(i, min_hits, false, now); view && view->address == address) {
            return view;
        }
    }
    return std::nullopt;
}

TEST(ClientLog, ClientLog_CapacityFollowsTheLimit) {
    ClientLogConfig config;
    EXPECT_EQ(config.capacity(), 4096U);
    config.memory_limit = 1;
    EXPECT_EQ(config.capacity(), 8U);
    config.memory_limit = 1ULL << 31;
    EXPECT_EQ(config.capacity(), 16777216U);
    config.memory_limit = 1ULL << 40;
    EXPECT_EQ(config.capacity(), 16777216U);
}

TEST(ClientLog, ClientLog_ReportsHitsIntervalAndAgePerService) {
    ClientLog log({}, 1);
    SeededRandom random(1);
    const IpAddress client = ip("192.0.2.5");
    for (int i = 0; i < 12; ++i) log.account(Service::Ntp, client, at_ns(i * 64 * kSecond), random);
    log.account(Service::Command, client, at_ns(705 * kSecond), random);
    const auto view = find(log, client, at_ns(714 * kSecond));
    ASSERT_TRUE(view);
    EXPECT_EQ(view->hits[0], 12U);
    EXPECT_EQ(view->hits[2], 1U);
    EXPECT_EQ(view->interval[0], 6);
    EXPECT_EQ(view->interval[2], 127);
    EXPECT_NEAR(view->last_hit_ago_s[0], 10, 1);
    EXPECT_NEAR(view->last_hit_ago_s[2], 9, 1);
    EXPECT_EQ(view->last_hit_ago_s[1], ClientRecordView::kNeverHit);
    EXPECT_EQ(view->ntp_limited_interval, 127);
    EXPECT_FALSE(find(log, client, at_ns(0), 13));
    EXPECT_TRUE(find(log, client, at_ns(0), 12));
}

TEST(ClientLog, ClientLog_IntervalOfRegularClientsIsExact) {
    SeededRandom random(1);
    for (int poll = -3; poll <= 12; ++poll) {
        ClientLog log({}, 99);
        const auto step = Duration::from_log2_seconds(poll).ns();
        for (int i = 0; i < 40; ++i) {
            log.account(Service::Ntp, ip("2001:db8::5"), at_ns(i * step), random);
        }
        EXPECT_EQ(find(log, ip("2001:db8::5"), at_ns(0))->interval[0], poll);
    }
}

TEST(ClientLog, ClientLog_ResetZeroesCountsButKeepsTheClient) {
    ClientLog log({}, 1);
    SeededRandom random(1);
    log.account(Service::Ntp, ip("192.0.2.5"), at_ns(0), random);
    for (std::size_t i = 0; i < log.index_count(); ++i) log.report(i, 0, true, at_ns(0));
    const auto view = find(log, ip("192.0.2.5"), at_ns(0));
    ASSERT_TRUE(view);
    EXPECT_EQ(view->hits[0], 0U);
    EXPECT_EQ(log.totals().hits[0], 1U);
    log.reset_totals();
    EXPECT_EQ(log.totals().hits[0], 0U);
}

TEST(ClientLog, ClientLog_ReplacesTheClientThatWasIdleLongest) {
    ClientLogConfig config;
    config.memory_limit = 1;
    ClientLog log(config, 1);
    SeededRandom random(1);
    for (std::uint32_t i = 0; i < 8; ++i) {
        log.account(Service::Ntp, IpAddress::v4(i + 1), at_ns((10 + i) * kSecond), random);
    }
    log.account(Service::Ntp, IpAddress::v4(1), at_ns(30 * kSecond), random);
    EXPECT_EQ(log.totals().record_drops, 0U);
    log.account(Service::Ntp, IpAddress::v4(100), at_ns(31 * kSecond), random);
    EXPECT_EQ(log.totals().record_drops, 1U);
    EXPECT_FALSE(find(log, IpAddress::v4(2), at_ns(0)));
    EXPECT_TRUE(find(log, IpAddress::v4(1), at_ns(0)));
    EXPECT_TRUE(find(log, IpAddress::v4(100), at_ns(0)));
}

TEST(ClientLog, ClientLog_StaysWithinItsSizeUnderSpoofedAddresses) {
    ClientLog log({}, 1);
    SeededRandom random(1);
    for (int i = 0; i < 50000; ++i) {
        log.account(Service::Ntp, IpAddress::v4(static_cast<std::uint32_t>(random.next())),
                    at_ns(i * 1000), random);
    }
    std::size_t clients = 0;
    for (std::size_t i = 0; i < log.index_count(); ++i) {
        if (log.report(i, 0, false, at_ns(0))) ++clients;
    }
    EXPECT_EQ(clients, 4096U);
    EXPECT_EQ(log.totals().record_drops, 50000U - 4096U);
}

TEST(ClientLog, ClientLog_DisabledCountsTotalsOnly) {
    ClientLogConfig config;
    config.enabled = false;
    ClientLog log(config, 1);
    SeededRandom random(1);
    EXPECT_EQ(log.account(Service::Ntp, ip("192.0.2.5"), at_ns(0), random), Verdict::Pass);
    EXPECT_EQ(log.index_count(), 0U);
    EXPECT_EQ(log.totals().hits[0], 1U);
}

TEST(RateLimit, RateLimit_LetsARegularClientPassForEver) {
    SeededRandom random(1);
    for (const int interval : {-6, -4, 0, 3, 12}) {
        ClientLog log(limited({true, interval, 8, 2, 0}), 77);
        const auto step = Duration::from_log2_seconds(interval).ns();
        for (int i = 0; i < 200; ++i) {
            EXPECT_EQ(log.account(Service::Ntp, ip("192.0.2.5"), at_ns(i * step), random),
                      Verdict::Pass)
                << interval;
        }
    }
}

TEST(RateLimit, RateLimit_BurstIsExact) {
    SeededRandom random(1);
    for (const int burst : {1, 2, 8, 16}) {
        ClientLog log(limited({true, 3, burst, 4, 0}), 77);
        for (int i = 0; i < burst; ++i) {
            EXPECT_EQ(log.account(Service::Ntp, ip("192.0.2.5"), at_ns(i), random), Verdict::Pass);
        }
        int passed = 0;
        for (int i = 0; i < 50; ++i) {
            if (log.account(Service::Ntp, ip("192.0.2.5"), at_ns(100 + i), random) ==
                Verdict::Pass) {
                ++passed;
            }
        }
        EXPECT_LT(passed, 15);
    }
}

TEST(RateLimit, RateLimit_LeaksOneInTwoToTheLeak) {
    for (const int leak : {1, 2, 3, 4}) {
        ClientLog log(limited({true, 12, 1, leak, 0}), 77);
        SeededRandom random(9);
        int passed = 0;
        constexpr int kCount = 20000;
        // Each client's second request at the same instant has no token.
        for (std::uint32_t i = 0; i < kCount; ++i) {
            log.account(Service::Ntp, IpAddress::v4(i), at_ns(0), random);
            if (log.account(Service::Ntp, IpAddress::v4(i), at_ns(0), random) == Verdict::Pass) {
                ++passed;
            }
        }
        const double expected = kCount / static_cast<double>(1 << leak);
        EXPECT_NEAR(passed, expected, 5 * std::sqrt(expected)) << leak;
    }
}

TEST(RateLimit, RateLimit_KissesOneInTwoToTheKod) {
    ClientLog log(limited({true, 12, 1, 4, 2}), 77);
    SeededRandom random(9);
    int kisses = 0;
    constexpr int kCount = 20000;
    for (std::uint32_t i = 0; i < kCount; ++i) {
        log.account(Service::Ntp, IpAddress::v4(i), at_ns(0), random);
        if (log.account(Service::Ntp, IpAddress::v4(i), at_ns(0), random) == Verdict::Kod) ++kisses;
    }
    const double expected = kCount * 15.0 / 16.0 / 4.0;
    EXPECT_NEAR(kisses, expected, 5 * std::sqrt(expected));
}

TEST(RateLimit, RateLimit_LimitsTheLongTermRate) {
    ClientLog log(limited({true, 1, 8, 4, 0}), 77);
    SeededRandom random(9);
    int passed = 0;
    for (int i = 0; i < 4000; ++i) {
        if (log.account(Service::Ntp, ip("192.0.2.5"), at_ns(i * kSecond / 2), random) ==
            Verdict::Pass) {
            ++passed;
        }
    }
    // One in two seconds of 2000 s, plus a burst, plus the leak (which empties the bucket).
    EXPECT_GT(passed, 700);
    EXPECT_LT(passed, 1300);
}

TEST(RateLimit, RateLimit_SpoofedFloodDoesNotSilenceItsVictim) {
    ClientLog log(limited({true, 3, 8, 2, 0}), 77);
    SeededRandom random(9);
    int answered = 0;
    for (int i = 0; i < 500; ++i) {
        for (int j = 0; j < 20; ++j) {
            log.account(Service::Ntp, ip("192.0.2.5"), at_ns(i * kSecond + j), random);
        }
        if (log.account(Service::Ntp, ip("192.0.2.5"), at_ns(i * kSecond + 500), random) ==
            Verdict::Pass) {
            ++answered;
        }
    }
    EXPECT_GT(answered, 60);
}

TEST(RateLimit, RateLimit_ServicesHaveTheirOwnBuckets) {
    ClientLogConfig config = limited({true, 12, 1, 4, 0});
    ClientLog log(config, 77);
    SeededRandom random(9);
    for (int i = 0; i < 100; ++i) {
        log.account(Service::Ntp, ip("192.0.2.5"), at_ns(0), random);
        EXPECT_EQ(log.account(Service::Command, ip("192.0.2.5"), at_ns(0), random), Verdict::Pass);
    }
    EXPECT_GT(log.totals().drops[0], 0U);
    EXPECT_EQ(log.totals().drops[2], 0U);
}

TEST(RateLimit, RateLimit_ExtremeParametersAreTamed) {
    for (const int interval : {-100, -19, -5, 12, 100}) {
        for (const int burst : {-1, 1, 255, 100000}) {
            const TokenBucketScale scale({true, interval, burst, 99, 99});
            EXPECT_GT(scale.per_response(), 0);
            EXPECT_GE(scale.capacity(), scale.per_response());
            EXPECT_LE(scale.leak(), 4);
            EXPECT_LE(scale.kod(), 4);
            EXPECT_EQ(scale.refill(scale.capacity(), 0, 0xffffffffU), scale.capacity());
        }
    }
}

}  // namespace
}  // namespace gnomon::testing
