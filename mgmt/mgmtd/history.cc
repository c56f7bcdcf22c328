#include "mgmt/mgmtd/history.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <deque>

#include <fmt/format.h>

#include "mgmt/mgmtd/database.h"
#include "mgmt/mgmtd/history_metrics.h"
#include "mgmt/mgmtd/log.h"

namespace gnomon::mgmtd {
namespace {

constexpr int kSchemaVersion = 1;
constexpr std::int64_t kPageSize = 4096;
constexpr int kAsideNames = 9;
constexpr std::size_t kMaxUnwritten = 4096;
constexpr std::int64_t kKeptEvents = 100'000;
/// How often a block that is still being filled is written, by tier.
constexpr std::chrono::seconds kRewrite[kTierCount] = {
    std::chrono::seconds(10), std::chrono::seconds(60), std::chrono::seconds(600)};
constexpr std::chrono::seconds kTrim{60};
/// After a step of the clock nothing is thrown away for so long: it may be stepped back.
constexpr std::chrono::seconds kNoTrimAfterStep{3600};
constexpr double kStepS = 5.0;
constexpr std::int64_t kMaxBlocksPerQuery = 200'000;

constexpr const char* kSchema =
    "CREATE TABLE IF NOT EXISTS series(id INTEGER PRIMARY KEY, metric TEXT NOT NULL,"
    " source TEXT NOT NULL, UNIQUE(metric, source));"
    "CREATE TABLE IF NOT EXISTS block(id INTEGER PRIMARY KEY AUTOINCREMENT, tier INTEGER NOT NULL,"
    " series INTEGER NOT NULL, start INTEGER NOT NULL, data BLOB NOT NULL);"
    "CREATE INDEX IF NOT EXISTS block_time ON block(tier, start, series);"
    "CREATE TABLE IF NOT EXISTS event(id INTEGER PRIMARY KEY, instance INTEGER, number INTEGER,"
    " at_ns INTEGER, severity INTEGER, kind TEXT, source TEXT, text TEXT, value REAL);"
    "CREATE INDEX IF NOT EXISTS event_time ON event(at_ns);";

double seconds_of(UtcTime t) { return static_cast<double>(t.ns()) * 1e-9; }

}  // namespace

struct History::Impl {
    /// The block of a tier that is being filled.
    struct Current {
        Block block;
        std::int64_t row = 0;  ///< 0: not written yet
        bool is_dirty = false;
        MonoClock::time_point written{};
    };
    struct Series {
        std::int64_t id = 0;
        std::optional<Current> tiers[kTierCount];
        bool looked_up[kTierCount] = {};
    };
    struct Closed {
        std::int64_t series;
        Current current;
    };

    std::string path;
    std::uint64_t max_bytes = 0;
    DatabaseHandle database;
    Statement insert_block, update_block, find_block, range_blocks, insert_series;
    Statement insert_event, begin, commit, rollback;
    std::map<std::pair<std::string, std::string>, Series> series;
    std::deque<Closed> closed;
    std::deque<StoredEvent> new_events;
    RateMeter rates;
    std::optional<telemetry::Snapshot> unused;
    double last_at_s = 0.0;
    MonoTime last_mono;
    MonoClock::time_point next_flush{};
    MonoClock::time_point next_trim{};
    std::uint64_t errors = 0;
    bool is_failing = false;

    bool execute(const char* sql) {
        return sqlite3_exec(database.get(), sql, nullptr, nullptr, nullptr) == SQLITE_OK;
    }
    std::int64_t pragma(const char* sql) {
        Statement statement(database.get(), sql);
        if (!statement || !statement.step()) return -1;
        const std::int64_t value = statement.integer(0);
        statement.reset();
        return value;
    }

    bool connect();
    bool is_sound();
    void prepare();
    void set_aside();
    Series* find_series(std::string_view metric, const std::string& source);
    void add(Series& s, std::size_t tier, std::int64_t at_s, double value);
    void close_all();
    bool write(std::int64_t series_id, Current& current, MonoClock::time_point now);
    bool write_all(MonoClock::time_point now, bool must);
    void trim();
    void failed();
};

bool History::Impl::connect() {
    sqlite3* opened = nullptr;
    const int result =
        sqlite3_open_v2(path.c_str(), &opened,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
    database.reset(opened);
    if (result != SQLITE_OK) return false;
    sqlite3_busy_timeout(opened, 200);
    execute("PRAGMA page_size = 4096");
    execute("PRAGMA auto_vacuum = INCREMENTAL");
    if (!execute("PRAGMA journal_mode = WAL")) return false;
    execute("PRAGMA synchronous = NORMAL");
    execute("PRAGMA cache_size = -2000");
    execute("PRAGMA journal_size_limit = 4194304");
    execute(
        fmt::format("PRAGMA max_page_count = {}", static_cast<std::int64_t>(max_bytes) / kPageSize)
            .c_str());
    return true;
}

bool History::Impl::is_sound() {
    Statement check(database.get(), "PRAGMA quick_check(1)");
    if (!check || !check.step() || check.text(0) != "ok") return false;
    check.reset();
    const std::int64_t version = pragma("PRAGMA user_version");
    if (version != 0 && version != kSchemaVersion) return false;
    return execute(kSchema) &&
           execute(fmt::format("PRAGMA user_version = {}", kSchemaVersion).c_str());
}

void History::Impl::prepare() {
    sqlite3* db = database.get();
    insert_block = Statement(db, "INSERT INTO block(tier, series, start, data) VALUES(?,?,?,?)");
    update_block = Statement(db, "UPDATE block SET data = ? WHERE id = ?");
    find_block = Statement(db,
                           "SELECT id, data FROM block WHERE tier = ? AND start = ? AND series = ?"
                           " ORDER BY id DESC LIMIT 1");
    range_blocks = Statement(
        db,
        "SELECT start, data FROM block WHERE tier = ? AND start BETWEEN ? AND ? AND series = ?"
        " ORDER BY id LIMIT ?");
    insert_series = Statement(db, "INSERT INTO series(metric, source) VALUES(?,?)");
    insert_event = Statement(db,
                             "INSERT OR IGNORE INTO event(id, instance, number, at_ns, severity,"
                             " kind, source, text, value) VALUES(?,?,?,?,?,?,?,?,?)");
    begin = Statement(db, "BEGIN");
    commit = Statement(db, "COMMIT");
    rollback = Statement(db, "ROLLBACK");
}

void History::Impl::set_aside() {
    for (Statement* statement : {&insert_block, &update_block, &find_block, &range_blocks,
                                 &insert_series, &insert_event, &begin, &commit, &rollback}) {
        *statement = Statement();
    }
    database.reset();
    std::string aside;
    for (int i = 1; i <= kAsideNames; ++i) {
        aside = fmt::format("{}.corrupt-{}", path, i);
        if (access(aside.c_str(), F_OK) != 0) break;
    }
    rename(path.c_str(), aside.c_str());
    unlink((path + "-wal").c_str());
    unlink((path + "-shm").c_str());
    log_line("The history {} cannot be read. It is now {}, and a new one begins", path, aside);
}

History::Impl::Series* History::Impl::find_series(std::string_view metric,
                                                  const std::string& source) {
    const auto key = std::pair(std::string(metric), source);
    const auto found = series.find(key);
    if (found != series.end()) return &found->second;
    if (series.size() >= kMaxSeries) return nullptr;
    Series made;
    Statement find(database.get(), "SELECT id FROM series WHERE metric = ? AND source = ?");
    find.bind(1, metric).bind(2, source);
    if (find.step()) {
        made.id = find.integer(0);
        find.reset();
    } else {
        if (!insert_series.bind(1, metric).bind(2, source).run()) {
            failed();
            return nullptr;
        }
        made.id = sqlite3_last_insert_rowid(database.get());
    }
    return &series.emplace(key, std::move(made)).first->second;
}

void History::Impl::add(Series& s, std::size_t tier, std::int64_t at_s, double value) {
    std::optional<Current>& current = s.tiers[tier];
    if (current && (at_s < current->block.start_s() || at_s >= current->block.end_s())) {
        if (current->is_dirty) closed.push_back({s.id, std::move(*current)});
        current.reset();
    }
    if (!current) {
        const std::int64_t start = Block::start_of(tier, at_s);
        current.emplace(Current{Block(tier, start), 0, false, {}});
        // What an earlier process began is gone on with.
        if (!s.looked_up[tier]) {
            s.looked_up[tier] = true;
            find_block.bind(1, static_cast<std::int64_t>(tier)).bind(2, start).bind(3, s.id);
            if (find_block.step()) {
                if (auto block = Block::from_bytes(tier, start, find_block.bytes(1))) {
                    current->row = find_block.integer(0);
                    current->block = std::move(*block);
                }
                find_block.reset();
            }
        }
    }
    current->block.add(at_s, value);
    current->is_dirty = true;
}

void History::Impl::close_all() {
    for (auto& [key, s] : series) {
        for (std::optional<Current>& current : s.tiers) {
            if (current && current->is_dirty) closed.push_back({s.id, std::move(*current)});
            current.reset();
        }
        for (bool& looked_up : s.looked_up) looked_up = true;
    }
}

bool History::Impl::write(std::int64_t series_id, Current& current, MonoClock::time_point now) {
    const std::string bytes = current.block.to_bytes();
    if (current.row == 0) {
        insert_block.bind(1, static_cast<std::int64_t>(current.block.tier()))
            .bind(2, series_id)
            .bind(3, current.block.start_s())
            .bind_bytes(4, bytes);
        if (!insert_block.run()) return false;
        current.row = sqlite3_last_insert_rowid(database.get());
    } else {
        if (!update_block.bind_bytes(1, bytes).bind(2, current.row).run()) return false;
        // A transaction that failed took its rows with it.
        if (sqlite3_changes(database.get()) == 0) {
            current.row = 0;
            return write(series_id, current, now);
        }
    }
    current.is_dirty = false;
    current.written = now;
    return true;
}

bool History::Impl::write_all(MonoClock::time_point now, bool must) {
    for (Closed& block : closed) {
        if (!write(block.series, block.current, now)) return false;
    }
    for (auto& [key, s] : series) {
        for (std::size_t tier = 0; tier < kTierCount; ++tier) {
            std::optional<Current>& current = s.tiers[tier];
            if (!current || !current->is_dirty) continue;
            if (!must && now - current->written < kRewrite[tier]) continue;
            if (!write(s.id, *current, now)) return false;
        }
    }
    for (const StoredEvent& e : new_events) {
        insert_event.bind(1, static_cast<std::int64_t>(e.id))
            .bind(2, static_cast<std::int64_t>(e.instance))
            .bind(3, static_cast<std::int64_t>(e.event.number))
            .bind(4, e.event.at.ns())
            .bind(5, std::int64_t{e.event.severity})
            .bind(6, e.event.kind)
            .bind(7, e.event.source)
            .bind(8, e.event.text)
            .bind(9, e.event.value);
        if (!insert_event.run()) return false;
    }
    return true;
}

void History::Impl::failed() {
    ++errors;
    if (is_failing) return;
    is_failing = true;
    log_line("The history cannot be written : {}", sqlite3_errmsg(database.get()));
}

void History::Impl::trim() {
    const auto now_s = static_cast<std::int64_t>(last_at_s);
    Statement old(database.get(), "DELETE FROM block WHERE tier = ? AND start < ?");
    for (std::size_t tier = 0; tier < kTierCount; ++tier) {
        old.bind(1, static_cast<std::int64_t>(tier)).bind(2, now_s - kTiers[tier].keep_s).run();
    }
    Statement events(database.get(),
                     "DELETE FROM event WHERE id <= (SELECT max(id) FROM event) - ?");
    events.bind(1, kKeptEvents).run();
    // Some room is left, so that writing does not meet the limit.
    const auto wanted = static_cast<std::int64_t>(max_bytes) / kPageSize * 3 / 4;
    Statement oldest(database.get(),
                     "DELETE FROM block WHERE id IN (SELECT id FROM block WHERE tier = ?"
                     " ORDER BY start LIMIT 5000)");
    for (std::size_t tier = 0; tier < kTierCount; ++tier) {
        for (int i = 0; i < 20; ++i) {
            const std::int64_t used = pragma("PRAGMA page_count") - pragma("PRAGMA freelist_count");
            if (used <= wanted) break;
            if (!oldest.bind(1, static_cast<std::int64_t>(tier)).run()) break;
            if (sqlite3_changes(database.get()) == 0) break;
        }
    }
    execute("PRAGMA incremental_vacuum(1000)");
}

History::History(std::string path, std::uint64_t max_bytes) : impl_(std::make_unique<Impl>()) {
    impl_->path = std::move(path);
    impl_->max_bytes = max_bytes;
    sqlite3_soft_heap_limit64(8 << 20);
}

History::~History() {
    if (is_open()) flush(MonoClock::now(), true);
}

bool History::is_open() const noexcept { return impl_->database != nullptr; }
std::uint64_t History::errors() const noexcept { return impl_->errors; }
double History::now_s() const noexcept { return impl_->last_at_s; }

bool History::open() {
    if (!impl_->connect()) {
        // Not a database at all, or no right to make one.
        const int code = impl_->database ? sqlite3_errcode(impl_->database.get()) : SQLITE_NOMEM;
        if (code != SQLITE_NOTADB && code != SQLITE_CORRUPT) {
            log_line("No history : cannot open {} : {}", impl_->path,
                     impl_->database ? sqlite3_errmsg(impl_->database.get()) : "out of memory");
            impl_->database.reset();
            return false;
        }
        impl_->set_aside();
        if (!impl_->connect()) return false;
    }
    if (!impl_->is_sound()) {
        impl_->set_aside();
        if (!impl_->connect() || !impl_->is_sound()) {
            log_line("No history : cannot make {}", impl_->path);
            impl_->database.reset();
            return false;
        }
    }
    impl_->prepare();
    if (const auto last = last_event()) impl_->last_at_s = seconds_of(last->event.at);
    return true;
}

void History::add(const telemetry::Snapshot& snapshot) {
    if (!is_open()) return;
    const double at_s = seconds_of(snapshot.at);
    const double elapsed_s = (snapshot.mono - impl_->last_mono).to_seconds();
    const double jump_s = at_s - impl_->last_at_s - elapsed_s;
    // A new run of gnomond may be on another boot: its monotonic clock says nothing then.
    if (!impl_->last_mono.is_zero() && (std::fabs(jump_s) > kStepS || at_s < impl_->last_at_s)) {
        impl_->close_all();
        impl_->next_trim = MonoClock::now() + kNoTrimAfterStep;
    }
    impl_->last_at_s = at_s;
    impl_->last_mono = snapshot.mono;
    const auto second = static_cast<std::int64_t>(std::floor(at_s));
    for_each_sample(snapshot, impl_->rates.update(snapshot),
                    [&](std::string_view metric, const std::string& source, double value) {
                        if (!std::isfinite(value)) return;
                        Impl::Series* series = impl_->find_series(metric, source);
                        if (series == nullptr) return;
                        for (std::size_t tier = 0; tier < kTierCount; ++tier) {
                            impl_->add(*series, tier, second, value);
                        }
                    });
}

void History::add_event(const StoredEvent& event) {
    if (!is_open()) return;
    impl_->new_events.push_back(event);
    if (impl_->new_events.size() > kMaxUnwritten) impl_->new_events.pop_front();
}

void History::flush(MonoClock::time_point now, bool must) {
    if (!is_open() || (!must && now < impl_->next_flush)) return;
    impl_->next_flush = now + kFlush;
    const bool written = impl_->begin.run() && impl_->write_all(now, must) && impl_->commit.run();
    if (written) {
        impl_->closed.clear();
        impl_->new_events.clear();
        if (impl_->is_failing) log_line("The history is written again");
        impl_->is_failing = false;
    } else {
        const int code = sqlite3_errcode(impl_->database.get());
        impl_->failed();
        impl_->rollback.run();
        // Rows that the transaction made are not there.
        for (auto& [key, s] : impl_->series) {
            for (auto& current : s.tiers) {
                if (current && current->is_dirty) continue;
                if (current) current->is_dirty = true;
            }
        }
        while (impl_->closed.size() > kMaxUnwritten) impl_->closed.pop_front();
        if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB) {
            impl_->set_aside();
            impl_->series.clear();
            impl_->closed.clear();
            open();
            return;
        }
    }
    if (now >= impl_->next_trim) {
        impl_->next_trim = now + kTrim;
        impl_->trim();
    }
}

HistoryResult History::query(const HistoryQuery& query) const {
    HistoryResult result;
    Impl& impl = *impl_;
    const std::int64_t span = std::max<std::int64_t>(query.to_s - query.from_s, 1);
    const std::int64_t wanted = std::max<std::int64_t>((span + query.points - 1) / query.points, 1);
    const auto now_s = static_cast<std::int64_t>(impl.last_at_s);
    const std::size_t tier = best_tier(wanted, now_s - query.from_s);
    const std::int64_t unit = kTiers[tier].step_s;
    result.step_s = (wanted + unit - 1) / unit * unit;
    result.from_s = query.from_s - ((query.from_s % result.step_s) + result.step_s) % result.step_s;
    result.count =
        static_cast<std::size_t>((query.to_s - result.from_s + result.step_s - 1) / result.step_s);
    const std::int64_t length = unit * kTiers[tier].points;

    Statement all(impl.database.get(), "SELECT id, metric, source FROM series ORDER BY id");
    const auto wants = [](const std::vector<std::string>& list, const std::string& name) {
        return std::find(list.begin(), list.end(), name) != list.end();
    };
    while (all.step()) {
        HistorySeries series;
        series.metric = all.text(1);
        series.source = all.text(2);
        if (query.metrics.empty() ? !series.source.empty() : !wants(query.metrics, series.metric)) {
            continue;
        }
        if (!series.source.empty() && !query.sources.empty() &&
            !wants(query.sources, series.source)) {
            continue;
        }
        Resampler resampler(result.from_s, result.step_s, result.count);
        impl.range_blocks.bind(1, static_cast<std::int64_t>(tier))
            .bind(2, result.from_s - length)
            .bind(3, query.to_s)
            .bind(4, all.integer(0))
            .bind(5, kMaxBlocksPerQuery);
        while (impl.range_blocks.step()) {
            const auto block =
                Block::from_bytes(tier, impl.range_blocks.integer(0), impl.range_blocks.bytes(1));
            if (block) resampler.add(*block);
        }
        for (const Impl::Closed& closed : impl.closed) {
            if (closed.series == all.integer(0) && closed.current.block.tier() == tier) {
                resampler.add(closed.current.block);
            }
        }
        const auto live = impl.series.find({series.metric, series.source});
        if (live != impl.series.end() && live->second.tiers[tier]) {
            resampler.add(live->second.tiers[tier]->block);
        }
        resampler.take(series.mean, series.min, series.max);
        const bool known = std::any_of(series.mean.begin(), series.mean.end(),
                                       [](double v) { return !std::isnan(v); });
        if (known) result.series.push_back(std::move(series));
    }
    return result;
}

namespace {

StoredEvent read_event(const Statement& row) {
    StoredEvent e;
    e.id = static_cast<std::uint64_t>(row.integer(0));
    e.instance = static_cast<std::uint64_t>(row.integer(1));
    e.event.number = static_cast<std::uint64_t>(row.integer(2));
    e.event.at = UtcTime::from_ns(row.integer(3));
    e.event.severity = static_cast<std::int8_t>(row.integer(4));
    e.event.kind = row.text(5);
    e.event.source = row.text(6);
    e.event.text = row.text(7);
    e.event.value = row.real(8);
    return e;
}

}  // namespace

std::vector<StoredEvent> History::events(std::uint64_t after, std::optional<double> from_s,
                                         std::optional<double> to_s, std::size_t limit) const {
    const auto to_ns = [](double s) {
        return static_cast<std::int64_t>(std::clamp(s, -9e9, 9e9) * 1e9);
    };
    const std::int64_t from_ns = to_ns(from_s.value_or(-9e9));
    const std::int64_t end_ns = to_ns(to_s.value_or(9e9));
    std::vector<StoredEvent> list;
    Statement rows(impl_->database.get(),
                   "SELECT id, instance, number, at_ns, severity, kind, source, text, value"
                   " FROM event WHERE id > ? AND at_ns BETWEEN ? AND ? ORDER BY id DESC LIMIT ?");
    rows.bind(1, static_cast<std::int64_t>(after))
        .bind(2, from_ns)
        .bind(3, end_ns)
        .bind(4, static_cast<std::int64_t>(limit));
    while (rows.step()) list.push_back(read_event(rows));
    std::reverse(list.begin(), list.end());
    for (const StoredEvent& e : impl_->new_events) {
        const std::int64_t at = e.event.at.ns();
        if (e.id > after && at >= from_ns && at <= end_ns) list.push_back(e);
    }
    if (list.size() > limit) {
        list.erase(list.begin(), list.end() - static_cast<std::ptrdiff_t>(limit));
    }
    return list;
}

std::optional<StoredEvent> History::last_event() const {
    Statement rows(impl_->database.get(),
                   "SELECT id, instance, number, at_ns, severity, kind, source, text, value"
                   " FROM event ORDER BY id DESC LIMIT 1");
    if (!rows || !rows.step()) return std::nullopt;
    return read_event(rows);
}

std::uint64_t History::bytes() const {
    if (!is_open()) return 0;
    const std::int64_t pages = impl_->pragma("PRAGMA page_count");
    return pages > 0 ? static_cast<std::uint64_t>(pages * kPageSize) : 0;
}

}  // namespace gnomon::mgmtd
