#include "mgmt/config/source_parser.h"

#include <gtest/gtest.h>

#include <sstream>

#include "mgmt/config/source_options.h"
#include "tests/unit/mgmt/config/parse_helpers.h"

namespace gnomon {
namespace {

std::vector<std::string> split(const std::string& text) {
    std::istringstream stream(text);
    std::vector<std::string> words;
    for (std::string word; stream >> word;) words.push_back(word);
    return words;
}

SourceLine parse(const std::string& text) {
    return parse_source_line(SourceKind::Server, split(text));
}

TEST(SourceLine, DefaultsAreThoseOfChrony) {
    const SourceLine line = parse("ntp.example");
    ASSERT_TRUE(line.source);
    const SourceOptions& options = line.source->options;
    EXPECT_EQ(line.source->name, "ntp.example");
    EXPECT_EQ(options.port, 123);
    EXPECT_EQ(options.min_poll_log2_s, 6);
    EXPECT_EQ(options.max_poll_log2_s, 10);
    EXPECT_EQ(options.poll_target, 0);
    EXPECT_EQ(options.max_sources, 4);
    EXPECT_EQ(options.max_unreach_polls, 100000);
    EXPECT_EQ(options.max_delay_s, 3.0);
    EXPECT_EQ(options.max_delay_dev_ratio, 10.0);
    EXPECT_FALSE(options.asymmetry);
    EXPECT_FALSE(options.min_samples);
}

// One line per option; each must survive the way to a line and back.
TEST(SourceLine, EveryOptionIsReadAndWrittenBack) {
    const std::vector<std::pair<std::string, bool (*)(const SourceOptions&)>> cases{
        {"minpoll -3", [](const SourceOptions& o) { return o.min_poll_log2_s == -3; }},
        {"maxpoll 4 minpoll 2", [](const SourceOptions& o) { return o.max_poll_log2_s == 4; }},
        {"IBurst", [](const SourceOptions& o) { return o.iburst && !o.burst; }},
        {"burst", [](const SourceOptions& o) { return o.burst; }},
        {"key 4294967295", [](const SourceOptions& o) { return o.key_id == 4294967295u; }},
        {"maxdelay 0.1", [](const SourceOptions& o) { return o.max_delay_s == 0.1; }},
        {"maxdelayratio 2", [](const SourceOptions& o) { return o.max_delay_ratio == 2.0; }},
        {"maxdelaydevratio 1e-3",
         [](const SourceOptions& o) { return o.max_delay_dev_ratio == 1e-3; }},
        {"maxdelayquant .5", [](const SourceOptions& o) { return o.max_delay_quantile == 0.5; }},
        {"mindelay 1e-4", [](const SourceOptions& o) { return o.min_delay_s == 1e-4; }},
        {"asymmetry -0.5", [](const SourceOptions& o) { return o.asymmetry == -0.5; }},
        {"offset -0.000123", [](const SourceOptions& o) { return o.offset_s == -0.000123; }},
        {"minsamples 8", [](const SourceOptions& o) { return o.min_samples == 8; }},
        {"maxsamples 0", [](const SourceOptions& o) { return o.max_samples == 0; }},
        {"maxunreach 3", [](const SourceOptions& o) { return o.max_unreach_polls == 3; }},
        {"filter 15", [](const SourceOptions& o) { return o.filter_polls == 15; }},
        {"offline", [](const SourceOptions& o) { return o.offline; }},
        {"auto_offline", [](const SourceOptions& o) { return o.auto_offline; }},
        {"prefer", [](const SourceOptions& o) { return o.prefer; }},
        {"noselect", [](const SourceOptions& o) { return o.no_select; }},
        {"trust", [](const SourceOptions& o) { return o.trust; }},
        {"require", [](const SourceOptions& o) { return o.require; }},
        {"xleave", [](const SourceOptions& o) { return o.interleaved; }},
        {"polltarget 30", [](const SourceOptions& o) { return o.poll_target == 30; }},
        {"port 0", [](const SourceOptions& o) { return o.port == 0; }},
        {"presend 9", [](const SourceOptions& o) { return o.presend_poll_log2_s == 9; }},
        {"minstratum 2", [](const SourceOptions& o) { return o.min_stratum == 2; }},
        {"version 3", [](const SourceOptions& o) { return o.version == 3; }},
        {"copy", [](const SourceOptions& o) { return o.copy; }},
        {"extfield F323 extfield 10a",
         [](const SourceOptions& o) { return o.ext_mono_root && o.ext_net_correction; }},
        {"extfield F324", [](const SourceOptions& o) { return o.ext_net_correction; }},
        {"maxsources 2", [](const SourceOptions& o) { return o.max_sources == 2; }},
        {"ipv4", [](const SourceOptions& o) { return o.family == IpAddress::Family::V4; }},
        {"ipv6", [](const SourceOptions& o) { return o.family == IpAddress::Family::V6; }},
    };
    for (const auto& [text, holds] : cases) {
        const SourceLine line = parse("host " + text);
        ASSERT_TRUE(line.source) << text << "\n" << all_text(line.diagnostics);
        EXPECT_TRUE(line.diagnostics.empty()) << text;
        EXPECT_TRUE(holds(line.source->options)) << text;
        EXPECT_FALSE(line.source->options == SourceOptions{}) << text;
        const std::vector<std::string> written = split(to_line(*line.source));
        ASSERT_GE(written.size(), 3u) << text;
        const SourceLine again =
            parse_source_line(SourceKind::Server, {written.begin() + 1, written.end()});
        ASSERT_TRUE(again.source) << to_line(*line.source);
        EXPECT_EQ(*again.source, *line.source) << to_line(*line.source);
    }
}

TEST(SourceLine, EveryOptionOfTheChecklistHasARow) {
    // SOP-01 to SOP-36 have one row each, and `mesh` is our own.
    EXPECT_EQ(source_option_table().size(), 37u);
}

TEST(SourceLine, BadValuesAreRejected) {
    for (const char* text :
         {"minpoll x",      "minpoll",       "maxpoll 33",     "key 0",         "key -1",
          "key 4294967296", "maxdelay",      "port 65536",     "version 5",     "version 0",
          "minstratum 17",  "extfield F325", "filter -1",      "polltarget 0",  "maxsources 0",
          "presend 33",     "asymmetry nan", "offset inf",     "maxdelay 1.0s", "minpoll 6.5",
          "ipv5",           "iburst 1",      "maxdelayquant q"}) {
        const SourceLine line = parse(std::string("host ") + text);
        EXPECT_FALSE(line.source) << text;
        EXPECT_TRUE(has_errors(line.diagnostics)) << text;
    }
    EXPECT_FALSE(parse("").source);
    EXPECT_FALSE(parse(std::string(256, 'h')).source);
    EXPECT_TRUE(parse(std::string(255, 'h')).source);
}

TEST(SourceLine, UselessValuesAreClampedAsChronyDoesAndWarned) {
    const SourceLine line =
        parse("h minpoll -9 maxpoll 30 maxdelay 2000 minstratum 16 maxsources 99");
    ASSERT_TRUE(line.source);
    EXPECT_EQ(line.source->options.min_poll_log2_s, 6);
    EXPECT_EQ(line.source->options.max_poll_log2_s, 24);
    EXPECT_EQ(line.source->options.max_delay_s, 1000.0);
    EXPECT_EQ(line.source->options.min_stratum, 15);
    EXPECT_EQ(line.source->options.max_sources, 16);
    EXPECT_EQ(line.diagnostics.size(), 5u);
    EXPECT_FALSE(has_errors(line.diagnostics));
    EXPECT_FALSE(parse("h asymmetry 1.0").source->options.asymmetry);
}

TEST(SourceLine, AMinpollAboveMaxpollLiftsIt) {
    EXPECT_EQ(parse("h minpoll 12").source->options.max_poll_log2_s, 12);
}

TEST(SourceLine, NtsOptionsAreKnownButNotSupported) {
    const SourceLine line = parse("h nts ntsport 4460 certset 1 iburst");
    EXPECT_FALSE(line.source);
    ASSERT_EQ(line.diagnostics.size(), 3u);
    EXPECT_EQ(line.diagnostics[0].message, "option 'nts' of server is not supported yet (SOP-06)");
}

TEST(SourceLine, DiagnosticsNameTheColumnAndTheLikelyOption) {
    const SourceLine line = parse("h ibrust maxpol 5");
    ASSERT_EQ(line.diagnostics.size(), 2u) << "the value of a misspelt option is no mistake";
    EXPECT_EQ(line.diagnostics[0].column, 10);
    EXPECT_EQ(line.diagnostics[0].message,
              "unknown option 'ibrust' of server (did you mean 'iburst'?)");
    EXPECT_EQ(line.diagnostics[1].message,
              "unknown option 'maxpol' of server (did you mean 'maxpoll'?)");
}

TEST(SourcesDir, InvalidAndIncompleteLinesAreSkippedWithAWarning) {
    MemoryFiles files({{"/run/a/x.sources",
                        "server one iburst\n# note\n\nserver two bogus\nmakestep 1 3\npool three\n"
                        "PEER four\nserver five"},
                       {"/run/a/x.conf", "server six\n"}});
    const SourcesDirResult result = parse_sources_dir({"/run/a"}, files);
    ASSERT_EQ(result.sources.size(), 3u) << all_text(result.diagnostics);
    EXPECT_EQ(to_line(result.sources[0]), "server one iburst");
    EXPECT_EQ(to_line(result.sources[1]), "pool three");
    EXPECT_EQ(to_line(result.sources[2]), "peer four");
    ASSERT_EQ(result.diagnostics.size(), 3u) << all_text(result.diagnostics);
    EXPECT_FALSE(has_errors(result.diagnostics));
    EXPECT_EQ(result.diagnostics[0].line, 4);
    EXPECT_EQ(result.diagnostics[0].column, 12);
    EXPECT_EQ(result.diagnostics[1].line, 5);
    EXPECT_EQ(result.diagnostics[2].line, 8);
}

TEST(SourcesDir, TheFirstListedDirectoryOverridesFilesOfTheSameName) {
    MemoryFiles files({{"/a/2.sources", "server a2\n"},
                       {"/b/1.sources", "server b1\n"},
                       {"/b/2.sources", "server b2\n"},
                       {"/b/.hidden.sources", "server hidden\n"}});
    const SourcesDirResult result = parse_sources_dir({"/a", "/missing", "/b"}, files);
    ASSERT_EQ(result.sources.size(), 2u);
    EXPECT_EQ(result.sources[0].name, "b1");
    EXPECT_EQ(result.sources[1].name, "a2");
    EXPECT_TRUE(result.diagnostics.empty());
    // Separate lines do not override each other.
    EXPECT_EQ(parse_sources_dirs({{"/a"}, {"/b"}}, files).sources.size(), 3u);
}

TEST(SourcesDir, AReloadSeesWhichSourcesChanged) {
    MemoryFiles files;
    files.write("/a/x.sources", "server one\nserver two\n");
    const auto before = parse_sources_dir({"/a"}, files).sources;
    files.write("/a/x.sources", "server  ONE\nserver two minpoll 6\n");
    const auto after = parse_sources_dir({"/a"}, files).sources;
    ASSERT_EQ(after.size(), 2u);
    EXPECT_FALSE(before[0] == after[0]);
    EXPECT_EQ(before[1], after[1]);
}

}  // namespace
}  // namespace gnomon
