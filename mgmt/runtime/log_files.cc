#include "mgmt/runtime/log_files.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <fmt/format.h>

#include "mgmt/runtime/log.h"

namespace gnomon {

namespace {

struct Description {
    const char* name;
    const char* columns;
};

// Indexed by LogFiles::Kind. The headings are what log analysers know the files by.
constexpr Description kDescriptions[] = {
    {"measurements",
     "   Date (UTC) Time     IP Address   L St 123 567 ABCD  LP RP Score    Offset  Peer del. Peer "
     "disp.  Root del. Root disp. Refid     MTxRx"},
    {"statistics",
     "   Date (UTC) Time     IP Address    Std dev'n Est offset  Offset sd  Diff freq   Est skew  "
     "Stress  Ns  Bs  Nr  Asym"},
    {"selection",
     "   Date (UTC) Time     IP Address   S EOpts Reach Score Last sample  Low end   High end"},
    {"tracking",
     "   Date (UTC) Time     IP Address   St   Freq ppm   Skew ppm     Offset L Co  Offset sd Rem. "
     "corr. Root delay Root disp. Max. error"},
    {"refclocks",
     "   Date (UTC) Time         Refid  DP L P  Raw offset   Cooked offset      Disp."},
    {"rtc", "   Date (UTC) Time   RTC fast (s) Val   Est fast (s)   Slope (ppm)  Ns  Nr Meas"},
    {"tempcomp", "   Date (UTC) Time        Temp.       Comp."},
};

char leap_character(Leap leap) {
    switch (leap) {
        case Leap::Normal: return 'N';
        case Leap::InsertSecond: return '+';
        case Leap::DeleteSecond: return '-';
        case Leap::Unsynchronised: return '?';
    }
    return '?';
}

// A row that does not fit on the disk is lost; the clock goes on.
void write_line(int fd, std::string_view line) {
    while (!line.empty()) {
        const ssize_t written = ::write(fd, line.data(), line.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return;
        line.remove_prefix(static_cast<std::size_t>(written));
    }
}

}  // namespace

std::string log_time(UtcTime at) {
    const time_t seconds = at.to_timespec().tv_sec;
    tm parts{};
    char text[32] = "";
    if (gmtime_r(&seconds, &parts) == nullptr) return "INVALID    INVALID ";
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts);
    return text;
}

std::string measurement_row(const MeasurementRecord& record) {
    std::string tests;
    for (int bit = 9; bit >= 0; --bit) {
        tests += (record.tests >> bit & 1) != 0 ? '1' : '0';
        // "123 567 ABCD"
        if (bit == 7 || bit == 4) tests += ' ';
    }
    return fmt::format(
        "{} {:<15} {} {:2} {}  {:2} {:2} {:4.2f} {:10.3e} {:10.3e} {:10.3e} {:10.3e} {:10.3e} "
        "{:08X} {}{} {} {}",
        log_time(record.at), record.address.to_string(), leap_character(record.leap),
        record.stratum, tests, record.local_poll, record.remote_poll, record.poll_score,
        record.offset_s, record.peer_delay_s, record.peer_dispersion_s, record.root_delay_s,
        record.root_dispersion_s, record.ref_id, record.mode, record.interleaved ? 'I' : 'B',
        to_char(record.tx_source), to_char(record.rx_source));
}

// chrony's files count an offset positive when the local clock is fast; ours is the other way.
std::string statistics_row(const StatisticsRecord& record) {
    return fmt::format(
        "{} {:<15} {:10.3e} {:10.3e} {:10.3e} {:10.3e} {:10.3e} {:7.1e} {:3} {:3} {:3} {:5.2f}",
        log_time(record.at), record.source.to_string(), record.stddev_s, -record.offset_s,
        record.offset_sd_s, -record.frequency, record.skew, record.stress, record.samples,
        record.best_start, record.runs, record.asymmetry);
}

std::string tracking_row(const TrackingRecord& record) {
    const std::string source = record.source.to_string();
    return fmt::format(
        "{} {:<15} {:2} {:10.3f} {:10.3f} {:10.3e} {} {:2} {:10.3e} {:10.3e} {:10.3e} {:10.3e} "
        "{:10.3e}",
        log_time(record.at), source.empty() ? "0.0.0.0" : source, record.stratum,
        record.frequency_ppm, record.skew_ppm, -record.offset_s, leap_character(record.leap),
        record.combined, record.offset_sd_s, record.uncorrected_offset_s, record.root_delay_s,
        record.root_dispersion_s, record.max_error_s);
}

std::string selection_row(const SelectionRecord& record) {
    return fmt::format("{} {:<15} {} {}{}{}{}{} {:4o} {:5.2f} {:10.3e} {:10.3e} {:10.3e}",
                       log_time(record.at), record.source.to_string(), record.state, '-',
                       record.noselect ? 'N' : '-', record.prefer ? 'P' : '-',
                       record.trust ? 'T' : '-', record.require ? 'R' : '-', record.reach,
                       record.score, record.last_sample_ago_s, -record.high_s, -record.low_s);
}

std::string temperature_row(const TemperatureRecord& record) {
    return fmt::format("{} {:11.4e} {:11.4e}", log_time(record.at), record.temperature,
                       record.compensation_ppm);
}

std::string refclock_row(const RefclockRecord& record) {
    const std::string head =
        fmt::format("{}.{:06} {:<5}", log_time(record.at), record.at.to_timespec().tv_nsec / 1000,
                    record.source.to_string());
    const char leap = leap_character(record.leap);
    if (record.merged) {
        return fmt::format("{}   - {} -       -       {:13.6e} {:10.3e}", head, leap,
                           record.offset_s, record.dispersion_s);
    }
    return fmt::format("{} {:3} {} {} {:13.6e} {:13.6e} {:10.3e}", head, record.driver_poll, leap,
                       record.pulse ? 1 : 0, record.raw_offset_s, record.offset_s,
                       record.dispersion_s);
}

LogFiles::LogFiles(const LogConfig& config)
    : directory_(config.directory),
      banner_entries_(config.banner_entries),
      raw_measurements_(config.raw_measurements) {
    const auto enable = [this](Kind kind, bool on) {
        files_[static_cast<std::size_t>(kind)].enabled = on;
    };
    enable(Kind::Measurements, config.measurements || config.raw_measurements);
    enable(Kind::Statistics, config.statistics);
    enable(Kind::Selection, config.selection);
    enable(Kind::Tracking, config.tracking);
    enable(Kind::Refclocks, config.refclocks);
    enable(Kind::Rtc, config.rtc);
    enable(Kind::Tempcomp, config.tempcomp);
}

LogFiles::~LogFiles() { cycle(); }

void LogFiles::cycle() {
    for (File& file : files_) {
        if (file.fd >= 0) close(file.fd);
        file.fd = -1;
        file.rows = 0;
    }
}

void LogFiles::write(const Event& event) {
    if (const auto* measurement = std::get_if<MeasurementRecord>(&event)) {
        if (enabled(Kind::Measurements) && (measurement->valid || raw_measurements_)) {
            append(Kind::Measurements, measurement_row(*measurement));
        }
    } else if (const auto* statistics = std::get_if<StatisticsRecord>(&event)) {
        if (enabled(Kind::Statistics)) append(Kind::Statistics, statistics_row(*statistics));
    } else if (const auto* tracking = std::get_if<TrackingRecord>(&event)) {
        if (enabled(Kind::Tracking)) append(Kind::Tracking, tracking_row(*tracking));
    } else if (const auto* selection = std::get_if<SelectionRecord>(&event)) {
        if (enabled(Kind::Selection)) append(Kind::Selection, selection_row(*selection));
    } else if (const auto* refclock = std::get_if<RefclockRecord>(&event)) {
        if (enabled(Kind::Refclocks)) append(Kind::Refclocks, refclock_row(*refclock));
    } else if (const auto* temperature = std::get_if<TemperatureRecord>(&event)) {
        if (enabled(Kind::Tempcomp)) append(Kind::Tempcomp, temperature_row(*temperature));
    }
}

bool LogFiles::open_file(Kind kind, File& file) {
    if (directory_.empty()) {
        log_warning("logdir not specified");
        file.enabled = false;
        return false;
    }
    const std::string path =
        directory_ + "/" + kDescriptions[static_cast<std::size_t>(kind)].name + ".log";
    file.fd = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (file.fd < 0) {
        log_warning("{}", SysError::last("Could not open " + path).message());
        file.enabled = false;
        return false;
    }
    return true;
}

void LogFiles::append(Kind kind, std::string_view row) {
    File& file = files_[static_cast<std::size_t>(kind)];
    if (!file.enabled) return;
    if (file.fd < 0 && !open_file(kind, file)) return;

    std::string text;
    if (banner_entries_ > 0 && file.rows % static_cast<std::uint64_t>(banner_entries_) == 0) {
        const std::string_view columns = kDescriptions[static_cast<std::size_t>(kind)].columns;
        const std::string rule(columns.size(), '=');
        text = fmt::format("{}\n{}\n{}\n", rule, columns, rule);
    }
    ++file.rows;
    text += row;
    text += '\n';
    write_line(file.fd, text);
}

}  // namespace gnomon
