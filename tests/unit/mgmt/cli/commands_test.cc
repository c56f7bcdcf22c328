#include "mgmt/cli/commands.h"

#include <gtest/gtest.h>

#include <map>

#include "mgmt/cli/program.h"

namespace gnomon::cli {
namespace {

using command::Command;
using command::Status;

class FakeChannel : public Channel {
public:
    std::optional<Reply> exchange(Command command, const command::RequestBody& body) override {
        requests.emplace_back(command, body);
        const auto found = replies.find(command);
        return found == replies.end() ? std::optional<Reply>() : found->second;
    }
    void set_timeout(std::chrono::milliseconds initial) override { timeout = initial; }
    void set_retries(int count) override { retries = count; }

    std::map<Command, Reply> replies;
    std::vector<std::pair<Command, command::RequestBody>> requests;
    std::chrono::milliseconds timeout{0};
    int retries = -1;
};

class FakeResolver : public Resolver {
public:
    std::vector<IpAddress> addresses(const std::string& name) override {
        const auto literal = IpAddress::parse(name);
        return literal ? std::vector<IpAddress>{*literal} : std::vector<IpAddress>();
    }
    std::string name(const IpAddress&) override { return "a-rather-long-name.of.example.net"; }
    void set_family(IpAddress::Family) override {}
};

class FakeTerminal : public Terminal {
public:
    void out(std::string_view text) override { output += text; }
    void error(std::string_view line) override { errors += std::string(line) + "\n"; }
    bool flush() override { return true; }
    bool sleep(double seconds) override {
        slept_s += seconds;
        return true;
    }
    bool stop_requested() override { return false; }

    std::string output;
    std::string errors;
    double slept_s = 0.0;
};

std::vector<std::string> split_lines(const std::string& text) {
    std::vector<std::string> lines;
    std::size_t from = 0;
    while (from < text.size()) {
        const std::size_t end = text.find('\n', from);
        lines.push_back(text.substr(from, end - from));
        from = end + 1;
    }
    return lines;
}

class Commands : public ::testing::Test {
protected:
    bool run(std::string_view line) {
        terminal.output.clear();
        terminal.errors.clear();
        return process_line(session, line);
    }
    void answer(Command command, command::ReplyBody body) {
        channel.replies[command] = Reply{Status::Success, std::move(body)};
    }
    void refuse(Command command, Status status) {
        channel.replies[command] = Reply{status, command::NoArguments{}};
    }

    Settings settings;
    FakeChannel channel;
    FakeResolver resolver;
    FakeTerminal terminal;
    Session session{settings, channel, resolver, terminal};
};

TEST_F(Commands, TableHasEveryCommandOnce) {
    const auto& table = command_table();
    EXPECT_EQ(table.size(), 68U);
    for (std::size_t i = 1; i < table.size(); ++i) EXPECT_LT(table[i - 1].name, table[i].name);
}

TEST_F(Commands, ActionsShowTheirStatus) {
    answer(Command::Makestep, command::NoArguments{});
    EXPECT_TRUE(run("makestep"));
    EXPECT_EQ(terminal.output, "200 OK\n");
    refuse(Command::Makestep, Status::Unauthorised);
    EXPECT_FALSE(run("makestep"));
    EXPECT_EQ(terminal.output, "501 Not authorised\n");
    refuse(Command::Accheck, Status::AccessDenied);
    EXPECT_TRUE(run("accheck 192.0.2.1"));
    EXPECT_EQ(terminal.output, "209 Access denied\n");
    refuse(Command::Makestep, static_cast<Status>(4711));
    EXPECT_FALSE(run("makestep"));
    EXPECT_EQ(terminal.output, "520 Got unexpected error from daemon\n");
}

TEST_F(Commands, CaptureStartSendsFileLimitsAndPort) {
    answer(Command::CaptureStart, command::CaptureReport{});
    EXPECT_TRUE(run("capture start a.pcapng seconds 10 size 5 port eth1 packets 7"));
    EXPECT_EQ(terminal.output, "200 OK\n");
    const auto& request = std::get<command::CaptureRequest>(channel.requests.back().second);
    EXPECT_EQ(request.file, "a.pcapng");
    EXPECT_EQ(request.port, "eth1");
    EXPECT_EQ(request.limit_s, 10U);
    EXPECT_EQ(request.limit_mb, 5U);
    EXPECT_EQ(request.limit_packets, 7U);
}

TEST_F(Commands, TopShowsPagesUntilEnoughClients) {
    command::TopReport report;
    report.known = 20;
    report.window_s = 60.0;
    report.total_rate = 100.0;
    report.sampling = 4;
    command::TopClient client;
    client.address = *IpAddress::parse("192.0.2.1");
    client.rate = 25.0;
    client.error = 0.5;
    client.version = 4;
    client.mode = 3;
    client.poll = -2;
    client.has_mac = true;
    client.limited = 1.5;
    client.abuse = 6.0;
    report.clients.assign(8, client);
    settings.no_dns = true;
    answer(Command::ClientTop, report);
    EXPECT_TRUE(run("top 1"));
    EXPECT_EQ(
        terminal.output,
        "100.0 requests/s, mean of 60 s, one request in 4 looked at; others below 0.000/s\n"
        "Client                        Rate/s       +/-  Share Ver Mode      Poll Flg Limited/s "
        "Dropped/s Abuse\n" +
            std::string(102, '=') +
            "\n192.0.2.1                     25.000     0.500  25.0%   4 client      -2 M--     "
            "1.500     0.000     6\n");
    channel.requests.clear();
    EXPECT_TRUE(run("top 12"));
    ASSERT_EQ(channel.requests.size(), 2U);
    EXPECT_EQ(std::get<command::IntegerArgument>(channel.requests[1].second).value, 8);
    EXPECT_FALSE(run("top 0"));
    EXPECT_FALSE(run("top many"));
    settings.format = Format::Csv;
    EXPECT_TRUE(run("top 1"));
    EXPECT_EQ(terminal.output, "192.0.2.1,25.000,0.500,25.0,4,client,-2,M--,1.500,0.000,6\n");
}

TEST_F(Commands, AnalyticsShowsWhatOccurs) {
    command::AnalyticsReport report;
    report.total = 4.0;
    report.window_s = 10.0;
    report.version[3] = 1.0;
    report.version[4] = 3.0;
    report.poll[0] = 4.0;
    report.measured[14] = 7.0;
    answer(Command::Analytics, report);
    EXPECT_TRUE(run("analytics"));
    EXPECT_EQ(terminal.output,
              "4.0 requests/s, mean of 10 s, all requests looked at\n"
              "Property     Value              Amount    Share\n" +
                  std::string(47, '=') +
                  "\n"
                  "requests     all                 4.000   100.0%\n"
                  "version      3                   1.000    25.0%\n"
                  "version      4                   3.000    75.0%\n"
                  "poll         <=-8                4.000   100.0%\n"
                  "clients-poll 6                   7.000   100.0%\n");
}

TEST_F(Commands, CaptureRefusesWhatItDoesNotUnderstand) {
    for (const char* line :
         {"capture start", "capture start f seconds", "capture start f size 0",
          "capture start f port", "capture start f speed 3", "capture pause", "capture stop now"}) {
        EXPECT_FALSE(run(line)) << line;
        EXPECT_EQ(terminal.errors, "Invalid syntax for capture command\n") << line;
    }
    EXPECT_FALSE(run("capture start " + std::string(256, 'f')));
    EXPECT_FALSE(run("capture start f port " + std::string(64, 'p')));
    EXPECT_TRUE(channel.requests.empty());
}

TEST_F(Commands, CaptureTellsWhyItDidNotStart) {
    command::CaptureReport report;
    report.refused = 17;
    answer(Command::CaptureStart, report);
    answer(Command::CaptureStop, report);
    EXPECT_FALSE(run("capture start f"));
    EXPECT_EQ(terminal.errors, "Could not start the capture : File exists\n");
    EXPECT_FALSE(run("capture stop"));
    EXPECT_EQ(terminal.errors, "No capture is running\n");
}

TEST_F(Commands, CaptureStatusShowsTheFileAndItsCounters) {
    command::CaptureReport report;
    report.state = command::CaptureReport::State::DiskFull;
    report.error = 28;
    report.path = "/var/log/f";
    report.packets = 12;
    report.lost = 3;
    report.bytes = 4567;
    report.limit_mb = 100;
    report.limit_s = 300;
    report.elapsed_s = 1.25;
    answer(Command::CaptureStatus, report);
    EXPECT_TRUE(run("capture status"));
    EXPECT_EQ(terminal.output,
              "State           : ended: disk full (No space left on device)\n"
              "File            : /var/log/f\n"
              "Port            : all\n"
              "Taps            : 0\n"
              "Packets written : 12\n"
              "Packets lost    : 3\n"
              "Bytes           : 4567\n"
              "Elapsed         : 1.2 seconds\n"
              "Size limit      : 100 MB\n"
              "Time limit      : 300 seconds\n"
              "Packet limit    : 0 (none)\n");
    settings.format = Format::Csv;
    EXPECT_TRUE(run("capture"));
    EXPECT_EQ(
        terminal.output,
        "ended: disk full (No space left on device),/var/log/f,all,0,12,3,4567,1.2,100,300,0\n");
}

TEST_F(Commands, SilenceIs506AndAnotherReplyIs508) {
    EXPECT_FALSE(run("tracking"));
    EXPECT_EQ(terminal.output, "506 Cannot talk to daemon\n");
    answer(Command::Tracking, command::ActivityReport{});
    EXPECT_FALSE(run("tracking"));
    EXPECT_EQ(terminal.output, "508 Bad reply from daemon\n");
    channel.replies[Command::Tracking] = Reply{Status::Success, std::nullopt};
    EXPECT_FALSE(run("tracking"));
    EXPECT_EQ(terminal.output, "508 Bad reply from daemon\n");
}

TEST_F(Commands, UnknownCommandsAreErrorsAndEmptyLinesAreNot) {
    EXPECT_FALSE(run("nonsense"));
    EXPECT_EQ(terminal.errors, "Unrecognized command\n");
    EXPECT_FALSE(run("Tracking"));
    EXPECT_TRUE(run("  # comment"));
    EXPECT_EQ(terminal.output, "");
}

TEST_F(Commands, EndDotFollowsEachResponse) {
    settings.end_dot = true;
    answer(Command::Dump, command::NoArguments{});
    run("dump");
    EXPECT_EQ(terminal.output, "200 OK\n.\n");
}

TEST_F(Commands, LongHostNamesAreCutWithAMark) {
    answer(Command::SourceCount, command::SourceCountReport{1});
    command::SourceReport source;
    source.address = *IpAddress::parse("192.0.2.1");
    answer(Command::SourceData, source);
    EXPECT_TRUE(run("sources"));
    EXPECT_NE(terminal.output.find("^? a-rather-long-name.of.ex>    "), std::string::npos);
    settings.no_dns = true;
    EXPECT_TRUE(run("sources"));
    EXPECT_NE(terminal.output.find("^? 192.0.2.1 "), std::string::npos);
}

TEST_F(Commands, UnprintableSourceNamesAreNotShown) {
    settings.source_names = true;
    answer(Command::SourceCount, command::SourceCountReport{1});
    answer(Command::SourceData, command::SourceReport{});
    answer(Command::NtpSourceName, command::SourceNameReport{"evil\x1b[2J"});
    EXPECT_TRUE(run("sources"));
    EXPECT_NE(terminal.output.find("^? ?  "), std::string::npos);
}

TEST_F(Commands, UnresolvedSourcesAreShownOnRequest) {
    answer(Command::SourceCount, command::SourceCountReport{1});
    command::SourceReport source;
    source.address = IpAddress::id(1);
    answer(Command::SourceData, source);
    settings.format = Format::Csv;
    run("sources");
    EXPECT_EQ(terminal.output, "");
    run("sources -a");
    EXPECT_EQ(terminal.output.substr(0, 18), "^,?,ID#0000000001,");
}

TEST_F(Commands, JsonListsAreArraysAndErrorsAreObjects) {
    settings.format = Format::Json;
    answer(Command::SourceCount, command::SourceCountReport{2});
    answer(Command::SourceStats, command::SourceStatsReport{});
    EXPECT_TRUE(run("sourcestats"));
    const auto json = nlohmann::json::parse(terminal.output);
    ASSERT_EQ(json.size(), 2U);
    EXPECT_EQ(json[0]["samples"], 0);
    refuse(Command::SourceStats, Status::Unauthorised);
    EXPECT_FALSE(run("sourcestats"));
    EXPECT_EQ(nlohmann::json::parse(terminal.output)["status"], 2);
    answer(Command::Activity, command::ActivityReport{});
    EXPECT_TRUE(run("activity"));
    EXPECT_EQ(nlohmann::json::parse(terminal.output)["online"], 0);
}

TEST_F(Commands, ServosMarksTheOneThatSteers) {
    answer(Command::SourceCount, command::SourceCountReport{1});
    command::ServosReport report;
    report.address = *IpAddress::parse("192.0.2.1");
    report.servos.resize(2);
    report.servos[0] = {"emg", true, 1e-6, 2e-7, -1.5, 0.01, 200, 3e-6};
    report.servos[1].name = "pi";
    answer(Command::ServoData, report);
    settings.format = Format::Csv;
    settings.no_dns = true;
    EXPECT_TRUE(run("servos"));
    EXPECT_EQ(terminal.output,
              "*,192.0.2.1,emg,-0.000001000,0.000000200,-1.500,0.010,200,0.000003000\n"
              " ,192.0.2.1,pi,0.000000000,0.000000000,0.000,0.000,0,0.000000000\n");
    refuse(Command::ServoData, Status::Invalid);
    EXPECT_FALSE(run("servos"));
}

TEST_F(Commands, StateSaysWhyAndHowWrongTheClockMayBe) {
    command::StateReport report;
    report.kind = ClockStateKind::Holdover;
    report.reason = ClockReason::NoReply;
    report.in_spec = true;
    report.bound_known = true;
    report.bound_s = 0.0009765625;
    report.bound_growth_ppm = 1.5;
    report.limit_s = 0.125;
    report.breach_in_s = 82000.0;
    answer(Command::State, report);
    EXPECT_TRUE(run("state"));
    EXPECT_NE(terminal.output.find("HOLDOVER (in spec)"), std::string::npos) << terminal.output;
    EXPECT_NE(terminal.output.find("no-reply (no source answers)"), std::string::npos);
    EXPECT_NE(terminal.output.find("0.000976562 seconds"), std::string::npos) << terminal.output;
    EXPECT_NE(terminal.output.find("82000 seconds"), std::string::npos);
    refuse(Command::State, Status::Invalid);
    EXPECT_FALSE(run("state"));
}

TEST_F(Commands, DataplaneAsksForAllPartsAndPutsThemTogether) {
    using command::DataplanePart;
    command::DataplaneReport report;
    report.ports = 1;
    report.workers = 2;
    report.drops = 3;
    report.port.device = "af_xdp:eth1";
    report.port.driver = "net_af_xdp";
    report.port.health = PortHealth::Healthy;
    report.port.serving = true;
    report.worker.queue = 1;
    report.worker.replies = 42;
    report.dropped = {{"rate-limited", 5}, {"bad-checksum", 1}};
    answer(Command::DataplaneData, report);
    settings.format = Format::Csv;
    EXPECT_TRUE(run("dataplane"));
    const auto rows = split_lines(terminal.output);
    // The fake gives two drops however often it is asked: 2 + 2 ≥ 3.
    ASSERT_EQ(rows.size(), 1u + 2u + 2u * 4u) << terminal.output;
    EXPECT_EQ(rows[0].substr(0, 58), "port,0,af_xdp:eth1,net_af_xdp,shared,healthy,port,0,0,,0,0");
    EXPECT_EQ(rows[1].substr(0, 11), "worker,0,1,");
    EXPECT_EQ(rows[2], "drop,0,1,rate-limited,5");
    std::vector<DataplanePart> parts;
    for (const auto& [command, body] : channel.requests) {
        parts.push_back(std::get<command::DataplaneQuery>(body).part);
    }
    EXPECT_EQ(parts, (std::vector<DataplanePart>{DataplanePart::Port, DataplanePart::Worker,
                                                 DataplanePart::Drops, DataplanePart::Drops,
                                                 DataplanePart::Worker, DataplanePart::Drops,
                                                 DataplanePart::Drops}));

    settings.format = Format::Json;
    EXPECT_TRUE(run("dataplane"));
    const auto json = nlohmann::json::parse(terminal.output);
    ASSERT_EQ(json.size(), 1u);
    EXPECT_EQ(json[0]["served_by"], "port");
    EXPECT_EQ(json[0]["workers"][1]["replies"], 42);
    EXPECT_EQ(json[0]["workers"][0]["drops"]["rate-limited"], 5);

    settings.format = Format::Text;
    EXPECT_TRUE(run("dataplane"));
    EXPECT_NE(terminal.output.find("Health          : healthy\n"), std::string::npos);
    EXPECT_NE(terminal.output.find("Dropped: rate-limited 5, bad-checksum 1"), std::string::npos);
    refuse(Command::DataplaneData, Status::NotEnabled);
    EXPECT_FALSE(run("dataplane"));
}

TEST_F(Commands, WaitsyncTriesUntilTheLimitsHold) {
    command::TrackingReport report;
    report.ref_id = RefId::local();
    answer(Command::Tracking, report);
    EXPECT_FALSE(run("waitsync 3 0 0 0.01"));
    EXPECT_NEAR(terminal.slept_s, 0.2, 1e-9);
    report.ref_id = RefId::from_text("GPS");
    report.system_offset_s = -0.5;
    answer(Command::Tracking, report);
    EXPECT_FALSE(run("waitsync 1 0.1"));
    EXPECT_TRUE(run("waitsync 1 0.6"));
    EXPECT_EQ(terminal.output, "try: 1, refid: 47505300, correction: 0.500000000, skew: 0.000\n");
}

TEST_F(Commands, ClientsPageThroughTheTableAndEndWithADaemonThatDoesNot) {
    command::ClientAccessReport page;
    page.indices = 100;
    page.next_index = 8;
    page.clients.resize(8);
    answer(Command::ClientAccesses, page);
    EXPECT_TRUE(run("clients -p 5 -r"));
    ASSERT_EQ(channel.requests.size(), 2U);
    const auto& range = std::get<command::ClientRange>(channel.requests[1].second);
    EXPECT_EQ(range.first_index, 8U);
    EXPECT_EQ(range.min_hits, 5U);
    EXPECT_TRUE(range.reset);
}

TEST_F(Commands, ClientSettingsStayInTheClient) {
    EXPECT_TRUE(run("timeout 250"));
    EXPECT_EQ(channel.timeout.count(), 250);
    EXPECT_FALSE(run("timeout 99"));
    EXPECT_EQ(terminal.errors, "Timeout 99 is too short\n");
    EXPECT_TRUE(run("retries 0"));
    EXPECT_EQ(channel.retries, 0);
    EXPECT_FALSE(run("retries 31"));
    EXPECT_TRUE(run("dns -n"));
    EXPECT_TRUE(settings.no_dns);
    EXPECT_TRUE(run("password x"));
    EXPECT_TRUE(channel.requests.empty());
    EXPECT_TRUE(run("quit"));
    EXPECT_TRUE(session.quit_requested());
}

TEST_F(Commands, KeygenMakesKeysOfTheTypesLength) {
    EXPECT_TRUE(run("keygen"));
    EXPECT_EQ(terminal.output.substr(0, 11), "1 SHA1 HEX:");
    EXPECT_EQ(terminal.output.size(), 11U + 40 + 1);
    EXPECT_TRUE(run("keygen 7 AES128 512"));
    EXPECT_EQ(terminal.output.size(), std::string("7 AES128 HEX:").size() + 32 + 1);
    EXPECT_TRUE(run("keygen 2 MD5 8"));
    EXPECT_EQ(terminal.output.size(), std::string("2 MD5 HEX:").size() + 20 + 1);
    EXPECT_FALSE(run("keygen 1 NONSENSE"));
    EXPECT_FALSE(run("keygen x"));
}

TEST(Identity, FollowsTheNameOfTheProgram) {
    EXPECT_EQ(Identity::from_program_path("/usr/bin/chronyc").default_hosts,
              "/run/chrony/chronyd.sock,127.0.0.1,::1");
    EXPECT_EQ(Identity::from_program_path("gnomonc").default_hosts,
              "/run/gnomon/gnomond.sock,127.0.0.1,::1");
}

}  // namespace
}  // namespace gnomon::cli
