#include "mgmt/config/refclock_options.h"

#include <algorithm>
#include <charconv>
#include <functional>

namespace gnomon {
namespace {

constexpr IntRange kPoll{-32, 32};
constexpr IntRange kEffectivePoll{-7, 24};
constexpr std::size_t kRefIdBytes = 4;

struct DriverOption {
    std::string_view name;
    std::string_view value;  ///< what the document calls it; empty: none
    std::string_view id;
    int base;
    void (*apply)(RefclockDevice& device, int value);
};

struct Driver {
    std::string_view name;
    RefclockKind kind;
    std::string_view parameter;
    std::vector<DriverOption> options;
};

const std::vector<Driver>& driver_table() {
    using D = RefclockDevice&;
    static const DriverOption kClear{"clear", "", "REF-02", 10,
                                     [](D d, int) { d.clear_edge = true; }};
    static const std::vector<Driver> kDrivers{
        {"PPS", RefclockKind::Pps, "the path of a device", {kClear}},
        {"SHM",
         RefclockKind::Shm,
         "the number of a segment",
         {{"perm", "MODE", "REF-04", 8,
           [](D d, int value) { d.mode = static_cast<std::uint32_t>(value) & 0777U; }}}},
        {"SOCK", RefclockKind::Sock, "the path of a socket", {}},
        {"PHC",
         RefclockKind::Phc,
         "the path of a device or the name of an interface",
         {{"nocrossts", "", "REF-05", 10, [](D d, int) { d.cross_timestamps = false; }},
          {"extpps", "", "REF-05", 10, [](D d, int) { d.external_pps = true; }},
          {"pin", "INDEX", "REF-05", 10, [](D d, int value) { d.pin = value; }},
          {"channel", "INDEX", "REF-05", 10, [](D d, int value) { d.channel = value; }},
          kClear}},
    };
    return kDrivers;
}

bool read_number(std::string_view text, int base, int& value) {
    const char* end = text.data() + text.size();
    const auto result = std::from_chars(text.data(), end, value, base);
    return !text.empty() && result.ec == std::errc() && result.ptr == end;
}

bool read_driver_option(const Driver& driver, std::string_view text, const Word& word,
                        RefclockDevice& device, Reporter& report) {
    const std::size_t equals = text.find('=');
    const std::string_view name = text.substr(0, equals);
    std::vector<std::string_view> names;
    for (const DriverOption& option : driver.options) {
        names.push_back(option.name);
        if (option.name != name) continue;
        int value = 0;
        if (!option.value.empty() && (equals == std::string_view::npos ||
                                      !read_number(text.substr(equals + 1), option.base, value))) {
            report.error(word, fmt::format("option '{}' of {} needs {} number", name, driver.name,
                                           option.base == 8 ? "an octal" : "a"));
            return false;
        }
        option.apply(device, value);
        return true;
    }
    report.error(word, fmt::format("unknown option '{}' of driver {}{}", name, driver.name,
                                   did_you_mean(name, names)));
    return false;
}

bool read_device(const Driver& driver, const Word& word, RefclockDevice& device, Reporter& report) {
    device.kind = driver.kind;
    std::string_view rest = word.text;
    const auto take = [&rest] {
        const std::size_t colon = rest.find(':');
        const std::string_view part = rest.substr(0, colon);
        rest = colon == std::string_view::npos ? std::string_view() : rest.substr(colon + 1);
        return part;
    };
    device.path = std::string(take());
    bool good = true;
    if (driver.kind == RefclockKind::Shm) {
        good = read_number(device.path, 10, device.unit) && device.unit >= 0;
        device.path.clear();
    } else {
        good = !device.path.empty();
    }
    if (!good) report.error(word, fmt::format("{} needs {}", driver.name, driver.parameter));
    while (!rest.empty()) {
        if (!read_driver_option(driver, take(), word, device, report)) good = false;
    }
    return good;
}

bool read_ref_id(const Word& value, RefId& ref_id, Reporter& report) {
    const bool printable = std::all_of(value.text.begin(), value.text.end(),
                                       [](char c) { return c > ' ' && c < 0x7f; });
    if (value.text.empty() || value.text.size() > kRefIdBytes || !printable) {
        report.error(
            value, fmt::format("'{}' is no reference ID: up to four ASCII characters", value.text));
        return false;
    }
    ref_id = RefId::from_text(std::string(value.text).c_str());
    return true;
}

bool read_samples(std::optional<int>& samples, const Word& value, Reporter& report) {
    int number = 0;
    if (!report.read_int(value, number, kCount)) return false;
    samples = number;
    return true;
}

bool set(bool& flag) {
    flag = true;
    return true;
}

using S = RefclockOptions;
using W = const Word&;
using R = Reporter&;

}  // namespace

const std::vector<Option<RefclockOptions>>& refclock_option_table() {
    // clang-format off
    static const std::vector<Option<RefclockOptions>> kTable{
        {"poll", "POLL", "REF-07", [](S& s, W v, R r) { return r.read_int(v, s.poll_log2_s, kPoll, kEffectivePoll); }},
        {"dpoll", "POLL", "REF-08", [](S& s, W v, R r) { return r.read_int(v, s.driver_poll_log2_s, kPoll, kEffectivePoll); }},
        {"refid", "ID", "REF-09", [](S& s, W v, R r) { return read_ref_id(v, s.ref_id, r); }},
        {"lock", "ID", "REF-10", [](S& s, W v, R r) { return read_ref_id(v, s.lock, r); }},
        {"rate", "HZ", "REF-11", [](S& s, W v, R r) { return r.read_int(v, s.rate_hz, kCount, {1, 1000000}); }},
        {"maxlockage", "PULSES", "REF-12", [](S& s, W v, R r) { return r.read_int(v, s.max_lock_age_pulses, kCount); }},
        {"width", "SECONDS", "REF-13", [](S& s, W v, R r) { return r.read_double(v, s.pulse_width_s, kAnyNumber); }},
        {"pps", "", "REF-14", [](S& s, W, R) { return set(s.pps); }},
        {"offset", "SECONDS", "REF-15", [](S& s, W v, R r) { return r.read_double(v, s.offset_s, {-1e9, 1e9}); }},
        {"delay", "SECONDS", "REF-16", [](S& s, W v, R r) { return r.read_double(v, s.delay_s, {0.0, 1e5}); }},
        {"stratum", "STRATUM", "REF-17", [](S& s, W v, R r) { return r.read_int(v, s.stratum, {0, 15}); }},
        {"precision", "SECONDS", "REF-18", [](S& s, W v, R r) { return r.read_double(v, s.precision_s, {0.0, 1e5}); }},
        {"maxdispersion", "SECONDS", "REF-19", [](S& s, W v, R r) { return r.read_double(v, s.max_dispersion_s, kAnyNumber); }},
        {"filter", "SAMPLES", "REF-20", [](S& s, W v, R r) { return r.read_int(v, s.filter_samples, kCount, {1, 256}); }},
        {"prefer", "", "REF-21", [](S& s, W, R) { return set(s.prefer); }},
        {"noselect", "", "REF-22", [](S& s, W, R) { return set(s.no_select); }},
        {"trust", "", "REF-23", [](S& s, W, R) { return set(s.trust); }},
        {"require", "", "REF-24", [](S& s, W, R) { return set(s.require); }},
        {"tai", "", "REF-25", [](S& s, W, R) { return set(s.tai); }},
        {"local", "", "REF-26", [](S& s, W, R) { return set(s.local); }},
        {"minsamples", "SAMPLES", "REF-27", [](S& s, W v, R r) { return read_samples(s.min_samples, v, r); }},
        {"maxsamples", "SAMPLES", "REF-28", [](S& s, W v, R r) { return read_samples(s.max_samples, v, r); }},
        {"maxunreach", "POLLS", "REF-29", [](S& s, W v, R r) { return r.read_int(v, s.max_unreach_polls, kCount); }},
    };
    // clang-format on
    return kTable;
}

std::vector<DriverOptionInfo> refclock_driver_options() {
    std::vector<DriverOptionInfo> infos;
    for (const Driver& driver : driver_table()) {
        for (const DriverOption& option : driver.options) {
            infos.push_back({driver.name, {option.name, option.value, option.id}});
        }
    }
    return infos;
}

std::optional<RefclockConfig> parse_refclock(Arguments& arguments) {
    Reporter& report = arguments.report();
    const Word* name = arguments.next();
    const Word* parameter = name == nullptr ? nullptr : arguments.next();
    if (parameter == nullptr) {
        report.error(arguments.directive(), "'refclock' needs a driver and its parameter");
        return std::nullopt;
    }
    std::vector<std::string_view> names;
    const Driver* found = nullptr;
    for (const Driver& driver : driver_table()) {
        names.push_back(driver.name);
        if (driver.name == name->text) found = &driver;
    }
    if (found == nullptr && name->text == to_string(RefclockKind::Rtc)) {
        report.error(*name, "refclock driver RTC is not supported yet (REF-06)");
        return std::nullopt;
    }
    if (found == nullptr) {
        report.error(*name, fmt::format("unknown refclock driver '{}'; expected {}", name->text,
                                        list_of(names)));
        return std::nullopt;
    }
    RefclockConfig refclock;
    const bool good = read_device(*found, *parameter, refclock.device, report);
    if (!parse_options(arguments, refclock_option_table(), refclock.options) || !good) {
        return std::nullopt;
    }
    RefclockOptions& options = refclock.options;
    options.driver_poll_log2_s = std::min(options.driver_poll_log2_s, options.poll_log2_s);
    return refclock;
}

const char* to_string(RefclockKind kind) noexcept {
    switch (kind) {
        case RefclockKind::Pps: return "PPS";
        case RefclockKind::Shm: return "SHM";
        case RefclockKind::Sock: return "SOCK";
        case RefclockKind::Phc: return "PHC";
        case RefclockKind::Rtc: return "RTC";
    }
    return "";
}

}  // namespace gnomon
