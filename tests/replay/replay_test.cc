/// clients.pcapng was taken with `gnomonc capture start` from chronyd 4.3 clients (basic, interleaved,
/// with a MAC, denied, too fast, IPv6) and ntpd of ntpsec 1.2.2, in network namespaces.

#include <gtest/gtest.h>

#include <filesystem>

#include "mgmt/lab/options.h"
#include "mgmt/lab/report.h"
#include "mgmt/lab/setup.h"
#include "mgmt/runtime/storage.h"
#include "tests/unit/mgmt/runtime/temporary_directory.h"

namespace gnomon {
namespace {

std::string file(const char* name) { return std::string(GNOMON_REPLAY_DIR) + "/" + name; }

std::span<const std::uint8_t> bytes_of(const std::string& content) {
    return {reinterpret_cast<const std::uint8_t*>(content.data()), content.size()};
}

class Replay : public ::testing::Test {
protected:
    Replay() {
        // The configuration names its keys relative to itself.
        std::filesystem::current_path(GNOMON_REPLAY_DIR);
        content = read_file(file("clients.pcapng")).value_or("");
    }
    CaptureFile capture() const {
        auto opened = CaptureFile::open(bytes_of(content));
        EXPECT_TRUE(opened.has_value());
        return *opened;
    }
    static ReplaySetup configured() {
        auto setup = setup_from_config("clients.conf");
        EXPECT_TRUE(setup.has_value()) << setup.error();
        return *setup;
    }
    std::string content;
};

TEST_F(Replay, CapturedClientsGetWhatTheyAlwaysGot) {
    const ReplayResult result = replay(capture(), configured());
    EXPECT_FALSE(result.error.has_value());
    EXPECT_EQ(counts_text(result), *read_file(file("clients.expected")));
}

TEST_F(Replay, TwoRunsAreAlikeAndTheSeedMatters) {
    const auto replies_of = [this](std::uint64_t seed) {
        std::string all;
        ReplaySetup setup = configured();
        setup.seed = seed;
        setup.on_reply = [&all](const UdpPacket& reply, const Stamp& stamp) {
            all.append(reinterpret_cast<const char*>(reply.payload.data()), reply.payload.size());
            all += std::to_string(stamp.time.ns());
        };
        replay(capture(), setup);
        return all;
    };
    const std::string first = replies_of(1);
    EXPECT_FALSE(first.empty());
    EXPECT_EQ(first, replies_of(1));
    EXPECT_NE(first, replies_of(2));
}

TEST_F(Replay, EveryBurstSizeAnswersAsMany) {
    ReplaySetup setup = open_setup();
    const ReplayResult reference = replay(capture(), setup);
    EXPECT_GT(reference.server.replies, 0u);
    for (const std::size_t burst : {1, 2, 7, 64}) {
        setup.burst = burst;
        const ReplayResult result = replay(capture(), setup);
        EXPECT_EQ(result.server.replies, reference.server.replies) << burst;
        EXPECT_EQ(result.server.drops, reference.server.drops) << burst;
        EXPECT_EQ(result.interleaved, reference.interleaved) << burst;
    }
}

TEST_F(Replay, RepliesBecomeACaptureThatReadsBack) {
    TemporaryDirectory directory;
    const std::string path = directory.path() + "/out.pcapng";
    auto out = ReplyFile::create(path);
    ASSERT_TRUE(out.has_value());
    EXPECT_FALSE(ReplyFile::create(path).has_value());
    ReplaySetup setup = configured();
    setup.on_reply = [&out](const UdpPacket& reply, const Stamp& stamp) {
        out->write(reply, stamp);
    };
    const ReplayResult result = replay(capture(), setup);
    ASSERT_TRUE(out->close());
    const std::string written = *read_file(path);
    auto opened = CaptureFile::open(bytes_of(written));
    ASSERT_TRUE(opened.has_value());
    std::uint64_t count = 0;
    while (true) {
        const auto packet = opened->next();
        ASSERT_TRUE(packet.has_value());
        if (!packet->has_value()) break;
        EXPECT_EQ((*packet)->direction, CaptureFilePacket::Direction::Out);
        const auto udp = extract_datagram((*packet)->link, (*packet)->bytes);
        ASSERT_TRUE(udp.packet.has_value());
        EXPECT_EQ(udp.packet->source.port, 123);
        ++count;
    }
    EXPECT_EQ(count, result.server.replies);
}

TEST_F(Replay, SummaryNamesTheClients) {
    const std::string text = summary_text(replay(capture(), open_setup()), 3);
    EXPECT_NE(text.find("127.0.0.6"), std::string::npos);
    EXPECT_NE(text.find("version      4"), std::string::npos);
    EXPECT_NE(text.find("uses         mac"), std::string::npos);
}

TEST_F(Replay, AnErrorInTheFileIsToldWithWhatCameBefore) {
    const std::string cut = content.substr(0, content.size() / 2 + 1);
    const auto opened = CaptureFile::open(bytes_of(cut));
    ASSERT_TRUE(opened.has_value());
    const ReplayResult result = replay(*opened, open_setup());
    ASSERT_TRUE(result.error.has_value());
    EXPECT_LT(result.error->offset, cut.size());
    EXPECT_GT(result.server.replies, 0u);
}

TEST(LabOptions, ReadsBothCommands) {
    const char* replay_line[] = {"gnomon-lab", "replay", "f",       "--config", "c",
                                 "--write",    "o",      "--speed", "2.5",      "--burst",
                                 "8",          "--seed", "9"};
    const LabOptions options = parse_lab_options(13, replay_line);
    EXPECT_EQ(options.action, LabOptions::Action::Replay);
    EXPECT_EQ(options.file, "f");
    EXPECT_EQ(options.config_file, "c");
    EXPECT_EQ(options.output_file, "o");
    EXPECT_EQ(options.speed, 2.5);
    EXPECT_EQ(options.burst, 8u);
    EXPECT_EQ(options.seed, 9u);
    const char* summary_line[] = {"gnomon-lab", "capture", "summary", "--clients", "5", "f"};
    const LabOptions summary = parse_lab_options(6, summary_line);
    EXPECT_EQ(summary.action, LabOptions::Action::Summary);
    EXPECT_EQ(summary.clients, 5u);
    EXPECT_EQ(summary.file, "f");
}

TEST(LabOptions, RefusesWhatItDoesNotKnow) {
    const std::vector<std::vector<const char*>> lines = {
        {"lab", "play", "f"},
        {"lab", "replay"},
        {"lab", "replay", "f", "g"},
        {"lab", "replay", "f", "--burst", "65"},
        {"lab", "replay", "f", "--burst", "0"},
        {"lab", "replay", "f", "--speed", "-1"},
        {"lab", "replay", "f", "--speed"},
        {"lab", "replay", "f", "--clients", "3"},
        {"lab", "capture", "summary", "f", "--config", "c"},
        {"lab", "capture", "f"},
    };
    for (const auto& line : lines) {
        const LabOptions options = parse_lab_options(static_cast<int>(line.size()), line.data());
        EXPECT_EQ(options.action, LabOptions::Action::Refuse) << line.back();
        EXPECT_FALSE(options.error.empty());
    }
}

}  // namespace
}  // namespace gnomon
