#include "mgmt/config/parser.h"

#include <gtest/gtest.h>

#include "tests/unit/mgmt/config/parse_helpers.h"

namespace gnomon {
namespace {

ParsedConfig parse_files(std::map<std::string, std::string> content) {
    MemoryFiles files(std::move(content));
    return parse_config_file(kMainFile, files, {default_config(Personality::Gnomon)});
}

TEST(Parser, AllMistakesAreReportedAtOnce) {
    const ParsedConfig result = parse_text(
        "# a comment\n"
        "server ntp.example ibrust\n"
        "  mkestep 1 3\n"
        "port 65536\n"
        "makestep 1\n"
        "maxdistance 2\n");
    EXPECT_EQ(
        all_text(result.diagnostics),
        "/etc/main.conf:2:20: error: unknown option 'ibrust' of server (did you mean 'iburst'?)\n"
        "/etc/main.conf:3:3: error: unknown directive 'mkestep' (did you mean 'makestep'?)\n"
        "/etc/main.conf:4:6: error: 65536 is out of range; expected 0 to 65535\n"
        "/etc/main.conf:5:1: error: missing argument: 'makestep' needs 2, got 1\n");
    EXPECT_EQ(result.config.selection.max_distance_s, 2.0);
}

TEST(Parser, SuggestionsAreMadeOnlyForNearMisses) {
    const auto message = [](const char* text) {
        return parse_text(text).diagnostics.at(0).message;
    };
    EXPECT_EQ(message("makstep 1 3"), "unknown directive 'makstep' (did you mean 'makestep'?)");
    EXPECT_EQ(message("DRIFTFLE /x"), "unknown directive 'DRIFTFLE' (did you mean 'driftfile'?)");
    EXPECT_EQ(message("sevrer x"), "unknown directive 'sevrer' (did you mean 'server'?)");
    EXPECT_EQ(message("xyzzy"), "unknown directive 'xyzzy'");
    EXPECT_EQ(message(std::string(1000, 'm').c_str()),
              "unknown directive '" + std::string(1000, 'm') + "'");
}

TEST(Parser, UnusableBytesAreDiagnosedAndTheRestIsRead) {
    const ParsedConfig result = parse_text(std::string("port 1\0\n", 8) + "user a\x01\n" +
                                           std::string(3000, 'x') + "\ndscp 7\r\n");
    ASSERT_EQ(result.diagnostics.size(), 3u) << all_text(result.diagnostics);
    EXPECT_EQ(result.diagnostics[0].column, 7);
    EXPECT_EQ(result.diagnostics[2].line, 3);
    EXPECT_EQ(result.config.client.dscp, 7);
    EXPECT_EQ(result.config.server.port, 123);
}

TEST(Parser, AMissingMainFileIsAnError) {
    const ParsedConfig result = parse_files({});
    EXPECT_EQ(all_text(result.diagnostics),
              "/etc/main.conf: error: cannot read the file (missing, or no right to)\n");
}

TEST(Parser, IncludeReadsFilesInPlace) {
    const ParsedConfig result = parse_files({{kMainFile, "port 1\ninclude /etc/d/*.conf\ndscp 9\n"},
                                             {"/etc/d/a.conf", "port 2\ndscp 3\nbogus\n"},
                                             {"/etc/d/b.conf", "cmdport 5\n"}});
    EXPECT_EQ(result.config.server.port, 2);
    EXPECT_EQ(result.config.client.dscp, 9);
    EXPECT_EQ(result.config.command.port, 5);
    ASSERT_EQ(result.diagnostics.size(), 1u);
    EXPECT_EQ(result.diagnostics[0].file, "/etc/d/a.conf");
    EXPECT_EQ(result.diagnostics[0].line, 3);
}

TEST(Parser, AnIncludedFileMustExistAndAPatternShouldMatch) {
    const ParsedConfig result =
        parse_files({{kMainFile, "include /none.conf\ninclude /none/*.conf\n"}});
    EXPECT_EQ(all_text(result.diagnostics),
              "/etc/main.conf:1:9: error: cannot read '/none.conf'\n"
              "/etc/main.conf:2:9: warning: no file matches '/none/*.conf'\n");
}

TEST(Parser, IncludesNestTenLevelsDeep) {
    std::map<std::string, std::string> content{{kMainFile, "include /2\n"}};
    for (int level = 2; level <= 10; ++level) {
        content["/" + std::to_string(level)] =
            level == 10 ? "port 10\n" : "include /" + std::to_string(level + 1) + "\n";
    }
    const ParsedConfig deepest = parse_files(content);
    EXPECT_TRUE(deepest.diagnostics.empty()) << all_text(deepest.diagnostics);
    EXPECT_EQ(deepest.config.server.port, 10);

    content["/10"] = "include /11\n";
    content["/11"] = "port 11\n";
    const ParsedConfig deeper = parse_files(content);
    EXPECT_TRUE(has_errors(deeper.diagnostics));
    EXPECT_EQ(deeper.diagnostics[0].file, "/10");
    EXPECT_EQ(deeper.config.server.port, 123);
}

TEST(Parser, AFileThatIncludesItselfIsAnErrorAndNotALoop) {
    const ParsedConfig result =
        parse_files({{kMainFile, "include /a\ninclude /a\n"},
                     {"/a", "include /a\ninclude /etc/main.conf\nport 4\n"}});
    EXPECT_EQ(result.diagnostics.size(), 4u) << all_text(result.diagnostics);
    EXPECT_EQ(result.config.server.port, 4);
}

TEST(Parser, ConfdirOverridesByBaseNameAndSorts) {
    const ParsedConfig result = parse_files({{kMainFile, "confdir /a /b /missing\n"},
                                             {"/a/20.conf", "port 20\n"},
                                             {"/b/10.conf", "port 10\ndscp 10\n"},
                                             {"/b/20.conf", "port 99\ncmdport 99\n"},
                                             {"/b/.30.conf", "port 30\n"},
                                             {"/b/40.txt", "port 40\n"}});
    EXPECT_TRUE(result.diagnostics.empty()) << all_text(result.diagnostics);
    EXPECT_EQ(result.config.server.port, 20);
    EXPECT_EQ(result.config.client.dscp, 10);
    EXPECT_EQ(result.config.command.port, 323);
}

TEST(Parser, SourceDirectoriesAreRecordedAndNotRead) {
    const ParsedConfig result = parse_files(
        {{kMainFile, "sourcedir /a /b\nsourcedir /c\n"}, {"/a/x.sources", "server x\n"}});
    EXPECT_EQ(result.config.client.source_dirs.size(), 2u);
    EXPECT_TRUE(result.config.client.sources.empty());
}

TEST(Parser, PrintShowsEffectiveLinesWithFilesExpanded) {
    const ParsedConfig result = parse_files({{kMainFile,
                                              "! comment\n  Server\t a   iburst\ninclude /i\n"
                                              "confdir /d\nsourcedir /s\nlock_all"},
                                             {"/i", "port  7\n"},
                                             {"/d/x.conf", "allow 1.2/16\nbogus  line\n"}});
    EXPECT_EQ(print_config(result.config),
              "Server a iburst\nport 7\nallow 1.2/16\nbogus line\nsourcedir /s\nlock_all\n");
}

TEST(Parser, ArgumentsAreLinesOfTheirOwn) {
    MemoryFiles files;
    files.write("/i", "port 5\n");
    const ParsedConfig result = parse_config_lines({"server a\niburst", "include /i", "prot 4"},
                                                   files, {default_config(Personality::Gnomon)});
    ASSERT_EQ(result.config.client.sources.size(), 1u);
    EXPECT_TRUE(result.config.client.sources[0].options.iburst);
    EXPECT_EQ(result.config.server.port, 5);
    EXPECT_EQ(all_text(result.diagnostics),
              "<command line>:3:1: error: unknown directive 'prot' (did you mean 'port'?)\n");
}

TEST(Parser, ARestartDropsALimitedMakestep) {
    MemoryFiles files;
    const ParseOptions restarted{default_config(Personality::Gnomon), true};
    EXPECT_EQ(parse_config_lines({"makestep 1 3"}, files, restarted).config.clock.make_step.limit,
              0);
    EXPECT_EQ(parse_config_lines({"makestep 1 -1"}, files, restarted).config.clock.make_step.limit,
              -1);
}

TEST(Parser, ThePersonalityDecidesOnPathsOnly) {
    const Config gnomon = default_config(Personality::Gnomon);
    const Config chrony = default_config(Personality::Chrony);
    EXPECT_EQ(gnomon.command.socket_path, "/run/gnomon/gnomond.sock");
    EXPECT_EQ(chrony.command.socket_path, "/run/chrony/chronyd.sock");
    EXPECT_EQ(chrony.process.pid_file, "/run/chrony/chronyd.pid");
    EXPECT_EQ(gnomon.server.port, chrony.server.port);
    EXPECT_TRUE(chrony.command.bind_address_v4.is_loopback());
    EXPECT_TRUE(chrony.command.bind_address_v6.is_loopback());
    EXPECT_EQ(chrony.command.rate_limit.interval_log2_s, -4);
}

// What Debian installs must start without an error.
TEST(Parser, TheUsualConfigurationOfADistributionIsAccepted) {
    const ParsedConfig result = parse_files(
        {{kMainFile,
          "confdir /etc/chrony/conf.d\npool 2.debian.pool.ntp.org iburst\nsourcedir "
          "/run/chrony-dhcp\n"
          "sourcedir /etc/chrony/sources.d\nkeyfile /etc/chrony/chrony.keys\n"
          "driftfile /var/lib/chrony/chrony.drift\nntsdumpdir /var/lib/chrony\n"
          "#log tracking measurements statistics\nlogdir /var/log/chrony\nmaxupdateskew 100.0\n"
          "rtcsync\nmakestep 1 3\nleapseclist /usr/share/zoneinfo/leap-seconds.list\n"}});
    EXPECT_FALSE(has_errors(result.diagnostics)) << all_text(result.diagnostics);
    EXPECT_EQ(result.diagnostics.size(), 1u);
}

}  // namespace
}  // namespace gnomon
