#include "mgmt/daemon/options.h"

#include <gtest/gtest.h>

namespace gnomon {
namespace {

Options parse(std::vector<std::string> words, const char* program = "gnomond") {
    std::vector<char*> argv;
    std::string name = program;
    argv.push_back(name.data());
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    return parse_options(static_cast<int>(argv.size()) - 1, argv.data(),
                         ProgramName::from_argv0(program));
}

TEST(Options, ProgramName_DecidesOnThePaths) {
    const ProgramName chronyd = ProgramName::from_argv0("../../chronyd");
    EXPECT_EQ(chronyd.name, "chronyd");
    EXPECT_EQ(chronyd.config_file, "/etc/chrony/chrony.conf");
    EXPECT_EQ(chronyd.personality, Personality::Chrony);
    EXPECT_EQ(ProgramName::from_argv0("/usr/sbin/gnomond").config_file, "/etc/gnomon/gnomon.conf");
    EXPECT_EQ(ProgramName::from_argv0(nullptr).name, "gnomond");
}

TEST(Options, EveryLetter_IsUnderstood) {
    const Options options =
        parse({"-4", "-n", "-f",     "x.conf", "-l", "log", "-L", "1",  "-r", "-R", "-s", "-t",
               "60", "-u", "nobody", "-U",     "-F", "-1",  "-P", "50", "-m", "-x", "-N", "7"});
    EXPECT_EQ(options.action, Options::Action::Run);
    EXPECT_EQ(options.family, IpAddress::Family::V4);
    EXPECT_TRUE(options.foreground);
    EXPECT_FALSE(options.log_to_terminal);
    EXPECT_EQ(options.config_file, "x.conf");
    EXPECT_EQ(options.log_file, "log");
    EXPECT_EQ(options.log_threshold, LogSeverity::Warning);
    EXPECT_TRUE(options.reload_samples && options.restarted && options.set_from_rtc);
    EXPECT_EQ(options.timeout_s, 60);
    EXPECT_EQ(options.user, "nobody");
    EXPECT_FALSE(options.check_root);
    EXPECT_EQ(options.filter_level, -1);
    EXPECT_EQ(options.priority, 50);
    EXPECT_TRUE(options.lock_memory);
    EXPECT_FALSE(options.control_clock);
    EXPECT_EQ(options.notify_fd, 7);
}

TEST(Options, PrintOnce_TouchesNothing) {
    const Options options = parse({"-Q", "server 192.0.2.1", "maxsamples 1"});
    EXPECT_TRUE(options.print_once && options.foreground && options.log_to_terminal);
    EXPECT_FALSE(options.control_clock || options.check_root || options.set_once);
    EXPECT_EQ(options.config_lines, (std::vector<std::string>{"server 192.0.2.1", "maxsamples 1"}));
    EXPECT_TRUE(parse({"-q"}).control_clock);
}

TEST(Options, DebugTwice_LowersTheThreshold) {
    EXPECT_EQ(parse({"-d"}).log_threshold, LogSeverity::Info);
    EXPECT_EQ(parse({"-d", "-d"}).log_threshold, LogSeverity::Debug);
    EXPECT_EQ(parse({"-dd"}).log_threshold, LogSeverity::Debug);
}

TEST(Options, Mistakes_AreRefusedWithTheirName) {
    EXPECT_EQ(parse({"-Z"}).error, "Unknown option -Z");
    EXPECT_EQ(parse({"-f"}).error, "Option -f needs an argument");
    EXPECT_EQ(parse({"-t", "soon"}).error, "Invalid argument soon");
    EXPECT_EQ(parse({"-P", "5x"}).action, Options::Action::Refuse);
}

TEST(Options, Information_WinsOverEverything) {
    EXPECT_EQ(parse({"-d", "-v"}).action, Options::Action::PrintVersion);
    EXPECT_EQ(parse({"--version"}).action, Options::Action::PrintVersion);
    EXPECT_EQ(parse({"-Z", "--help"}).action, Options::Action::PrintHelp);
    EXPECT_EQ(parse({"-p"}).action, Options::Action::PrintConfig);
}

TEST(Options, Version_ListsFeaturesInItsLastParentheses) {
    const std::string text = version_text(ProgramName::from_argv0("chronyd"));
    EXPECT_EQ(text.rfind("chronyd (chrony-compatible gnomon) version ", 0), 0u) << text;
    EXPECT_NE(text.substr(text.rfind('(')).find("+CMDMON"), std::string::npos) << text;
    EXPECT_EQ(text.back(), '\n');
}

}  // namespace
}  // namespace gnomon
