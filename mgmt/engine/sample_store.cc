#include "mgmt/engine/sample_store.h"

#include <algorithm>

#include "mgmt/engine/sample_dump.h"

namespace gnomon {
namespace {

constexpr std::uint32_t kDumpFileMode = 0644;
constexpr std::string_view kSuffix = ".dat";

/// Others may keep files in the directory.
bool is_dump_name(const std::string& file) {
    if (file.size() <= kSuffix.size()) return false;
    const std::string stem = file.substr(0, file.size() - kSuffix.size());
    return stem.rfind("refid:", 0) == 0 || IpAddress::parse(stem).has_value();
}

}  // namespace

void SampleStore::save(const Now& now) {
    if (directory_.empty()) return;
    const UtcTime at = clock_.to_utc(now.system);
    for (const SelectableSource* source : selection_.sources()) {
        const std::string name = dump_file_name(*source);
        const std::string text = format_dump(*source, at);
        if (name.empty() || text.empty()) continue;
        const auto written = services_.storage.write(directory_ + "/" + name, text, kDumpFileMode);
        if (!written) services_.events.on_event(FileWriteFailed{written.error().message()});
    }
}

bool SampleStore::restore_source(SelectableSource& source, const std::string& text, UtcTime now) {
    const auto dump = parse_dump(text);
    if (!dump) return false;
    if (source.type == SourceType::Ntp && dump->name != source.label.name) return false;
    if (source.authenticated && !dump->authenticated) return false;
    if (!source.filter.restore(dump->samples, dump->asymmetry_run, now)) return false;
    source.reach.bits = dump->reach;
    source.reach.size = std::clamp(dump->reach_size, 0, Reach::kFull);
    source.stratum = dump->stratum;
    source.leap = dump->leap;
    return true;
}

void SampleStore::restore(const Now& now) {
    if (directory_.empty()) return;
    const UtcTime at = clock_.to_utc(now.system);
    for (SelectableSource* source : selection_.sources()) {
        const std::string name = dump_file_name(*source);
        if (name.empty()) continue;
        const auto text = services_.storage.read(directory_ + "/" + name);
        if (!text) continue;
        const bool ok = restore_source(*source, *text, at);
        if (ok) selection_.credit_update(source->id);
        services_.events.on_event(DumpFileLoaded{source->label, ok});
    }
    selection_.select(std::nullopt, now);
}

void SampleStore::remove_files() {
    if (directory_.empty()) return;
    for (const std::string& file : services_.files.list_dir(directory_, std::string(kSuffix))) {
        if (!is_dump_name(file)) continue;
        if (const auto removed = services_.storage.remove(directory_ + "/" + file); !removed) {
            services_.events.on_event(FileWriteFailed{removed.error().message()});
        }
    }
}

}  // namespace gnomon
