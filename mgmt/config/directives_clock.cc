/// Rows for the system clock, NIC timestamping and the real-time clock.

#include <algorithm>

#include "mgmt/config/directives.h"

namespace gnomon {
namespace {

using C = LineContext&;

void parse_driftfile(C c) {
    if (!c.args.expect(1, 3)) return;
    int interval_s = c.config.clock.drift_file_interval_s;
    if (c.args.count() > 1) {
        Reporter& report = c.args.report();
        if (!equal_ignoring_case(c.args[1].text, "interval")) {
            report.error(
                c.args[1],
                fmt::format("unknown option '{}' of driftfile; expected interval", c.args[1].text));
            return;
        }
        if (c.args.count() < 3) {
            report.error(c.args[1], "option 'interval' needs a value");
            return;
        }
        if (!report.read_int(c.args[2], interval_s, {}, kCount)) return;
    }
    c.config.clock.drift_file = c.args[0].text;
    c.config.clock.drift_file_interval_s = interval_s;
}

void parse_tempcomp(C c) {
    if (!c.args.expect(3, 6)) return;
    Reporter& report = c.args.report();
    TempCompConfig sensor;
    sensor.file = c.args[0].text;
    bool ok = report.read_double(c.args[1], sensor.interval_s, kNotNegative);
    if (c.args.count() == 6) {
        ok = report.read_double(c.args[2], sensor.t0, kAnyNumber) && ok;
        ok = report.read_double(c.args[3], sensor.k0, kAnyNumber) && ok;
        ok = report.read_double(c.args[4], sensor.k1, kAnyNumber) && ok;
        ok = report.read_double(c.args[5], sensor.k2, kAnyNumber) && ok;
    } else if (c.args.count() != 3) {
        report.error(c.args.directive(),
                     "tempcomp needs T0 K0 K1 K2, the name of a file, or learn");
        return;
    } else if (equal_ignoring_case(c.args[2].text, "learn")) {
        sensor.learn = true;
    } else {
        sensor.points_file = c.args[2].text;
    }
    if (!ok) return;
    if (sensor.interval_s <= 0.0) sensor.interval_s = 1.0;
    c.config.clock.temp_comp = sensor;
}

void parse_fallbackdrift(C c) {
    int min = 0;
    int max = 0;
    // Both are read in any case so that both mistakes are seen.
    if (!c.args.expect(2)) return;
    const bool first = c.args.report().read_int(c.args[0], min, {}, {0, 32});
    const bool second = c.args.report().read_int(c.args[1], max, {}, {0, 32});
    if (!first || !second) return;
    c.config.clock.fallback_drift_min_log2_s = min;
    c.config.clock.fallback_drift_max_log2_s = max;
}

void parse_makestep(C c) {
    if (!c.args.expect(2)) return;
    MakeStepConfig step;
    const bool first = c.args.report().read_double(c.args[0], step.threshold_s, kNotNegative);
    const bool second = c.args.report().read_int(c.args[1], step.limit, {});
    if (!first || !second) return;
    if (c.restarted && step.limit > 0) step.limit = 0;
    c.config.clock.make_step = step;
}

void parse_maxchange(C c) {
    if (!c.args.expect(3)) return;
    MaxChangeConfig change;
    const bool first = c.args.report().read_double(c.args[0], change.max_offset_s, kNotNegative);
    const bool second = c.args.report().read_int(c.args[1], change.start_update, {});
    const bool third = c.args.report().read_int(c.args[2], change.ignore_count, {});
    if (first && second && third) c.config.clock.max_change = change;
}

void parse_leapsecmode(C c) {
    using Mode = ClockConfig::LeapMode;
    static const std::vector<Choice<Mode>> kModes{{"system", Mode::System},
                                                  {"step", Mode::Step},
                                                  {"slew", Mode::Slew},
                                                  {"ignore", Mode::Ignore}};
    if (c.args.expect(1)) read_choice(c.args.report(), c.args[0], kModes, c.config.clock.leap_mode);
}

void parse_clockprecision(C c) {
    // Zero is the default: to be measured.
    if (c.args.count() == 1 && c.args[0].text == "0") {
        c.config.clock.precision_s = 0.0;
        return;
    }
    c.args.take_double(c.config.clock.precision_s, {1e-9, 1.0});
}

bool read_rx_filter(HwTimestampConfig& config, const Word& value, Reporter& report) {
    using Filter = HwTimestampConfig::RxFilter;
    static const std::vector<Choice<Filter>> kFilters{
        {"all", Filter::All}, {"ntp", Filter::Ntp}, {"ptp", Filter::Ptp}, {"none", Filter::None}};
    return read_choice(report, value, kFilters, config.rx_filter);
}

constexpr int kMaxNicPoll = 20;
/// Marks a maxpoll that was not given; outside of what the option accepts.
constexpr int kUnsetPoll = 100;

void parse_hwtimestamp(C c) {
    const Word* interface = c.args.next();
    if (interface == nullptr) {
        c.args.report().error(c.args.directive(), "'hwtimestamp' needs an interface or *");
        return;
    }
    HwTimestampConfig config;
    config.interface = interface->text;
    config.max_poll_log2_s = kUnsetPoll;
    if (!parse_options(c.args, hwtimestamp_option_table(), config)) return;
    if (config.max_poll_log2_s == kUnsetPoll) config.max_poll_log2_s = config.min_poll_log2_s + 1;
    config.max_poll_log2_s =
        std::clamp(config.max_poll_log2_s, config.min_poll_log2_s, kMaxNicPoll);
    config.max_samples = std::max(config.max_samples, config.min_samples);
    c.config.timestamping.interfaces.push_back(config);
}

}  // namespace

const std::vector<Option<HwTimestampConfig>>& hwtimestamp_option_table() {
    using H = HwTimestampConfig;
    using W = const Word&;
    using R = Reporter&;
    // clang-format off
    static const std::vector<Option<H>> kTable{
        {"minpoll", "POLL", "MSC-02", [](H& h, W v, R r) { return r.read_int(v, h.min_poll_log2_s, {-32, 32}, {-6, kMaxNicPoll}); }},
        {"maxpoll", "POLL", "MSC-03", [](H& h, W v, R r) { return r.read_int(v, h.max_poll_log2_s, {-32, 32}, {-6, kMaxNicPoll}); }},
        {"minsamples", "SAMPLES", "MSC-04", [](H& h, W v, R r) { return r.read_int(v, h.min_samples, kCount, {2, 64}); }},
        {"maxsamples", "SAMPLES", "MSC-05", [](H& h, W v, R r) { return r.read_int(v, h.max_samples, kCount, {2, 64}); }},
        {"precision", "SECONDS", "MSC-06", [](H& h, W v, R r) { return r.read_double(v, h.precision_s, kNotNegative); }},
        {"txcomp", "SECONDS", "MSC-07", [](H& h, W v, R r) { return r.read_double(v, h.tx_compensation_s, kAnyNumber); }},
        {"rxcomp", "SECONDS", "MSC-08", [](H& h, W v, R r) { return r.read_double(v, h.rx_compensation_s, kAnyNumber); }},
        {"nocrossts", "", "MSC-09", [](H& h, W, R) { h.cross_timestamps = false; return true; }},
        {"nofollow", "", "", [](H& h, W, R) { h.follow = false; return true; }},
        {"rxfilter", "all|ntp|ptp|none", "MSC-10", read_rx_filter},
    };
    // clang-format on
    return kTable;
}

DirectiveGroup clock_directives() {
    return {
        "System clock",
        {
            {"clockprecision", "SECONDS", "CLK-01", parse_clockprecision},
            {"corrtimeratio", "RATIO", "CLK-02",
             [](C c) { c.args.take_double(c.config.clock.correction_time_ratio, kNotNegative); }},
            {"driftfile", "FILE [interval SECONDS]", "CLK-03", parse_driftfile},
            {"fallbackdrift", "MIN MAX", "CLK-04", parse_fallbackdrift},
            {"leapsecmode", "system|step|slew|ignore", "CLK-05", parse_leapsecmode},
            {"leapsectz", "ZONE", "CLK-06",
             [](C c) { c.args.take_string(c.config.clock.leap_tz); }},
            {"leapseclist", "FILE", "CLK-07",
             [](C c) { c.args.take_string(c.config.clock.leap_list); }},
            {"makestep", "SECONDS LIMIT", "CLK-08", parse_makestep},
            {"maxbound", "SECONDS", "",
             [](C c) { c.args.take_double(c.config.clock.max_bound_s, kNotNegative); },
             Support::Supported, Severity::Warning,
             "gnomon's own: the error bound that LOCKED promises, see gnomonc state"},
            {"maxchange", "SECONDS START IGNORE", "CLK-09", parse_maxchange},
            {"maxclockerror", "PPM", "CLK-10",
             [](C c) { c.args.take_double(c.config.clock.max_clock_error_ppm, kNotNegative); }},
            {"maxdrift", "PPM", "CLK-11",
             [](C c) {
                 c.args.take_double(c.config.clock.max_drift_ppm, {0.0, 100000.0});
             }},
            {"maxupdateskew", "PPM", "CLK-12",
             [](C c) { c.args.take_double(c.config.clock.max_update_skew_ppm, kNotNegative); }},
            {"maxslewrate", "PPM", "CLK-13",
             [](C c) { c.args.take_double(c.config.clock.max_slew_rate_ppm, kNotNegative); }},
            {"tempcomp", "FILE SECONDS T0 K0 K1 K2 | FILE SECONDS POINTSFILE | FILE SECONDS learn",
             "CLK-14, CLK-15", parse_tempcomp},
        }};
}

DirectiveGroup timestamping_directives() {
    return {"Hardware timestamps",
            {
                {"hwtimestamp", "INTERFACE|* [OPTION]...", "MSC-01", parse_hwtimestamp},
                {"hwtstimeout", "SECONDS", "MSC-11",
                 [](C c) { c.args.take_double(c.config.timestamping.timeout_s, kNotNegative); }},
                {"maxtxbuffers", "N", "MSC-12",
                 [](C c) {
                     c.args.take_int(c.config.timestamping.max_tx_buffers, {0, 1048576});
                 }},
            }};
}

DirectiveGroup rtc_directives() {
    constexpr Support kNotYet = Support::NotYet;
    constexpr Severity kWarning = Severity::Warning;
    return {
        "Real-time clock",
        {
            {"hwclockfile", "FILE", "RTC-01",
             [](C c) { c.args.take_string(c.config.rtc.hwclock_file); }, kNotYet, kWarning,
             "only of use with rtcfile or -s"},
            {"rtcautotrim", "SECONDS", "RTC-02", nullptr, kNotYet, kWarning,
             "only of use with rtcfile"},
            {"rtcdevice", "DEVICE", "RTC-03", [](C c) { c.args.take_string(c.config.rtc.device); },
             kNotYet, kWarning, "only of use with rtcfile or -s"},
            {"rtcfile", "FILE", "RTC-04, RTC-07", nullptr, kNotYet, Severity::Error,
             "the real-time clock would not be tracked"},
            {"rtconutc", "", "RTC-05", [](C c) { c.args.take_flag(c.config.rtc.on_utc); }, kNotYet,
             kWarning, "only of use with rtcfile or -s"},
            {"rtcsync", "", "RTC-06", [](C c) { c.args.take_flag(c.config.rtc.sync); }},
        }};
}

}  // namespace gnomon
