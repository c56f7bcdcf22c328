/// Arbitrary bytes as a leap-seconds.list and as a TZif file: no crash, bounded tables, and look-ups at
/// any time give one of three answers.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <string_view>

#include "servo/discipline/leap_table.h"

namespace {

using gnomon::Leap;
using gnomon::LeapTable;

void check(bool holds) {
    if (!holds) std::abort();
}

void exercise(const LeapTable& table) {
    check(table.entries().size() <= LeapTable::kMaxEntries);
    (void)table.is_plausible();
    for (const std::int64_t at : {std::int64_t{0}, std::int64_t{1'341'014'400},
                                  std::int64_t{-1'000'000'000'000}, std::int64_t{4'000'000'000}}) {
        check(table.lookup(at).leap != Leap::Unsynchronised);
    }
    int entries = 0;
    for (const LeapTable::Entry& entry : table.entries()) {
        check(table.lookup(entry.from_unix_s - 1).leap != Leap::Unsynchronised);
        if (++entries == 20) break;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    if (const auto table = LeapTable::parse_list(bytes)) exercise(*table);
    if (const auto table = LeapTable::parse_tzif(bytes)) exercise(*table);
    return 0;
}
