#include "mgmt/runtime/capture_writer.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <thread>

#include "dataplane/capture/capture_file.h"
#include "mgmt/runtime/storage.h"
#include "tests/unit/mgmt/runtime/temporary_directory.h"

namespace gnomon::testing {
namespace {

class CaptureWriterTest : public ::testing::Test {
protected:
    CaptureWriterTest() : writer(taps, directory.path()) {
        tap = &taps.tap("server/0", "sockets", CaptureLink::Ip);
        taps.tap("eth1/0", "queue", CaptureLink::Ethernet);
    }

    std::string path(const std::string& name) const { return directory.path() + "/" + name; }

    void offer(int count) {
        const std::vector<std::uint8_t> payload(48, 0x23);
        for (int i = 0; i < count; ++i) {
            Stamp stamp;
            stamp.time = SystemTime::from_ns(1'000'000'000 + offered++);
            stamp.source = TimestampSource::Kernel;
            tap->offer_datagram({*IpAddress::parse("192.0.2.1"), 40000},
                                {*IpAddress::parse("192.0.2.2"), 123}, payload, stamp,
                                CaptureDirection::In);
        }
    }

    /// Until the capture has ended by itself; the tests' own time limit is the patience.
    void wait_for_end() {
        while (!writer.take_ended()) std::this_thread::yield();
    }

    /// Packets in a file that must be sound.
    int packets_in(const std::string& file) const {
        const auto content = read_file(file);
        EXPECT_TRUE(content.has_value());
        const std::span bytes(reinterpret_cast<const std::uint8_t*>(content->data()),
                              content->size());
        auto opened = CaptureFile::open(bytes);
        EXPECT_TRUE(opened.has_value());
        int count = 0;
        std::int64_t last = 0;
        while (true) {
            const auto packet = opened->next();
            EXPECT_TRUE(packet.has_value()) << packet.error().to_string();
            if (!packet || !packet->has_value()) return count;
            EXPECT_GT((*packet)->stamp.time.ns(), last);
            EXPECT_EQ((*packet)->stamp.source, TimestampSource::Kernel);
            last = (*packet)->stamp.time.ns();
            ++count;
        }
    }

    TemporaryDirectory directory;
    CaptureTaps taps;
    CaptureTap* tap = nullptr;
    CaptureWriter writer;
    std::int64_t offered = 0;
};

TEST_F(CaptureWriterTest, CaptureWriter_WritesWhatTapsWereShownUntilStopped) {
    ASSERT_TRUE(writer.start("a.pcapng", {}, ""));
    EXPECT_TRUE(tap->active());
    offer(1000);
    ASSERT_TRUE(writer.stop());
    EXPECT_FALSE(tap->active());
    const CaptureStatus status = writer.status();
    EXPECT_EQ(status.end, CaptureEnd::Stopped);
    EXPECT_EQ(status.packets, 1000u);
    EXPECT_EQ(status.lost, 0u);
    EXPECT_EQ(status.taps, 2u);
    EXPECT_EQ(packets_in(path("a.pcapng")), 1000);
    struct stat info {};
    ASSERT_EQ(stat(path("a.pcapng").c_str(), &info), 0);
    EXPECT_EQ(static_cast<std::uint64_t>(info.st_size), status.bytes);
    EXPECT_EQ(
        info.st_mode & 07777, 0640u & ~[] {
            const mode_t mask = umask(0);
            umask(mask);
            return mask;
        }());
}

TEST_F(CaptureWriterTest, CaptureWriter_CapturesAgainAfterStopping) {
    for (const char* name : {"one", "two"}) {
        ASSERT_TRUE(writer.start(name, {}, "server"));
        offer(10);
        ASSERT_TRUE(writer.stop());
        EXPECT_EQ(packets_in(path(name)), 10);
    }
    EXPECT_EQ(writer.stop().error().code, ESRCH);
}

TEST_F(CaptureWriterTest, CaptureWriter_RunsOnlyOneCaptureAtATime) {
    ASSERT_TRUE(writer.start("one", {}, ""));
    const auto second = writer.start("two", {}, "");
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, EBUSY);
}

TEST_F(CaptureWriterTest, CaptureWriter_TouchesNoFileThatExistsAndFollowsNoLink) {
    ASSERT_TRUE(write_file(path("mine"), "keep", 0600));
    EXPECT_EQ(writer.start("mine", {}, "").error().code, EEXIST);
    EXPECT_EQ(*read_file(path("mine")), "keep");
    ASSERT_EQ(symlink(path("elsewhere").c_str(), path("link").c_str()), 0);
    EXPECT_FALSE(writer.start("link", {}, ""));
    EXPECT_NE(access(path("elsewhere").c_str(), F_OK), 0);
}

TEST_F(CaptureWriterTest, CaptureWriter_TakesPlainNamesAndAbsolutePathsOnly) {
    for (const char* name : {"", "../up", "a/b", ".hidden", "."}) {
        EXPECT_EQ(writer.start(name, {}, "").error().code, EINVAL) << name;
    }
    CaptureWriter homeless(taps, "");
    EXPECT_EQ(homeless.start("plain", {}, "").error().code, EINVAL);
    EXPECT_TRUE(homeless.start(path("absolute"), {}, ""));
}

TEST_F(CaptureWriterTest, CaptureWriter_RefusesPortsThatNobodyHas) {
    EXPECT_EQ(writer.start("a", {}, "eth9").error().code, ENODEV);
    EXPECT_NE(access(path("a").c_str(), F_OK), 0);
}

TEST_F(CaptureWriterTest, CaptureWriter_ShowsOnlyThePortAskedFor) {
    ASSERT_TRUE(writer.start("a", {}, "eth1"));
    EXPECT_FALSE(tap->active());
    ASSERT_TRUE(writer.stop());
}

TEST_F(CaptureWriterTest, CaptureWriter_EndsAtEachLimit) {
    CaptureLimits size;
    size.bytes = 5000;
    ASSERT_TRUE(writer.start("size", size, ""));
    offer(1000);
    wait_for_end();
    EXPECT_EQ(writer.status().end, CaptureEnd::Size);
    EXPECT_GT(packets_in(path("size")), 10);

    CaptureLimits packets;
    packets.packets = 7;
    ASSERT_TRUE(writer.start("packets", packets, ""));
    offer(100);
    wait_for_end();
    EXPECT_EQ(writer.status().end, CaptureEnd::Packets);
    EXPECT_EQ(packets_in(path("packets")), 7);

    CaptureLimits time;
    time.duration = Duration::from_ms(3);
    ASSERT_TRUE(writer.start("time", time, ""));
    wait_for_end();
    EXPECT_EQ(writer.status().end, CaptureEnd::Duration);
    EXPECT_FALSE(tap->active());
    EXPECT_EQ(packets_in(path("time")), 0);
}

TEST_F(CaptureWriterTest, CaptureWriter_StopsWhenTheDiskIsFullAndLeavesASoundFile) {
    // A limit of the process stands in for a disk of that size.
    rlimit before{};
    ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
    const auto handler = signal(SIGXFSZ, SIG_IGN);
    const rlimit small{20'000, before.rlim_max};
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
    ASSERT_TRUE(writer.start("full", {}, ""));
    while (writer.status().end == CaptureEnd::Running) {
        offer(100);
        std::this_thread::yield();
    }
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);
    EXPECT_TRUE(writer.take_ended());
    EXPECT_EQ(writer.status().end, CaptureEnd::DiskFull);
    EXPECT_EQ(writer.status().error, EFBIG);
    EXPECT_FALSE(tap->active());
    EXPECT_LE(writer.status().bytes, 20'000u);
    EXPECT_GT(packets_in(path("full")), 10);
}

}  // namespace
}  // namespace gnomon::testing
