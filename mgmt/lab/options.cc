#include "mgmt/lab/options.h"

#include <charconv>
#include <cmath>
#include <cstring>
#include <string_view>
#include <vector>

namespace gnomon {

namespace {

template <typename T>
bool read_number(std::string_view text, T& value) {
    const char* end = text.data() + text.size();
    const auto [parsed, error] = std::from_chars(text.data(), end, value);
    return error == std::errc() && parsed == end;
}

bool read_speed(std::string_view text, double& speed) {
    if (text == "max") {
        speed = 0.0;
        return true;
    }
    return read_number(text, speed) && std::isfinite(speed) && speed > 0.0;
}

/// False: not an option, or not with this value.
bool apply(LabOptions& options, std::string_view name, std::string_view value) {
    const bool replay = options.action == LabOptions::Action::Replay;
    if (name == "--clients") {
        return !replay && read_number(value, options.clients) && options.clients > 0;
    }
    if (!replay) return false;
    if (name == "--config") options.config_file = value;
    if (name == "--write") options.output_file = value;
    if (name == "--config" || name == "--write") return !value.empty();
    if (name == "--speed") return read_speed(value, options.speed);
    if (name == "--seed") return read_number(value, options.seed);
    return name == "--burst" && read_number(value, options.burst) && options.burst >= 1 &&
           options.burst <= 64;
}

LabOptions refuse(std::string error) {
    LabOptions options;
    options.error = std::move(error);
    return options;
}

}  // namespace

LabOptions parse_lab_options(int argc, const char* const argv[]) {
    std::vector<std::string_view> words(argv + (argc > 0 ? 1 : 0), argv + argc);
    LabOptions options;
    if (words.empty() || words[0] == "-h" || words[0] == "--help") {
        options.action = LabOptions::Action::Help;
        return options;
    }
    std::size_t at = 1;
    if (words[0] == "replay") {
        options.action = LabOptions::Action::Replay;
    } else if (words[0] == "capture" && words.size() > 1 && words[1] == "summary") {
        options.action = LabOptions::Action::Summary;
        at = 2;
    } else {
        return refuse("unknown command " + std::string(words[0]));
    }
    for (; at < words.size(); ++at) {
        if (words[at].substr(0, 2) != "--") {
            if (!options.file.empty()) return refuse("more than one file");
            options.file = words[at];
            continue;
        }
        const std::string_view value = at + 1 < words.size() ? words[at + 1] : std::string_view();
        if (!apply(options, words[at], value)) {
            return refuse("invalid option " + std::string(words[at]));
        }
        ++at;
    }
    if (options.file.empty()) return refuse("no capture file given");
    return options;
}

std::string lab_help() {
    return "Usage:\n"
           "  gnomon-lab replay FILE [--config CONF] [--write OUT] [--speed N|max] [--burst N] "
           "[--seed N]\n"
           "  gnomon-lab capture summary FILE [--clients N]\n";
}

}  // namespace gnomon
