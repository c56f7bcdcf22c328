#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <random>

#include "servo/filter/source_filter.h"
#include "tests/unit/servo/filter/samples.h"
#include "tests/unit/servo/filter/sane_filter.h"

/// No sequence of measurements and adjustments, however absurd, gets a NaN or a matrix that is no
/// covariance out of any estimator.

namespace gnomon {
namespace {

using testing::complaint;
using testing::kEpoch;

class Absurdity {
public:
    Absurdity(const char* estimator, std::uint64_t seed)
        : random_(seed), filter_(config(seed), make_estimator(estimator)) {}

    void happen() {
        switch (random_() % 12) {
            case 0: correct(); break;
            case 1: adjust(); break;
            case 2: filter_.shift_offsets(signed_size(-9.0, 6.0)); break;
            case 3:
                if (random_() % 8 == 0) filter_.add_dispersion(size(-9.0, 5.0));
                break;
            default: measure(); break;
        }
    }
    const char* complaint() const { return testing::complaint(filter_, now_); }

private:
    static HistoryConfig config(std::uint64_t seed) {
        HistoryConfig config;
        if (seed % 5 == 1) config.max_samples = 1 + static_cast<int>(seed % 8);
        if (seed % 5 == 2) config.asymmetry = seed % 2 == 0 ? 0.5 : -0.3;
        if (seed % 7 == 3) config.min_delay_s = 1e-3;
        if (seed % 3 == 0) config.precision_s = 1e-9;
        return config;
    }

    double uniform(double low, double high) {
        return std::uniform_real_distribution<double>(low, high)(random_);
    }
    double size(double low, double high) { return std::pow(10.0, uniform(low, high)); }
    double signed_size(double low, double high) {
        return random_() % 6 == 0 ? 0.0 : std::copysign(size(low, high), uniform(-1.0, 1.0));
    }

    /// Mostly a poll of ordinary length; now and then again, backwards, or decades later.
    void wait() {
        constexpr std::array kPolls_s = {1.0 / 128, 1.0, 16.0, 1024.0};
        double d_s = kPolls_s[random_() % kPolls_s.size()];
        switch (random_() % 24) {
            case 0: d_s = 0.0; break;
            case 1: d_s = 1e-9; break;
            case 2: d_s = -d_s; break;
            case 3: d_s = 1e9; break;
            default: break;
        }
        move(d_s);
    }
    void move(double by_s) {
        now_ = std::clamp(now_ + Duration::from_seconds(by_s), UtcTime::from_ns(1),
                          UtcTime::from_ns(4'000'000'000'000'000'000));
    }

    void measure() {
        wait();
        // The same scale for a while, so that something is learned that can then be upset.
        if (random_() % 40 == 0) jitter_s_ = size(-10.0, 4.0);
        if (random_() % 40 == 0) base_s_ = signed_size(-9.0, 5.0);
        if (random_() % 40 == 0) offset_s_ = signed_size(-9.0, 9.0);
        Measurement m;
        m.at = now_;
        const double wild_s = random_() % 30 == 0 ? signed_size(-9.0, 5.0) : 0.0;
        m.forward = Duration::from_seconds(base_s_ + offset_s_ + wild_s + jitter());
        m.backward = Duration::from_seconds(base_s_ - offset_s_ + jitter());
        m.peer_dispersion_s = random_() % 2 == 0 ? 0.0 : size(-10.0, 5.0);
        if (random_() % 4 == 0) m.forward_variance_s2 = size(-30.0, 11.0);
        if (random_() % 4 == 0) m.backward_variance_s2 = size(-30.0, 11.0);
        if (random_() % 200 == 0) {
            m.forward_variance_s2 = std::numeric_limits<double>::quiet_NaN();
        }
        if (random_() % 200 == 0) m.root_delay_s = std::numeric_limits<double>::infinity();
        m.stratum = 1;
        filter_.update(m);
    }
    double jitter() {
        return random_() % 5 == 0 ? 0.0
                                  : jitter_s_ * std::exponential_distribution<double>()(random_);
    }

    /// As the daemon does.
    void correct() {
        const auto data = filter_.selection_data(now_);
        if (!data) return;
        ClockAdjustment a;
        a.at = now_;
        a.frequency_change = std::clamp(data->estimate.frequency, -0.1, 0.1);
        a.offset_change_s = std::clamp(data->estimate.offset_s, -1e9, 1e9);
        apply(a);
    }
    void adjust() {
        ClockAdjustment a;
        a.at = now_;
        a.kind = static_cast<ClockAdjustment::Kind>(random_() % 8 == 0 ? 2 : random_() % 2);
        a.frequency_change = random_() % 2 == 0 ? 0.0 : (random_() % 2 == 0 ? 0.1 : -0.1);
        a.offset_change_s = signed_size(-9.0, 8.0);
        apply(a);
    }
    void apply(const ClockAdjustment& a) {
        filter_.adjust(a);
        if (a.kind == ClockAdjustment::Kind::UnknownStep) return;
        move(a.offset_change_s);
        offset_s_ -= a.offset_change_s;
    }

    std::mt19937_64 random_;
    SourceFilter filter_;
    UtcTime now_ = kEpoch;
    double jitter_s_ = 1e-5;
    double base_s_ = 1e-3;
    double offset_s_ = 0.0;
};

class AbsurdInput : public ::testing::TestWithParam<const char*> {};

TEST_P(AbsurdInput, LeavesEveryEstimateFiniteAndEveryCovarianceSuch) {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        Absurdity absurdity(GetParam(), seed);
        for (int i = 0; i < 400; ++i) {
            absurdity.happen();
            const char* what = absurdity.complaint();
            ASSERT_EQ(what, nullptr) << what << ", seed " << seed << ", step " << i;
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Estimators, AbsurdInput,
                         ::testing::Values("emg", "kalman", "pi", "regression"));

}  // namespace
}  // namespace gnomon
