/// Any sequence of measurements, adjustments and corrections, into every estimator: what comes out is
/// finite, and covariances are such.

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

#include "servo/filter/source_filter.h"
#include "tests/unit/servo/filter/sane_filter.h"

using namespace gnomon;

namespace {

constexpr const char* kNames[] = {"emg", "kalman", "pi", "regression"};
constexpr int kMaxOperations = 100;

class Input {
public:
    Input(const std::uint8_t* data, std::size_t size) : data_(data), left_(size) {}

    bool empty() const { return left_ == 0; }
    std::uint8_t byte() {
        if (left_ == 0) return 0;
        --left_;
        return *data_++;
    }
    /// All magnitudes alike, and zero: ±2^−44 … 2^64 in three bytes.
    double number(double limit) {
        const std::uint8_t head = byte();
        const int exponent = head & 0x7f;
        if (exponent == 0) return 0.0;
        const double mantissa = 1.0 + (byte() << 8 | byte()) / 65536.0;
        const double size = std::min(std::ldexp(mantissa, exponent - 44), limit);
        return head & 0x80 ? -size : size;
    }
    double size(double limit) { return std::fabs(number(limit)); }
    /// Whatever eight bytes may be, NaN included.
    double any() {
        std::uint8_t raw[8];
        for (std::uint8_t& b : raw) b = byte();
        double value = 0.0;
        std::memcpy(&value, raw, sizeof value);
        return value;
    }

private:
    const std::uint8_t* data_;
    std::size_t left_;
};

HistoryConfig config_from(Input& input) {
    HistoryConfig config;
    const std::uint8_t flags = input.byte();
    if (flags & 1) config.min_samples = input.byte();
    if (flags & 2) config.max_samples = input.byte();
    if (flags & 4) config.min_delay_s = input.size(10.0);
    if (flags & 8) config.asymmetry = input.number(0.5);
    if (flags & 16) config.precision_s = std::max(input.size(1.0), 1e-10);
    return config;
}

SourceFilter filter_from(Input& input, const HistoryConfig& config) {
    const std::uint8_t choice = input.byte();
    std::vector<std::unique_ptr<Estimator>> shadows;
    if (choice & 4) {
        for (int i = 0; i < 4; ++i) {
            if (i != (choice & 3)) shadows.push_back(make_estimator(kNames[i]));
        }
    }
    return {config, make_estimator(kNames[choice & 3]), std::move(shadows)};
}

class Run {
public:
    explicit Run(Input& input) : input_(input), filter_(filter_from(input, config_from(input))) {}

    void operate() {
        const std::uint8_t what = input_.byte();
        switch (what & 15) {
            case 0: adjust(); break;
            case 1: filter_.shift_offsets(input_.number(1e9)); break;
            case 2: filter_.add_dispersion(input_.size(1e6)); break;
            case 3:
                if (what & 128) filter_.reset();
                break;
            case 4: move(input_.number(1e9)); break;
            default: measure(what); break;
        }
        if (const char* what_is_wrong = testing::complaint(filter_, now_)) {
            std::fprintf(stderr, "%s\n", what_is_wrong);
            __builtin_trap();
        }
    }

private:
    /// Within the years that an NTP clock can show.
    void move(double by_s) {
        now_ += Duration::from_seconds(by_s);
        now_ = std::clamp(now_, UtcTime::from_ns(1), UtcTime::from_ns(4'000'000'000'000'000'000));
    }

    void measure(std::uint8_t what) {
        if (what & 16) {
            poll_s_ = input_.number(1e9);
            base_s_ = input_.number(1e5);
        }
        if (what & 32) offset_s_ = input_.number(1e9);
        move(poll_s_);
        Measurement m;
        m.at = now_;
        m.forward = Duration::from_seconds(base_s_ + offset_s_ + input_.number(1e5));
        m.backward = Duration::from_seconds(base_s_ - offset_s_ + input_.number(1e5));
        m.stratum = 1;
        if (what & 64) {
            m.forward_variance_s2 = input_.size(1e12);
            m.backward_variance_s2 = input_.size(1e12);
            m.peer_dispersion_s = input_.size(1e6);
        }
        if ((what & 128) != 0 && (what & 64) != 0) {
            for (double* d : {&m.root_delay_s, &m.root_dispersion_s, &m.peer_dispersion_s,
                              &m.forward_variance_s2}) {
                *d = input_.any();
            }
        }
        filter_.update(m);
    }

    void adjust() {
        ClockAdjustment a;
        a.at = now_;
        const std::uint8_t kind = input_.byte();
        a.kind = static_cast<ClockAdjustment::Kind>(kind % 3);
        a.frequency_change = input_.number(0.1);
        a.offset_change_s = input_.number(1e9);
        if (kind & 128) {
            // As the daemon does.
            if (const auto e = filter_.estimate(now_)) {
                a.frequency_change = std::clamp(e->frequency, -0.1, 0.1);
                a.offset_change_s = std::clamp(e->offset_s, -1e9, 1e9);
            }
        }
        filter_.adjust(a);
        if (a.kind == ClockAdjustment::Kind::UnknownStep) return;
        move(a.offset_change_s);
        offset_s_ -= a.offset_change_s;
    }

    Input& input_;
    SourceFilter filter_;
    UtcTime now_ = UtcTime::from_ns(1'700'000'000'000'000'000);
    double poll_s_ = 1.0;
    double base_s_ = 1e-3;
    double offset_s_ = 0.0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Input input(data, size);
    Run run(input);
    for (int i = 0; i < kMaxOperations && !input.empty(); ++i) run.operate();
    return 0;
}
