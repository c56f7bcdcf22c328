#pragma once

/// The log files with columns (LGF): measurements, statistics, selection, tracking and the rest.
///
/// A file is opened when its first row comes, so a log that nothing is written to never appears. A
/// banner with the column names comes before the first row and then every `banner_entries` rows.
/// All times are UTC on the NTP clock, in whole seconds unless a column says otherwise.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "mgmt/config/config.h"
#include "mgmt/engine/events.h"
#include "servo/units/time_point.h"

namespace gnomon {

class LogFiles {
public:
    explicit LogFiles(const LogConfig& config);
    ~LogFiles();
    LogFiles(const LogFiles&) = delete;
    LogFiles& operator=(const LogFiles&) = delete;

    /// Writes the row of an event that is one and whose log is configured; ignores all others.
    void write(const Event& event);

    /// Rows of other drivers. `row` is the whole line.
    void write_rtc(std::string_view row) { append(Kind::Rtc, row); }

    /// Closes all files; the next rows open new ones (`cyclelogs`).
    void cycle();

private:
    enum class Kind : std::uint8_t {
        Measurements,
        Statistics,
        Selection,
        Tracking,
        Refclocks,
        Rtc,
        Tempcomp,
    };
    static constexpr std::size_t kKinds = 7;
    struct File {
        bool enabled = false;
        int fd = -1;
        std::uint64_t rows = 0;
    };

    bool enabled(Kind kind) const { return files_[static_cast<std::size_t>(kind)].enabled; }
    void append(Kind kind, std::string_view row);
    /// False when the log had to be given up.
    bool open_file(Kind kind, File& file);

    std::string directory_;
    int banner_entries_;
    bool raw_measurements_;
    std::array<File, kKinds> files_;
};

/// "2010-01-01 00:04:19"
std::string log_time(UtcTime at);

std::string measurement_row(const MeasurementRecord& record);
std::string statistics_row(const StatisticsRecord& record);
std::string tracking_row(const TrackingRecord& record);
std::string selection_row(const SelectionRecord& record);
std::string refclock_row(const RefclockRecord& record);
std::string temperature_row(const TemperatureRecord& record);

}  // namespace gnomon
