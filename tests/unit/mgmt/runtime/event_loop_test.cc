#include "mgmt/runtime/event_loop.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

namespace gnomon {
namespace {

struct Pipe {
    Pipe() { EXPECT_EQ(pipe(fds), 0); }
    ~Pipe() {
        close(fds[0]);
        close(fds[1]);
    }
    void put() const { EXPECT_EQ(write(fds[1], "x", 1), 1); }
    void take() const {
        char byte = 0;
        EXPECT_EQ(read(fds[0], &byte, 1), 1);
    }
    int fds[2] = {-1, -1};
};

Duration monotonic() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return Duration::from_s(now.tv_sec) + Duration::from_ns(now.tv_nsec);
}

TEST(EventLoop, Wait_CallsTheHandlerOfWhatIsReady) {
    EventLoop loop;
    const Pipe quiet;
    const Pipe busy;
    int calls = 0;
    loop.watch(quiet.fds[0], EventLoop::kReadable, [](EventLoop::Events) { FAIL(); });
    loop.watch(busy.fds[0], EventLoop::kReadable, [&](EventLoop::Events events) {
        EXPECT_EQ(events, EventLoop::kReadable);
        busy.take();
        ++calls;
    });
    busy.put();
    EXPECT_EQ(*loop.wait(std::nullopt), EventLoop::Wake::Ready);
    EXPECT_EQ(calls, 1);
    EXPECT_EQ(*loop.wait(Duration::zero()), EventLoop::Wake::Timeout);
    loop.watch(busy.fds[1], EventLoop::kWritable, [&](EventLoop::Events events) {
        EXPECT_EQ(events, EventLoop::kWritable);
        ++calls;
    });
    EXPECT_EQ(*loop.wait(std::nullopt), EventLoop::Wake::Ready);
    EXPECT_EQ(calls, 2);
}

TEST(EventLoop, Timeout_IsNeverEarly) {
    EventLoop loop;
    for (const std::int64_t ns : {1LL, 999LL, 1001LL, 1'500'001LL}) {
        const Duration before = monotonic();
        EXPECT_EQ(*loop.wait(Duration::from_ns(ns)), EventLoop::Wake::Timeout);
        EXPECT_GE(monotonic() - before, Duration::from_ns(ns));
    }
}

TEST(EventLoop, Handler_MayUnwatchItselfAndOthers) {
    EventLoop loop;
    const Pipe first;
    const Pipe second;
    int calls = 0;
    const auto handler = [&](EventLoop::Events) {
        ++calls;
        loop.unwatch(first.fds[0]);
        loop.unwatch(second.fds[0]);
    };
    loop.watch(first.fds[0], EventLoop::kReadable, handler);
    loop.watch(second.fds[0], EventLoop::kReadable, handler);
    first.put();
    second.put();
    EXPECT_EQ(*loop.wait(std::nullopt), EventLoop::Wake::Ready);
    EXPECT_EQ(calls, 1);
    EXPECT_FALSE(loop.watches(first.fds[0]));
}

TEST(EventLoop, DescriptorWatchedAnew_DoesNotInheritReadiness) {
    EventLoop loop;
    const Pipe first;
    const Pipe second;
    int stale = 0;
    loop.watch(first.fds[0], EventLoop::kReadable, [&](EventLoop::Events) {
        // As when a socket is closed and its number comes back with the next one.
        loop.watch(second.fds[0], EventLoop::kReadable, [&](EventLoop::Events) { ++stale; });
    });
    loop.watch(second.fds[0], EventLoop::kReadable, [](EventLoop::Events) { FAIL(); });
    first.put();
    second.put();
    EXPECT_EQ(*loop.wait(std::nullopt), EventLoop::Wake::Ready);
    EXPECT_EQ(stale, 0);
}

TEST(EventLoop, DescriptorsBeyondSelect_AreWaitedForToo) {
    rlimit limit{};
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_max < 2048) GTEST_SKIP() << "the limit of descriptors is too low";
    limit.rlim_cur = 2048;
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    const Pipe pipe;
    const int high = fcntl(pipe.fds[0], F_DUPFD, 1500);
    ASSERT_GE(high, 1500);
    EventLoop loop;
    int calls = 0;
    loop.watch(high, EventLoop::kReadable, [&](EventLoop::Events) { ++calls; });
    EXPECT_EQ(*loop.wait(Duration::zero()), EventLoop::Wake::Timeout);
    pipe.put();
    EXPECT_EQ(*loop.wait(std::nullopt), EventLoop::Wake::Ready);
    EXPECT_EQ(calls, 1);
    close(high);
}

TEST(SignalFlag, Signal_EndsAWaitThatHasNotBegunYet) {
    const SignalFlag flag;
    EventLoop loop;
    EXPECT_EQ(flag.caught(), 0);
    raise(SIGHUP);
    EXPECT_EQ(flag.caught(), SIGHUP);
    EXPECT_EQ(*loop.wait(std::nullopt), EventLoop::Wake::Interrupted);
}

}  // namespace
}  // namespace gnomon
