#include "mgmt/runtime/system_call_filter.h"

#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <cstdlib>
#include <memory>

namespace gnomon {

namespace {

struct ReleaseFilter {
    void operator()(void* filter) const noexcept { seccomp_release(filter); }
};
using Filter = std::unique_ptr<void, ReleaseFilter>;

// By name: not every architecture has all of them.
constexpr const char* kAllowed[] = {
    // Clocks
    "adjtimex",
    "clock_adjtime",
    "clock_adjtime64",
    "clock_getres",
    "clock_gettime",
    "clock_gettime64",
    "clock_nanosleep",
    "clock_nanosleep_time64",
    "clock_settime",
    "clock_settime64",
    "gettimeofday",
    "nanosleep",
    "time",
    // Waiting
    "_newselect",
    "poll",
    "ppoll",
    "ppoll_time64",
    "pselect6",
    "pselect6_time64",
    "select",
    // Sockets that exist; new ones by family below
    "accept",
    "accept4",
    "bind",
    "connect",
    "getpeername",
    "getsockname",
    "getsockopt",
    "listen",
    "recv",
    "recvfrom",
    "recvmmsg",
    "recvmmsg_time64",
    "recvmsg",
    "send",
    "sendmmsg",
    "sendmsg",
    "sendto",
    "setsockopt",
    "shutdown",
    "socketcall",
    // Files
    "_llseek",
    "access",
    "chmod",
    "chown",
    "close",
    "eventfd2",
    "faccessat",
    "faccessat2",
    "fchmod",
    "fchmodat",
    "fchown",
    "fchownat",
    "fcntl",
    "fcntl64",
    "fdatasync",
    "fstat",
    "fstat64",
    "fstatat64",
    "fstatfs",
    "fsync",
    "ftruncate",
    "getcwd",
    "getdents",
    "getdents64",
    "ioctl",
    "lseek",
    "lstat",
    "lstat64",
    "mkdir",
    "mkdirat",
    "newfstatat",
    "open",
    "openat",
    "pipe",
    "pipe2",
    "pread64",
    "read",
    "readlink",
    "readlinkat",
    "readv",
    "rename",
    "renameat",
    "renameat2",
    "stat",
    "stat64",
    "statfs",
    "statfs64",
    "statx",
    "umask",
    "unlink",
    "unlinkat",
    "write",
    "writev",
    // Memory
    "brk",
    "madvise",
    "mmap",
    "mmap2",
    "mprotect",
    "mremap",
    "munmap",
    "shmdt",
    // Threads and the process itself; new threads below
    "exit",
    "exit_group",
    "futex",
    "futex_time64",
    "getegid",
    "geteuid",
    "getgid",
    "getpid",
    "getrandom",
    "getrlimit",
    "gettid",
    "getuid",
    "membarrier",
    "prlimit64",
    "restart_syscall",
    "rseq",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sched_getaffinity",
    "sched_yield",
    "set_robust_list",
    "set_tid_address",
    "sigaltstack",
    "sigreturn",
    "sysinfo",
    "tgkill",
    "ugetrlimit",
    "uname",
};

// What DPDK and its drivers do when a device is looked after, stopped and closed.
constexpr const char* kPolledPorts[] = {
    "bpf",           "epoll_create1",   "epoll_ctl",     "epoll_pwait", "epoll_wait",
    "fallocate",     "flock",           "get_mempolicy", "mbind",       "memfd_create",
    "mincore",       "mlock",           "munlock",       "rmdir",       "sched_setaffinity",
    "set_mempolicy", "timerfd_settime",
};

constexpr int kPolledFamilies[] = {AF_PACKET, AF_XDP};

constexpr const char* kDenied[] = {
    "execve", "execveat", "fork", "vfork", "ptrace", "process_vm_readv", "process_vm_writev"};

// The families of name look-ups and our own ports.
constexpr int kSocketFamilies[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};

int add_by_name(void* filter, std::uint32_t action, const char* name) {
    const int number = seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR) return 0;
    return seccomp_rule_add(filter, action, number, 0);
}

int add_allowed(void* filter) {
    for (const char* name : kAllowed) {
        if (const int error = add_by_name(filter, SCMP_ACT_ALLOW, name)) return error;
    }
    for (const int family : kSocketFamilies) {
        const scmp_arg_cmp is_family{0, SCMP_CMP_EQ, static_cast<scmp_datum_t>(family), 0};
        if (const int error =
                seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, is_family)) {
            return error;
        }
    }
    // Threads, but no processes. The newer call hides its flags in memory where a filter cannot look:
    // told that it does not exist, the C library takes the older one.
    const scmp_arg_cmp is_thread{0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD};
    if (const int error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, is_thread)) {
        return error;
    }
    // A thread may name itself.
    const scmp_arg_cmp is_naming{0, SCMP_CMP_EQ, PR_SET_NAME, 0};
    if (const int error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1, is_naming)) {
        return error;
    }
    return add_by_name(filter, SCMP_ACT_ERRNO(ENOSYS), "clone3");
}

int add_polled_ports(void* filter) {
    for (const char* name : kPolledPorts) {
        if (const int error = add_by_name(filter, SCMP_ACT_ALLOW, name)) return error;
    }
    for (const int family : kPolledFamilies) {
        const scmp_arg_cmp is_family{0, SCMP_CMP_EQ, static_cast<scmp_datum_t>(family), 0};
        if (const int error =
                seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, is_family)) {
            return error;
        }
    }
    return 0;
}

int add_denied(void* filter, std::uint32_t action) {
    for (const char* name : kDenied) {
        if (const int error = add_by_name(filter, action, name)) return error;
    }
    return 0;
}

}  // namespace

SysResult<void> load_system_call_filter(int level, bool polled_ports) {
    if (level == 0) return {};
    const int strictness = std::abs(level);
    if (strictness > 2) return Unexpected(SysError{"system call filter", EINVAL});

    const std::uint32_t forbid = level > 0 ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_TRAP;
    const Filter filter(seccomp_init(strictness == 1 ? forbid : SCMP_ACT_ALLOW));
    if (!filter) return Unexpected(SysError{"seccomp_init", ENOMEM});
    int error = strictness == 1 ? add_allowed(filter.get()) : add_denied(filter.get(), forbid);
    if (error == 0 && strictness == 1 && polled_ports) error = add_polled_ports(filter.get());
    if (error == 0) error = seccomp_load(filter.get());
    if (error != 0) return Unexpected(SysError{"system call filter", -error});
    return {};
}

}  // namespace gnomon
