/// Table-driven: what each directive does to the Config, and what it refuses.

#include "mgmt/config/directives.h"

#include <gtest/gtest.h>

#include "mgmt/config/option_lines.h"
#include "tests/unit/mgmt/config/parse_helpers.h"

namespace gnomon {
namespace {

struct Good {
    const char* text;
    bool (*holds)(const Config& config);
};

const std::vector<Good>& good_lines() {
    using C = const Config&;
    static const std::vector<Good> kLines{
        {"acquisitionport 0", [](C c) { return c.client.acquisition_port == 0; }},
        {"allow", [](C c) { return c.server.access.size() == 1 && c.server.access[0].allow; }},
        {"deny all 10/8", [](C c) { return c.server.access[0].all && !c.server.access[0].allow; }},
        {"allow ntp.example", [](C c) { return c.server.access[0].host == "ntp.example"; }},
        {"authselectmode Require",
         [](C c) { return c.selection.auth_mode == SelectionConfig::AuthMode::Require; }},
        {"bindacqaddress 192.0.2.1",
         [](C c) { return c.client.bind_address_v4 == IpAddress::parse("192.0.2.1"); }},
        {"bindacqdevice eth0", [](C c) { return c.client.bind_device == "eth0"; }},
        {"bindaddress ::1",
         [](C c) {
             return c.server.bind_address_v6.is_loopback() && !c.server.bind_address_v4.is_ip();
         }},
        {"binddevice eth1", [](C c) { return c.server.bind_device == "eth1"; }},
        {"bindcmdaddress 0.0.0.0", [](C c) { return c.command.bind_address_v4.is_any(); }},
        {"bindcmdaddress /run/x.sock", [](C c) { return c.command.socket_path == "/run/x.sock"; }},
        {"bindcmdaddress /", [](C c) { return c.command.socket_path.empty(); }},
        {"bindcmddevice lo", [](C c) { return c.command.bind_device == "lo"; }},
        {"clientloglimit 4294967296",
         [](C c) { return c.server.client_log_limit_bytes == 4294967296u; }},
        {"clockprecision 1e-7", [](C c) { return c.clock.precision_s == 1e-7; }},
        {"cmdallow 1.2.3", [](C c) { return c.command.access[0].subnet.prefix_length == 24; }},
        {"cmddeny", [](C c) { return !c.command.access[0].allow; }},
        {"cmdport 0", [](C c) { return c.command.port == 0; }},
        {"cmdratelimit interval -2 burst 16",
         [](C c) {
             const RateLimitConfig& r = c.command.rate_limit;
             return r.enabled && r.interval_log2_s == -2 && r.burst == 16 && r.leak == 2;
         }},
        {"combinelimit 0", [](C c) { return c.selection.combine_limit == 0.0; }},
        {"corrtimeratio 1.5", [](C c) { return c.clock.correction_time_ratio == 1.5; }},
        {"driftfile /var/lib/drift",
         [](C c) {
             return c.clock.drift_file == "/var/lib/drift" && c.clock.drift_file_interval_s == 3600;
         }},
        {"driftfile /d Interval 60", [](C c) { return c.clock.drift_file_interval_s == 60; }},
        {"refclock SHM 0 refid GPS",
         [](C c) { return c.refclocks.size() == 1 && c.refclocks[0].device.unit == 0; }},
        {"dscp 46", [](C c) { return c.client.dscp == 46; }},
        {"dumpdir /d", [](C c) { return c.process.dump_dir == "/d"; }},
        {"fallbackdrift 16 19",
         [](C c) {
             return c.clock.fallback_drift_min_log2_s == 16 &&
                    c.clock.fallback_drift_max_log2_s == 19;
         }},
        {"hwtimestamp *",
         [](C c) {
             const HwTimestampConfig& h = c.timestamping.interfaces[0];
             return h.interface == "*" && h.max_poll_log2_s == 1 && h.min_samples == 2;
         }},
        {"hwtimestamp eth0 minpoll -6 minsamples 4 maxsamples 8 precision 10e-9 txcomp 300e-9 "
         "rxcomp 645e-9 nocrossts rxfilter PTP",
         [](C c) {
             HwTimestampConfig h;
             h.interface = "eth0";
             h.min_poll_log2_s = -6;
             h.max_poll_log2_s = -5;
             h.min_samples = 4;
             h.max_samples = 8;
             h.precision_s = 10e-9;
             h.tx_compensation_s = 300e-9;
             h.rx_compensation_s = 645e-9;
             h.cross_timestamps = false;
             h.rx_filter = HwTimestampConfig::RxFilter::Ptp;
             return c.timestamping.interfaces[0] == h;
         }},
        {"hwtimestamp e minpoll 20",
         [](C c) { return c.timestamping.interfaces[0].max_poll_log2_s == 20; }},
        {"hwtstimeout 0.01", [](C c) { return c.timestamping.timeout_s == 0.01; }},
        {"keyfile /k", [](C c) { return c.process.key_file == "/k"; }},
        {"leapseclist /l", [](C c) { return c.clock.leap_list == "/l"; }},
        {"leapsecmode SLEW", [](C c) { return c.clock.leap_mode == ClockConfig::LeapMode::Slew; }},
        {"leapsectz right/UTC", [](C c) { return c.clock.leap_tz == "right/UTC"; }},
        {"local",
         [](C c) {
             const LocalConfig& l = c.server.local;
             return l.enabled && l.stratum == 10 && l.distance_s == 1.0 && l.wait_unsynced_s == 0.0;
         }},
        {"local stratum 5 orphan distance 0.1 activate 0.5 waitsynced 7",
         [](C c) { return c.server.local == LocalConfig{true, 5, 0.1, 0.5, true, 7.0, 300.0}; }},
        {"local orphan waitunsynced 0", [](C c) { return c.server.local.wait_unsynced_s == 0.0; }},
        {"lock_all", [](C c) { return c.process.lock_memory; }},
        {"log rawmeasurements tracking",
         [](C c) {
             return c.log.raw_measurements && c.log.measurements && c.log.tracking &&
                    !c.log.statistics;
         }},
        {"log measurements statistics selection",
         [](C c) {
             return !c.log.raw_measurements && c.log.measurements && c.log.statistics &&
                    c.log.selection;
         }},
        {"log", [](C c) { return !c.log.measurements; }},
        {"logbanner 0", [](C c) { return c.log.banner_entries == 0; }},
        {"logchange 0.5", [](C c) { return c.log.change_threshold_s == 0.5; }},
        {"logdir /var/log/x", [](C c) { return c.log.directory == "/var/log/x"; }},
        {"makestep 1.0 3",
         [](C c) { return c.clock.make_step.threshold_s == 1.0 && c.clock.make_step.limit == 3; }},
        {"makestep 0.1 -1", [](C c) { return c.clock.make_step.limit == -1; }},
        {"manual", [](C c) { return c.process.manual; }},
        {"maxchange 1000 1 2",
         [](C c) {
             const MaxChangeConfig& m = c.clock.max_change;
             return m.max_offset_s == 1000.0 && m.start_update == 1 && m.ignore_count == 2;
         }},
        {"maxclockerror 10", [](C c) { return c.clock.max_clock_error_ppm == 10.0; }},
        {"maxdistance 1", [](C c) { return c.selection.max_distance_s == 1.0; }},
        {"tempcomp /t 30 26000 0.0 0.000183 1e-9",
         [](C c) {
             const TempCompConfig& t = c.clock.temp_comp;
             return t.file == "/t" && t.interval_s == 30.0 && t.t0 == 26000.0 && t.k0 == 0.0 &&
                    t.k1 == 0.000183 && t.k2 == 1e-9 && !t.learn;
         }},
        {"tempcomp /t 0 /points",
         [](C c) {
             const TempCompConfig& t = c.clock.temp_comp;
             return t.points_file == "/points" && t.interval_s == 1.0 && !t.learn;
         }},
        {"tempcomp /t 30 learn",
         [](C c) { return c.clock.temp_comp.learn && c.clock.temp_comp.points_file.empty(); }},
        {"maxdrift 500", [](C c) { return c.clock.max_drift_ppm == 500.0; }},
        {"maxjitter 0.1", [](C c) { return c.selection.max_jitter_s == 0.1; }},
        {"maxsamples 20", [](C c) { return c.selection.max_samples == 20; }},
        {"maxslewrate 500", [](C c) { return c.clock.max_slew_rate_ppm == 500.0; }},
        {"maxstratum 4", [](C c) { return c.selection.max_stratum == 4; }},
        {"maxtxbuffers 1048576", [](C c) { return c.timestamping.max_tx_buffers == 1048576; }},
        {"maxupdateskew 100", [](C c) { return c.clock.max_update_skew_ppm == 100.0; }},
        {"minsamples 4", [](C c) { return c.selection.min_samples == 4; }},
        {"minsources 3", [](C c) { return c.selection.min_sources == 3; }},
        {"servo emg", [](C c) { return c.selection.estimator == "emg"; }},
        {"servo default", [](C c) { return c.selection.estimator.empty(); }},
        {"shadow kalman pi kalman",
         [](C c) {
             return c.selection.shadows == std::vector<std::string>{"kalman", "pi"};
         }},
        {"minstratum 1", [](C c) { return c.selection.min_stratum == 1; }},
        {"noclientlog", [](C c) { return !c.server.client_log; }},
        {"opencommands tracking NTPDATA tracking",
         [](C c) {
             return c.command.open_commands ==
                    std::vector<OpenCommand>{OpenCommand::Tracking, OpenCommand::NtpData};
         }},
        {"opencommands", [](C c) { return c.command.open_commands.empty(); }},
        {"peer a key 1", [](C c) { return c.client.sources[0].kind == SourceKind::Peer; }},
        {"pidfile /p", [](C c) { return c.process.pid_file == "/p"; }},
        {"pidfile /", [](C c) { return c.process.pid_file.empty(); }},
        {"POOL a maxsources 3", [](C c) { return c.client.sources[0].kind == SourceKind::Pool; }},
        {"port 11123", [](C c) { return c.server.port == 11123; }},
        {"ptpport 0", [](C c) { return c.server.ptp_port == 0; }},
        {"ratelimit interval 1 burst 16 leak 3 kod 4",
         [](C c) {
             return c.server.rate_limit == RateLimitConfig{true, 1, 16, 3, 4};
         }},
        {"ratelimit",
         [](C c) {
             return c.server.rate_limit == RateLimitConfig{true, 3, 8, 2, 0};
         }},
        {"refresh 0", [](C c) { return c.client.refresh_s == 0; }},
        {"reselectdist 1e-5", [](C c) { return c.selection.reselect_distance_s == 1e-5; }},
        {"rtcsync", [](C c) { return c.rtc.sync; }},
        {"maxbound 1e-5", [](C c) { return c.clock.max_bound_s == 1e-5; }},
        {"telemetry /t", [](C c) { return c.process.telemetry_socket == "/t"; }},
        {"sched_priority 100", [](C c) { return c.process.sched_priority == 100; }},
        {"server a", [](C c) { return c.client.sources[0].kind == SourceKind::Server; }},
        {"dataplane dpdk af_xdp:eth1 queues 2",
         [](C c) { return c.dataplane.ports.size() == 1 && c.dataplane.ports[0].queues == 2; }},
        {"serverthreads 64", [](C c) { return c.server.threads == 64; }},
        {"smoothtime 0 0", [](C c) { return c.server.smooth_time.max_frequency_ppm == 0.0; }},
        {"sourcedir /a /b",
         [](C c) {
             return c.client.source_dirs == std::vector<std::vector<std::string>>{{"/a", "/b"}};
         }},
        {"stratumweight 0", [](C c) { return c.selection.stratum_weight_s == 0.0; }},
        {"user _chrony2", [](C c) { return c.process.user == "_chrony2"; }},
    };
    return kLines;
}

TEST(Directives, GoodLinesSetTheirFields) {
    for (const Good& line : good_lines()) {
        const ParsedConfig result = parse_text(line.text);
        const std::string text = line.text;
        const Directive* row = find_directive(text.substr(0, text.find(' ')));
        ASSERT_NE(row, nullptr) << text;
        // A row without effect so far says so, and its values are kept all the same.
        const bool may_warn = row->support != Support::Supported;
        EXPECT_TRUE(may_warn ? !has_errors(result.diagnostics) : result.diagnostics.empty())
            << all_text(result.diagnostics);
        if (has_errors(result.diagnostics)) continue;
        EXPECT_TRUE(line.holds(result.config)) << line.text;
    }
}

TEST(Directives, EverySupportedRowHasAGoodLine) {
    for (const DirectiveGroup& group : directive_groups()) {
        for (const Directive& row : group.rows) {
            // include and confdir: see parser_test.cc.
            if (row.support != Support::Supported || row.print == nullptr) continue;
            bool found = false;
            for (const Good& line : good_lines()) {
                const std::string text = line.text;
                found = found || equal_ignoring_case(text.substr(0, text.find(' ')), row.name);
            }
            EXPECT_TRUE(found) << row.name;
        }
    }
}

TEST(Directives, BadLinesAreErrorsAtTheOffendingColumn) {
    const std::vector<std::pair<std::string, int>> cases{
        {"acquisitionport 65536", 17},
        {"acquisitionport -1", 17},
        {"allow 10/33", 7},
        {"allow 1.2.3.4.5", 7},
        {"allow ALL", 7},
        {"allow 1.2.3.4 x", 15},
        {"authselectmode maybe", 16},
        {"bindaddress host", 13},
        {"bindaddress", 1},
        {"bindacqaddress 1.2.3", 16},
        {"bindcmdaddress run", 16},
        {"bindcmdaddress ID#1", 16},
        {"binddevice a b", 14},
        {"clientloglimit -1", 16},
        {"clientloglimit x", 16},
        {"clockprecision x", 16},
        {"cmdport 70000", 9},
        {"cmdratelimit kod 1", 14},
        {"confdir", 1},
        {"corrtimeratio nan", 15},
        {"corrtimeratio 1x", 15},
        {"driftfile", 1},
        {"driftfile /d every 3", 14},
        {"driftfile /d interval", 14},
        {"driftfile /d interval x", 23},
        {"dscp 64", 6},
        {"fallbackdrift 1", 1},
        {"fallbackdrift 1 x", 17},
        {"hwtimestamp", 1},
        {"hwtimestamp e rxfilter some", 24},
        {"hwtimestamp e minpoll 33", 23},
        {"hwtimestamp e fast", 15},
        {"hwtimestamp e txcomp", 15},
        {"include", 1},
        {"leapsecmode never", 13},
        {"leapsecmode", 1},
        {"local stratum 0", 15},
        {"local stratum 16", 15},
        {"local orphan 1", 14},
        {"lock_all 1", 10},
        {"log traking", 5},
        {"log Tracking", 5},
        {"logbanner -1", 11},
        {"makestep 1", 1},
        {"makestep 1 x", 12},
        {"makestep 1 2 3", 14},
        {"makestep 1 2.5", 12},
        {"maxchange 1 2", 1},
        {"maxchange 1 2 x", 15},
        {"maxsamples -1", 12},
        {"maxtxbuffers 1048577", 14},
        {"minsources 0", 12},
        {"servo clairvoyant", 7},
        {"shadow pi clairvoyant", 11},
        {"maxdistance inf", 13},
        {"noclientlog x", 13},
        {"opencommands shutdown", 14},
        {"peer", 1},
        {"port 1e3", 6},
        {"ptpdomain 256", 11},
        {"ratelimit burst 256", 17},
        {"ratelimit interval 33", 20},
        {"ratelimit interval", 11},
        {"refresh 2147483648", 9},
        {"rtcsync x", 9},
        {"sched_priority 101", 16},
        {"serverthreads 65", 15},
        {"serverthreads -1", 15},
        {"sourcedir", 1},
        {"sourcedir 1 2 3 4 5 6 7 8 9 10 11", 32},
        {"user", 1},
        {"port 99999999999999999999", 6},
    };
    for (const auto& [text, column] : cases) {
        const ParsedConfig result = parse_text("\n" + text + "\n");
        ASSERT_TRUE(has_errors(result.diagnostics)) << text;
        const Diagnostic& first = result.diagnostics[0];
        EXPECT_EQ(first.severity, Severity::Error) << text;
        EXPECT_EQ(first.line, 2) << text;
        EXPECT_EQ(first.column, column) << text << "\n" << all_text(result.diagnostics);
        EXPECT_EQ(first.file, kMainFile);
    }
}

TEST(Directives, ARejectedLineLeavesTheDefault) {
    const ParsedConfig result =
        parse_text("port 70000\nmakestep 5 x\nlocal stratum 99\nhwtimestamp e fast\n");
    EXPECT_EQ(result.config.server.port, 123);
    EXPECT_EQ(result.config.clock.make_step.threshold_s, 0.0);
    EXPECT_FALSE(result.config.server.local.enabled);
    EXPECT_TRUE(result.config.timestamping.interfaces.empty());
}

TEST(Directives, ValuesThatChronyClampsAreClampedWithAWarning) {
    const ParsedConfig result = parse_text(
        "clockprecision 5\nmaxdrift 2e5\nmaxstratum 99\nratelimit leak 9 interval -32\n"
        "hwtimestamp e minpoll -9 maxsamples 500\nmaxdistance -1\n");
    EXPECT_FALSE(has_errors(result.diagnostics)) << all_text(result.diagnostics);
    EXPECT_EQ(result.diagnostics.size(), 8u);
    EXPECT_EQ(result.config.clock.precision_s, 1.0);
    EXPECT_EQ(result.config.clock.max_drift_ppm, 1e5);
    EXPECT_EQ(result.config.selection.max_stratum, 15);
    EXPECT_EQ(result.config.server.rate_limit.leak, 4);
    EXPECT_EQ(result.config.server.rate_limit.interval_log2_s, -19);
    EXPECT_EQ(result.config.timestamping.interfaces[0].min_poll_log2_s, -6);
    EXPECT_EQ(result.config.timestamping.interfaces[0].max_samples, 64);
    EXPECT_EQ(result.config.selection.max_distance_s, 0.0);
}

TEST(Directives, NotYetIsAnErrorWhereTimeOrTrustWouldChange) {
    for (const char* text : {"refclock RTC /dev/rtc0", "broadcast 60 192.0.2.255",
                             "initstepslew 30 a", "ptpport 319", "rtcfile /r", "ntsservercert /c",
                             "ntsserverkey /k", "ntpsigndsocket /s", "server a nts"}) {
        EXPECT_TRUE(has_errors(parse_text(text).diagnostics)) << text;
    }
}

TEST(Directives, NotYetAndObsoleteAreWarningsWhereNothingIsLost) {
    for (const char* text :
         {"ntsdumpdir /var/lib/chrony", "ntscachedir /x", "mailonchange a@b 0.5", "rtcautotrim 30",
          "rtconutc", "hwclockfile /etc/adjtime", "ptpdomain 5", "nosystemcert", "dumponexit",
          "commandkey 1", "generatecommandkey", "linux_hz 100", "linux_freq_scale 0.99902439",
          "log rtc"}) {
        const ParsedConfig result = parse_text(text);
        EXPECT_FALSE(has_errors(result.diagnostics)) << text;
        EXPECT_FALSE(result.diagnostics.empty()) << text;
    }
}

TEST(Directives, TheLastLineOfAKindWins) {
    const Config config = parse_text(
                              "port 1\nport 2\nlocal stratum 3 orphan\nlocal\n"
                              "ratelimit burst 3\nratelimit leak 1\n")
                              .config;
    EXPECT_EQ(config.server.port, 2);
    EXPECT_EQ(config.server.local.stratum, 10);
    EXPECT_FALSE(config.server.local.orphan);
    // Rate limit options accumulate.
    EXPECT_EQ(config.server.rate_limit, (RateLimitConfig{true, 3, 3, 1, 0}));
}

TEST(Directives, AccessRulesAndSourcesKeepTheirOrder) {
    const Config config =
        parse_text("allow 10/8\nserver b\ndeny 10.1/16\nallow all 10.1.2/24\npool a\n").config;
    ASSERT_EQ(config.server.access.size(), 3u);
    EXPECT_TRUE(config.server.access[0].allow);
    EXPECT_FALSE(config.server.access[1].allow);
    EXPECT_TRUE(config.server.access[2].all);
    ASSERT_EQ(config.client.sources.size(), 2u);
    EXPECT_EQ(config.client.sources[0].name, "b");
}

TEST(OptionLines, TheCliUsesTheSameOptions) {
    const LocalLine local = parse_local_line({"stratum", "5", "orphan"});
    ASSERT_TRUE(local.local);
    EXPECT_EQ(*local.local, (LocalConfig{true, 5, 1.0, 0.0, true, 0.0, 300.0}));
    const LocalLine bad = parse_local_line({"stratum", "50"});
    EXPECT_FALSE(bad.local);
    ASSERT_EQ(bad.diagnostics.size(), 1u);
    EXPECT_EQ(bad.diagnostics[0].to_string(), "1:15: error: 50 is out of range; expected 1 to 15");
    EXPECT_EQ(parse_ratelimit_line({"kod", "2"}).rate_limit->kod, 2);
    EXPECT_STREQ(to_string(OpenCommand::SourceStats), "sourcestats");
}

}  // namespace
}  // namespace gnomon
