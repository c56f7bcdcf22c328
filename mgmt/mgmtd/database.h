#pragma once

/// SQLite, as far as the history needs it: statements that are prepared once and values by position.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <sqlite3.h>

namespace gnomon::mgmtd {

class Statement {
public:
    Statement() = default;
    Statement(sqlite3* database, const char* sql);

    explicit operator bool() const noexcept { return statement_ != nullptr; }

    Statement& bind(int position, std::int64_t value);
    Statement& bind(int position, double value);
    /// The bytes are copied.
    Statement& bind(int position, std::string_view text);
    Statement& bind_bytes(int position, std::string_view bytes);

    /// True when there is a row. At the end, and after an error, the statement is ready for the
    /// next use.
    bool step();
    /// SQLITE_OK, or what the last `step` failed with.
    int error() const noexcept { return error_; }
    /// For statements without rows: binds are used up, true when it worked.
    bool run();
    void reset();

    std::int64_t integer(int column) const;
    double real(int column) const;
    std::string text(int column) const;
    std::span<const std::uint8_t> bytes(int column) const;

private:
    struct Finalize {
        void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
    };
    std::unique_ptr<sqlite3_stmt, Finalize> statement_;
    int error_ = 0;
};

struct CloseDatabase {
    void operator()(sqlite3* database) const noexcept { sqlite3_close_v2(database); }
};
using DatabaseHandle = std::unique_ptr<sqlite3, CloseDatabase>;

}  // namespace gnomon::mgmtd
