/// Rows for logging and for the process itself.

#include "mgmt/config/directives.h"

namespace gnomon {
namespace {

using C = LineContext&;

struct LogType {
    OptionInfo info;
    bool LogConfig::*flag;
};

const std::vector<LogType>& log_type_table() {
    static const std::vector<LogType> kTypes{
        {{"rawmeasurements", "", "LOG-01"}, &LogConfig::raw_measurements},
        {{"measurements", "", "LOG-02"}, &LogConfig::measurements},
        {{"selection", "", "LOG-03"}, &LogConfig::selection},
        {{"statistics", "", "LOG-04"}, &LogConfig::statistics},
        {{"tracking", "", "LOG-05"}, &LogConfig::tracking},
        {{"rtc", "", "LOG-06", Support::NotYet}, &LogConfig::rtc},
        {{"refclocks", "", "LOG-07"}, &LogConfig::refclocks},
        {{"tempcomp", "", "LOG-08"}, &LogConfig::tempcomp},
    };
    return kTypes;
}

void parse_log(C c) {
    while (const Word* word = c.args.next()) {
        const LogType* found = nullptr;
        std::vector<std::string_view> names;
        for (const LogType& type : log_type_table()) {
            // These names are case-sensitive, unlike everything else (SYN-01).
            if (type.info.name == word->text) found = &type;
            names.push_back(type.info.name);
        }
        if (found == nullptr) {
            const std::string hint = did_you_mean(word->text, names);
            c.args.report().error(
                *word, fmt::format("unknown log '{}'{}; expected {}, in lower case", word->text,
                                   hint, list_of(names)));
            continue;
        }
        c.config.log.*(found->flag) = true;
        if (found->flag == &LogConfig::raw_measurements) c.config.log.measurements = true;
        if (found->info.support == Support::NotYet) {
            c.args.report().warning(*word, fmt::format("nothing writes the log '{}' yet ({})",
                                                       word->text, found->info.id));
        }
    }
}

void parse_pidfile(C c) {
    c.args.take_string(c.config.process.pid_file);
    if (c.config.process.pid_file == "/") c.config.process.pid_file.clear();
}

void parse_telemetry(C c) {
    c.args.take_string(c.config.process.telemetry_socket);
    if (c.config.process.telemetry_socket == "/") c.config.process.telemetry_socket.clear();
}

}  // namespace

std::vector<OptionInfo> log_types() {
    std::vector<OptionInfo> infos;
    for (const LogType& type : log_type_table()) infos.push_back(type.info);
    return infos;
}

DirectiveGroup log_directives() {
    return {
        "Logging",
        {
            {"log", "LOG...", "LOG-01 … LOG-08", parse_log},
            {"logbanner", "ENTRIES", "LOG-09",
             [](C c) { c.args.take_int(c.config.log.banner_entries, kCount); }},
            {"logchange", "SECONDS", "LOG-10",
             [](C c) { c.args.take_double(c.config.log.change_threshold_s, kNotNegative); }},
            {"logdir", "DIR", "LOG-11", [](C c) { c.args.take_string(c.config.log.directory); }},
            {"mailonchange", "ADDRESS SECONDS", "LOG-12", nullptr, Support::NotYet,
             Severity::Warning, "no mail will be sent; logchange writes to the log"},
        }};
}

DirectiveGroup process_directives() {
    constexpr Support kIgnored = Support::Ignored;
    constexpr Severity kWarning = Severity::Warning;
    constexpr std::string_view kGone = "no longer supported, as in chrony";
    return {
        "Process",
        {
            {"lock_all", "", "MSC-16", [](C c) { c.args.take_flag(c.config.process.lock_memory); }},
            {"pidfile", "FILE", "MSC-17", parse_pidfile},
            {"sched_priority", "PRIORITY", "MSC-20",
             [](C c) {
                 c.args.take_int(c.config.process.sched_priority, {0, 100});
             }},
            {"telemetry", "PATH", "", parse_telemetry, Support::Supported, kWarning,
             "gnomon's own: the socket that gnomon-mgmtd(8) reads"},
            {"user", "NAME", "MSC-21", [](C c) { c.args.take_string(c.config.process.user); }},
            {"commandkey", "ID", "SYN-11", nullptr, kIgnored, kWarning, kGone},
            {"generatecommandkey", "", "SYN-11", nullptr, kIgnored, kWarning, kGone},
            {"linux_freq_scale", "SCALE", "SYN-11", nullptr, kIgnored, kWarning, kGone},
            {"linux_hz", "HZ", "SYN-11", nullptr, kIgnored, kWarning, kGone},
        }};
}

}  // namespace gnomon
