#pragma once

/// What the process may do: its user, its capabilities, its place in memory and in the scheduler.

#include <sys/types.h>

#include <string>

#include "servo/units/result.h"

namespace gnomon {

struct UserIds {
    uid_t user = 0;
    gid_t group = 0;
};

SysResult<UserIds> find_user(const std::string& name);

struct KeptRights {
    bool set_time = true;      ///< CAP_SYS_TIME: steer the clock
    bool bind_ports = true;    ///< CAP_NET_BIND_SERVICE: open the NTP port later on
    bool raw_devices = false;  ///< CAP_NET_RAW: bind new sockets to a device
    /// CAP_NET_ADMIN and CAP_BPF: hang XDP programs in and out, bring devices up again
    bool polled_ports = false;
};

/// From root to `ids` for good, keeping only `kept`. Call with one thread, after the privileged
/// sockets are open.
SysResult<void> drop_privileges(const UserIds& ids, const KeptRights& kept);

/// Real-time scheduling (SCHED_FIFO), priority 1…100; needs CAP_SYS_NICE.
SysResult<void> set_realtime_priority(int priority);

/// Keeps the whole process in memory, so that no page fault delays a timestamp.
SysResult<void> lock_memory();

}  // namespace gnomon
