#include "servo/discipline/leap_table.h"

#include <cctype>
#include <charconv>

#include "servo/units/ntp_time.h"

namespace gnomon {
namespace {

constexpr std::int64_t kDayS = 86'400;
constexpr std::size_t kMaxLineLength = 1023;

std::int64_t floor_day(std::int64_t unix_s) {
    std::int64_t day = unix_s / kDayS;
    if (unix_s % kDayS < 0) --day;
    return day * kDayS;
}

template <typename Integer>
std::optional<Integer> take_integer(std::string_view& text) {
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front()))) {
        text.remove_prefix(1);
    }
    Integer value{};
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
    if (parsed.ec != std::errc()) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(parsed.ptr - text.data()));
    return value;
}

// Times in the list count from 1900; anything beyond a few thousand years is a damaged file.
std::optional<std::int64_t> take_list_time(std::string_view& text) {
    constexpr std::int64_t kMaxListS = 1'000'000'000'000;
    const auto since_1900_s = take_integer<std::int64_t>(text);
    if (!since_1900_s || *since_1900_s < 0 || *since_1900_s > kMaxListS) return std::nullopt;
    return *since_1900_s - NtpTimestamp::kUnixToNtpS;
}

bool is_blank(std::string_view line) {
    for (const char c : line) {
        if (!std::isspace(static_cast<unsigned char>(c))) return false;
    }
    return true;
}

bool is_tai_offset(int offset_s) { return offset_s > -1000 && offset_s < 1000; }

/// One of the two blocks of a TZif file (RFC 8536, section 3): a header with six counts, and arrays
/// whose sizes follow from them.
struct TzifBlock {
    static constexpr std::size_t kHeaderSize = 44;

    char version = 0;
    std::uint64_t isut_count = 0, isstd_count = 0, leap_count = 0;
    std::uint64_t time_count = 0, type_count = 0, char_count = 0;

    static std::optional<TzifBlock> parse_header(std::string_view bytes) {
        if (bytes.size() < kHeaderSize || bytes.substr(0, 4) != "TZif") return std::nullopt;
        TzifBlock block;
        block.version = bytes[4];
        const auto count = [&](std::size_t index) {
            return static_cast<std::uint64_t>(
                TzifBlock::big_endian(bytes.substr(20 + 4 * index, 4)));
        };
        block.isut_count = count(0);
        block.isstd_count = count(1);
        block.leap_count = count(2);
        block.time_count = count(3);
        block.type_count = count(4);
        block.char_count = count(5);
        return block;
    }

    std::uint64_t leaps_at(std::uint64_t time_size) const {
        return kHeaderSize + time_count * (time_size + 1) + type_count * 6 + char_count;
    }
    std::uint64_t size(std::uint64_t time_size) const {
        return leaps_at(time_size) + leap_count * (time_size + 4) + isstd_count + isut_count;
    }

    static std::uint64_t big_endian(std::string_view bytes) {
        std::uint64_t value = 0;
        for (const char c : bytes) value = (value << 8) | static_cast<unsigned char>(c);
        return value;
    }
    static std::int64_t big_endian_signed(std::string_view bytes) {
        const std::uint64_t value = big_endian(bytes);
        if (bytes.size() == 8) return static_cast<std::int64_t>(value);
        return static_cast<std::int32_t>(static_cast<std::uint32_t>(value));
    }
};

}  // namespace

const char* to_string(LeapTableError error) noexcept {
    switch (error) {
        case LeapTableError::BadEntry: return "malformed line";
        case LeapTableError::NoUpdateLine: return "no #$ line";
        case LeapTableError::NoExpiryLine: return "no #@ line";
        case LeapTableError::TooLong: return "too long";
        case LeapTableError::NotTzif: return "not a TZif file";
    }
    return "";
}

LeapTable::LeapTable(std::vector<Entry> entries, std::optional<std::int64_t> expires_unix_s)
    : entries_(std::move(entries)), expires_unix_s_(expires_unix_s) {}

Result<LeapTable, LeapTableError> LeapTable::parse_list(std::string_view text) {
    std::vector<Entry> entries;
    bool updated = false;
    std::optional<std::int64_t> expires;
    while (!text.empty()) {
        std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        if (line.size() > kMaxLineLength) return Unexpected(LeapTableError::TooLong);
        if (is_blank(line)) continue;

        if (line.front() == '#') {
            const char kind = line.size() > 1 ? line[1] : ' ';
            if (kind != '$' && kind != '@') continue;
            line.remove_prefix(2);
            const auto when = take_list_time(line);
            if (!when) return Unexpected(LeapTableError::BadEntry);
            if (kind == '$') {
                updated = true;
            } else {
                expires = *when;
            }
            continue;
        }

        const auto when = take_list_time(line);
        const auto offset_s = take_integer<int>(line);
        if (!when || !offset_s || !is_tai_offset(*offset_s)) {
            return Unexpected(LeapTableError::BadEntry);
        }
        if (entries.size() == kMaxEntries) return Unexpected(LeapTableError::TooLong);
        entries.push_back(Entry{*when, *offset_s});
    }
    if (!updated) return Unexpected(LeapTableError::NoUpdateLine);
    if (!expires) return Unexpected(LeapTableError::NoExpiryLine);
    return LeapTable(std::move(entries), expires);
}

Result<LeapTable, LeapTableError> LeapTable::parse_tzif(std::string_view bytes) {
    auto block = TzifBlock::parse_header(bytes);
    if (!block) return Unexpected(LeapTableError::NotTzif);
    std::uint64_t time_size = 4;
    if (block->version >= '2') {
        // The same again with times of 64 bits.
        if (block->size(4) > bytes.size()) return Unexpected(LeapTableError::NotTzif);
        bytes.remove_prefix(block->size(4));
        block = TzifBlock::parse_header(bytes);
        if (!block) return Unexpected(LeapTableError::NotTzif);
        time_size = 8;
    }
    if (block->size(time_size) > bytes.size()) return Unexpected(LeapTableError::NotTzif);
    if (block->leap_count > kMaxEntries) return Unexpected(LeapTableError::TooLong);

    std::vector<Entry> entries;
    std::optional<std::int64_t> expires;
    std::int64_t correction_s = 0;
    constexpr std::int64_t kMaxTimeS = 1'000'000'000'000;
    for (std::uint64_t i = 0; i < block->leap_count; ++i) {
        const std::size_t at = block->leaps_at(time_size) + i * (time_size + 4);
        const std::int64_t when = TzifBlock::big_endian_signed(bytes.substr(at, time_size));
        const std::int64_t total_s = TzifBlock::big_endian_signed(bytes.substr(at + time_size, 4));
        if (when < -kMaxTimeS || when > kMaxTimeS || total_s < -900 || total_s > 900) {
            return Unexpected(LeapTableError::BadEntry);
        }
        // These times count the leap seconds; without them the leap second itself falls on the midnight
        // that ends the day (an inserted one) or on the second before it (a deleted one).
        const std::int64_t midnight = floor_day(when - correction_s + kDayS / 2);
        if (total_s == correction_s && i + 1 == block->leap_count) {
            // Version 4: a last record without a change says until when the table is valid.
            expires = midnight;
            break;
        }
        correction_s = total_s;
        entries.push_back(Entry{midnight, static_cast<int>(kFirstTaiOffset + correction_s)});
    }
    return LeapTable(std::move(entries), expires);
}

LeapInfo LeapTable::lookup(std::int64_t unix_s) const noexcept {
    LeapInfo info;
    const std::int64_t end_of_day = floor_day(unix_s) + kDayS;
    int before = kFirstTaiOffset;
    for (const Entry& entry : entries_) {
        if (entry.from_unix_s == end_of_day) {
            if (entry.tai_offset_s > before) info.leap = Leap::InsertSecond;
            if (entry.tai_offset_s < before) info.leap = Leap::DeleteSecond;
            info.tai_offset_s = before;
        } else if (entry.from_unix_s < end_of_day) {
            info.tai_offset_s = entry.tai_offset_s;
        }
        before = entry.tai_offset_s;
    }
    info.expired = expires_unix_s_ && end_of_day >= *expires_unix_s_;
    return info;
}

bool LeapTable::is_plausible() const noexcept {
    constexpr std::int64_t kJune30Of2012 = 1'341'014'400;
    constexpr std::int64_t kDecember31Of2012 = 1'356'912'000;
    const LeapInfo june = lookup(kJune30Of2012);
    const LeapInfo december = lookup(kDecember31Of2012);
    return june.leap == Leap::InsertSecond && june.tai_offset_s == 34 &&
           december.leap == Leap::Normal && december.tai_offset_s == 35;
}

}  // namespace gnomon
