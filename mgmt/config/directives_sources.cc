/// Rows for where time comes from: sources, client sockets, selection.

#include <algorithm>

#include "mgmt/config/directives.h"
#include "mgmt/config/refclock_options.h"
#include "mgmt/config/source_options.h"

namespace gnomon {
namespace {

template <SourceKind kKind>
void parse_source_row(LineContext& c) {
    if (auto source = parse_source(kKind, c.args)) c.config.client.sources.push_back(*source);
}

using C = LineContext&;

}  // namespace

DirectiveGroup source_directives() {
    constexpr Support kNotYet = Support::NotYet;
    return {"Sources",
            {
                {"server", "NAME [OPTION]...", "SRC-01", parse_source_row<SourceKind::Server>},
                {"pool", "NAME [OPTION]...", "SRC-02", parse_source_row<SourceKind::Pool>},
                {"peer", "NAME [OPTION]...", "SRC-03", parse_source_row<SourceKind::Peer>},
                {"refclock", "DRIVER PARAMETER[:OPTION]... [OPTION]...", "REF-01 … REF-31",
                 [](C c) {
                     if (auto refclock = parse_refclock(c.args)) {
                         c.config.refclocks.push_back(*refclock);
                     }
                 },
                 Support::Supported, Severity::Warning, "drivers PPS, SHM, SOCK and PHC"},
                {"initstepslew", "SECONDS [NAME]...", "SRC-04, SRC-16", nullptr, kNotYet,
                 Severity::Error,
                 "the clock would not be set before start; makestep is the modern way"},
                {"refresh", "SECONDS", "SRC-06",
                 [](C c) { c.args.take_int(c.config.client.refresh_s, kCount); }},
                {"acquisitionport", "PORT", "SRC-10",
                 [](C c) {
                     std::uint16_t port = 0;
                     if (c.args.expect(1) && c.args.report().read_port(c.args[0], port)) {
                         c.config.client.acquisition_port = port;
                     }
                 }},
                {"bindacqaddress", "ADDRESS", "SRC-11",
                 [](C c) {
                     c.args.take_address(c.config.client.bind_address_v4,
                                         c.config.client.bind_address_v6);
                 }},
                {"bindacqdevice", "INTERFACE", "SRC-12",
                 [](C c) { c.args.take_string(c.config.client.bind_device); }},
                {"dscp", "POINT", "SRC-13",
                 [](C c) {
                     c.args.take_int(c.config.client.dscp, {0, 63});
                 }},
                {"dumpdir", "DIR", "SRC-14",
                 [](C c) { c.args.take_string(c.config.process.dump_dir); }},
                {"dumponexit", "", "SYN-12", nullptr, Support::Ignored, Severity::Warning,
                 "the history is always saved on exit when dumpdir is set"},
                {"manual", "", "SRC-15", [](C c) { c.args.take_flag(c.config.process.manual); }},
                {"keyfile", "FILE", "MSC-15",
                 [](C c) { c.args.take_string(c.config.process.key_file); }},
            }};
}

namespace {

const std::vector<Choice<std::string>>& estimators() {
    static const std::vector<Choice<std::string>> kEstimators{{"default", ""},
                                                              {"kalman", "kalman"},
                                                              {"emg", "emg"},
                                                              {"regression", "regression"},
                                                              {"pi", "pi"}};
    return kEstimators;
}

void parse_shadow(C c) {
    std::vector<std::string>& shadows = c.config.selection.shadows;
    if (c.args.count() == 0) {
        c.args.report().error(c.args.directive(), "'shadow' needs the name of an estimator");
        return;
    }
    while (const Word* word = c.args.next()) {
        std::string name;
        if (!read_choice(c.args.report(), *word, estimators(), name)) continue;
        if (std::find(shadows.begin(), shadows.end(), name) == shadows.end()) {
            shadows.push_back(name);
        }
    }
}

}  // namespace

DirectiveGroup selection_directives() {
    return {
        "Selection of sources",
        {
            {"authselectmode", "require|prefer|mix|ignore", "SEL-01",
             [](C c) {
                 using Mode = SelectionConfig::AuthMode;
                 static const std::vector<Choice<Mode>> kModes{{"require", Mode::Require},
                                                               {"prefer", Mode::Prefer},
                                                               {"mix", Mode::Mix},
                                                               {"ignore", Mode::Ignore}};
                 if (c.args.expect(1)) {
                     read_choice(c.args.report(), c.args[0], kModes, c.config.selection.auth_mode);
                 }
             }},
            {"combinelimit", "FACTOR", "SEL-02",
             [](C c) { c.args.take_double(c.config.selection.combine_limit, kNotNegative); }},
            {"maxdistance", "SECONDS", "SEL-03",
             [](C c) { c.args.take_double(c.config.selection.max_distance_s, kNotNegative); }},
            {"maxjitter", "SECONDS", "SEL-04",
             [](C c) { c.args.take_double(c.config.selection.max_jitter_s, kNotNegative); }},
            {"maxstratum", "STRATUM", "SEL-05",
             [](C c) {
                 c.args.take_int(c.config.selection.max_stratum, kCount, {0, 15});
             }},
            {"minstratum", "STRATUM", "SEL-06",
             [](C c) {
                 c.args.take_int(c.config.selection.min_stratum, kCount, {0, 16});
             }},
            {"minsources", "SOURCES", "SEL-07",
             [](C c) {
                 c.args.take_int(c.config.selection.min_sources, {1, kCount.max});
             }},
            {"reselectdist", "SECONDS", "SEL-08",
             [](C c) { c.args.take_double(c.config.selection.reselect_distance_s, kAnyNumber); }},
            {"stratumweight", "SECONDS", "SEL-09",
             [](C c) { c.args.take_double(c.config.selection.stratum_weight_s, kAnyNumber); }},
            {"maxsamples", "SAMPLES", "SRC-08",
             [](C c) { c.args.take_int(c.config.selection.max_samples, kCount); }},
            {"minsamples", "SAMPLES", "SRC-09",
             [](C c) { c.args.take_int(c.config.selection.min_samples, kCount); }},
            {"servo", "default|kalman|emg|regression|pi", "",
             [](C c) {
                 if (c.args.expect(1)) {
                     read_choice(c.args.report(), c.args[0], estimators(),
                                 c.config.selection.estimator);
                 }
             },
             Support::Supported, Severity::Warning, "gnomon's own: the estimator of every source"},
            {"shadow", "kalman|emg|regression|pi...", "", parse_shadow, Support::Supported,
             Severity::Warning, "gnomon's own: estimators to compare, see gnomonc servos"},
        }};
}

}  // namespace gnomon
