// Dump files of sources: any bytes are parsed or refused, and what is parsed is safe to restore.

#include <cstdint>
#include <string_view>

#include "mgmt/engine/sample_dump.h"

using namespace gnomon;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto dump = parse_dump(text);
    if (!dump) return 0;
    const UtcTime now = UtcTime::from_ns(1'800'000'000'000'000'000);
    SelectableSource source(1, SourceType::Ntp, HistoryConfig{});
    source.label.name = dump->name;
    source.stratum = dump->stratum;
    source.leap = dump->leap;
    if (!source.filter.restore(dump->samples, dump->asymmetry_run, now)) return 0;
    source.filter.selection_data(now);
    // What was accepted can be written and read again.
    const auto again = parse_dump(format_dump(source, now));
    if (!again || again->samples.size() > dump->samples.size()) __builtin_trap();
    return 0;
}
