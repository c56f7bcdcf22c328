#include "mgmt/runtime/system_call_filter.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "mgmt/runtime/resolver.h"
#include "mgmt/runtime/storage.h"
#include "tests/unit/mgmt/runtime/temporary_directory.h"

namespace gnomon {
namespace {

/// Runs `action` in a process of its own behind the filter; how the process ended.
template <typename Action>
int status_behind(int level, Action action) {
    const pid_t child = fork();
    if (child == 0) {
        if (!load_system_call_filter(level)) _exit(99);
        _exit(action());
    }
    int status = -1;
    waitpid(child, &status, 0);
    return status;
}

int run_program() {
    execl("/bin/true", "true", nullptr);
    return 0;
}

TEST(SystemCallFilter, BothLevels_KillAProcessThatRunsAProgram) {
    for (const int level : {1, 2}) {
        const int status = status_behind(level, run_program);
        ASSERT_TRUE(WIFSIGNALED(status)) << level;
        EXPECT_EQ(WTERMSIG(status), SIGSYS);
    }
}

TEST(SystemCallFilter, LevelOne_LetsTheDaemonDoItsWork) {
    const TemporaryDirectory directory;
    const std::string path = directory.path() + "/drift";
    const int status = status_behind(1, [&] {
        if (!write_file(path, "1 2\n", 0644) || !read_file(path)) return 1;
        SystemConfigFiles files;
        if (files.list_dir(directory.path(), "drift").size() != 1) return 2;
        EventLoop loop;
        bool answered = false;
        ThreadResolver resolver(
            loop, [&](NameResolver::QueryId, const ResolvedName&) { answered = true; });
        resolver.request(1, "localhost", IpAddress::Family::V4);
        while (!answered) {
            if (!loop.wait(Duration::from_s(10))) return 3;
        }
        return 0;
    });
    ASSERT_TRUE(WIFEXITED(status)) << "killed by signal " << WTERMSIG(status);
    EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(SystemCallFilter, LevelOne_ForbidsProcessesAndOtherSockets) {
    int status = status_behind(1, [] { return fork() == 0 ? 0 : 0; });
    EXPECT_TRUE(WIFSIGNALED(status));
    status = status_behind(1, [] { return socket(AF_PACKET, SOCK_RAW, 0) < 0 ? 0 : 0; });
    EXPECT_TRUE(WIFSIGNALED(status));
}

TEST(SystemCallFilter, NegativeLevel_SendsASignalThatCanBeCaught) {
    const int status = status_behind(-2, [] {
        signal(SIGSYS, [](int) { _exit(7); });
        return run_program();
    });
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 7);
}

TEST(SystemCallFilter, UnknownLevel_IsRefused) {
    EXPECT_TRUE(load_system_call_filter(0));
    EXPECT_EQ(load_system_call_filter(3).error().code, EINVAL);
}

}  // namespace
}  // namespace gnomon
