#pragma once

/// `History`: what was, in one SQLite file of bounded size: samples of the last hours by the
/// second, of the last days by the minute, of the last years by the hour; and events.
///
/// Times are gnomond's UTC. When that is stepped, a new run of blocks begins and nothing that was
/// written is touched; where runs overlap, the later one counts. Blocks go to disk every kFlush, in
/// one transaction, with write-ahead logging: a power cut costs those seconds and nothing else. A
/// database that cannot be read is renamed (*.corrupt-N) and a new one begun. A full disk stops the
/// writing, not the daemon: what is not written stays in memory for a while, and is dropped oldest
/// first.

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mgmt/mgmtd/history_block.h"
#include "mgmt/mgmtd/model.h"

namespace gnomon::mgmtd {

struct HistoryQuery {
    std::vector<std::string> metrics;  ///< empty: those without a source
    std::vector<std::string> sources;  ///< empty: all
    std::int64_t from_s = 0;
    std::int64_t to_s = 0;
    int points = 600;
};

struct HistorySeries {
    std::string metric;
    std::string source;  ///< empty: of the clock
    /// One value per step, NaN where nothing is known.
    std::vector<double> mean;
    std::vector<double> min;
    std::vector<double> max;
};

struct HistoryResult {
    std::int64_t from_s = 0;
    std::int64_t step_s = 1;
    std::size_t count = 0;
    std::vector<HistorySeries> series;
};

bool is_history_metric(std::string_view name);
/// "bound, offset, …"
std::string history_metric_list();

class History {
public:
    static constexpr std::chrono::seconds kFlush{10};
    static constexpr std::size_t kMaxSeries = 2048;

    /// `max_bytes`: of the file. Nothing happens before `open`.
    History(std::string path, std::uint64_t max_bytes);
    ~History();
    History(const History&) = delete;
    History& operator=(const History&) = delete;

    /// False when there can be no history; why has been said.
    bool open();
    bool is_open() const noexcept;

    void add(const telemetry::Snapshot& snapshot);
    void add_event(const StoredEvent& event);
    /// When it is due, or must be: writes, trims.
    void flush(MonoClock::time_point now, bool must = false);

    HistoryResult query(const HistoryQuery& query) const;
    /// Ascending; the last `limit` of those that match.
    std::vector<StoredEvent> events(std::uint64_t after, std::optional<double> from_s,
                                    std::optional<double> to_s, std::size_t limit) const;
    /// The newest event, for a model that goes on.
    std::optional<StoredEvent> last_event() const;

    /// Of the newest sample, s.
    double now_s() const noexcept;
    std::uint64_t bytes() const;
    std::uint64_t errors() const noexcept;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace gnomon::mgmtd
