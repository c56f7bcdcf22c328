#include "mgmt/runtime/privileges.h"

#include <grp.h>
#include <pthread.h>
#include <pwd.h>
#include <sched.h>
#include <sys/capability.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>

namespace gnomon {

SysResult<UserIds> find_user(const std::string& name) {
    errno = 0;
    // The interposable call: simulators know no getpwnam_r, and there is one thread yet.
    const passwd* entry = getpwnam(name.c_str());
    if (entry == nullptr) {
        return Unexpected(SysError{"user " + name, errno != 0 ? errno : ENOENT});
    }
    return UserIds{entry->pw_uid, entry->pw_gid};
}

namespace {

SysResult<void> keep_capabilities(const KeptRights& kept) {
    std::string text;
    const auto add = [&text](const char* name) {
        if (!text.empty()) text += ',';
        text += name;
    };
    if (kept.set_time) add("cap_sys_time");
    if (kept.bind_ports) add("cap_net_bind_service");
    if (kept.raw_devices || kept.polled_ports) add("cap_net_raw");
    if (kept.polled_ports) {
        add("cap_net_admin");
        add("cap_bpf");
    }
    text = text.empty() ? "=" : text + "=ep";

    cap_t capabilities = cap_from_text(text.c_str());
    if (capabilities == nullptr) return Unexpected(SysError::last("cap_from_text " + text));
    const int result = cap_set_proc(capabilities);
    const SysError error = SysError::last("cap_set_proc " + text);
    cap_free(capabilities);
    if (result != 0) return Unexpected(error);
    return {};
}

}  // namespace

SysResult<void> drop_privileges(const UserIds& ids, const KeptRights& kept) {
    if (prctl(PR_SET_KEEPCAPS, 1) != 0) return Unexpected(SysError::last("prctl PR_SET_KEEPCAPS"));
    if (setgroups(0, nullptr) != 0) return Unexpected(SysError::last("setgroups"));
    if (setgid(ids.group) != 0) return Unexpected(SysError::last("setgid"));
    if (setuid(ids.user) != 0) return Unexpected(SysError::last("setuid"));
    if (auto result = keep_capabilities(kept); !result) return result;
    if (prctl(PR_SET_KEEPCAPS, 0) != 0) return Unexpected(SysError::last("prctl PR_SET_KEEPCAPS"));
    return {};
}

SysResult<void> set_realtime_priority(int priority) {
    sched_param parameters{};
    parameters.sched_priority = std::clamp(priority, sched_get_priority_min(SCHED_FIFO),
                                           sched_get_priority_max(SCHED_FIFO));
    if (const int error = pthread_setschedparam(pthread_self(), SCHED_FIFO, &parameters)) {
        return Unexpected(SysError{"pthread_setschedparam", error});
    }
    return {};
}

SysResult<void> lock_memory() {
    // After dropping root the limit could not be raised any more, and later growth would fail.
    rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
    if (setrlimit(RLIMIT_MEMLOCK, &unlimited) != 0) {
        return Unexpected(SysError::last("setrlimit RLIMIT_MEMLOCK"));
    }
    if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0) return Unexpected(SysError::last("mlockall"));
    return {};
}

}  // namespace gnomon
