#include "mgmt/engine/sample_dump.h"

#include <cmath>
#include <sstream>

#include <fmt/format.h>

namespace gnomon {
namespace {

constexpr std::string_view kIdentifier = "SRC0";

std::optional<std::string> next_line(std::istringstream& in) {
    std::string line;
    if (!std::getline(in, line)) return std::nullopt;
    return line;
}

std::optional<Sample> parse_sample(const std::string& line) {
    std::istringstream words(line);
    std::string time;
    Sample sample;
    double offset_s = 0.0;
    double measured_s = 0.0;
    words >> time >> offset_s >> measured_s >> sample.peer_delay_s >> sample.peer_dispersion_s >>
        sample.root_delay_s >> sample.root_dispersion_s;
    if (words.fail()) return std::nullopt;
    // Whole seconds and fraction apart: a double would lose 200 ns.
    const std::size_t point = time.find('.');
    const std::string whole = time.substr(0, point);
    std::string fraction = point == std::string::npos ? "" : time.substr(point + 1);
    if (whole.empty() || whole.size() > 11 ||
        whole.find_first_not_of("0123456789") != std::string::npos ||
        fraction.find_first_not_of("0123456789") != std::string::npos) {
        return std::nullopt;
    }
    // chrony 4.3 writes fewer than nine digits at times.
    fraction.resize(9, '0');
    const std::int64_t seconds = std::stoll(whole);
    if (seconds > 9'000'000'000) return std::nullopt;
    sample.at = UtcTime::from_ns(seconds * 1'000'000'000 + std::stoll(fraction));
    sample.offset_s = -offset_s;
    sample.measured_offset_s = -measured_s;
    if (!std::isfinite(offset_s) || !std::isfinite(measured_s)) return std::nullopt;
    return sample;
}

}  // namespace

std::string dump_file_name(const SelectableSource& source) {
    if (source.type == SourceType::Refclock) {
        return fmt::format("refid:{:08x}.dat", source.ref_id.value);
    }
    if (!source.label.address.is_ip()) return {};
    return source.label.address.to_string() + ".dat";
}

std::string format_dump(const SelectableSource& source, UtcTime now) {
    const SampleHistory& history = source.filter.history();
    if (history.empty()) return {};
    std::string text = fmt::format("{}\n{}\n{} {:o} {} {} {}\n{} {}\n", kIdentifier,
                                   source.type == SourceType::Ntp ? source.label.name : ".",
                                   source.authenticated ? 1 : 0, source.reach.bits,
                                   source.reach.size, source.stratum, static_cast<int>(source.leap),
                                   history.count(), source.filter.statistics(now).asymmetry_run);
    for (int i = 0; i < history.count(); ++i) {
        const Sample& sample = history.sample(i);
        const timespec at = sample.at.to_timespec();
        text += fmt::format("{}.{:09} {:.6e} {:.6e} {:.6e} {:.6e} {:.6e} {:.6e}\n", at.tv_sec,
                            at.tv_nsec, -sample.offset_s, -sample.measured_offset_s,
                            sample.peer_delay_s, sample.peer_dispersion_s, sample.root_delay_s,
                            sample.root_dispersion_s);
    }
    return text;
}

std::optional<SampleDump> parse_dump(std::string_view text) {
    std::istringstream in{std::string(text)};
    const auto identifier = next_line(in);
    const auto name = next_line(in);
    const auto status = next_line(in);
    const auto counts = next_line(in);
    if (identifier != kIdentifier || !name || !status || !counts) return std::nullopt;

    SampleDump dump;
    dump.name = *name;
    int authenticated = 0;
    unsigned reach = 0;
    int stratum = 0;
    int leap = 0;
    std::istringstream words(*status);
    words >> authenticated >> std::oct >> reach >> std::dec >> dump.reach_size >> stratum >> leap;
    int count = 0;
    std::istringstream numbers(*counts);
    numbers >> count >> dump.asymmetry_run;
    if (words.fail() || numbers.fail() || stratum < 0 || stratum >= kStratumUnsynchronised ||
        leap < 0 || leap >= static_cast<int>(Leap::Unsynchronised) || count < 1 ||
        count > kMaxHistorySamples) {
        return std::nullopt;
    }
    dump.authenticated = authenticated != 0;
    dump.reach = static_cast<std::uint8_t>(reach);
    dump.stratum = static_cast<Stratum>(stratum);
    dump.leap = static_cast<Leap>(leap);
    for (int i = 0; i < count; ++i) {
        const auto line = next_line(in);
        const auto sample = line ? parse_sample(*line) : std::nullopt;
        if (!sample) return std::nullopt;
        dump.samples.push_back(*sample);
    }
    return dump;
}

}  // namespace gnomon
