#pragma once

/// A seccomp filter around the daemon (option -F): what a bug in it could be made to do is limited to
/// what the daemon does anyway.

#include "servo/units/result.h"

namespace gnomon {

/// Level 1: what the daemon needs is allowed, all else forbidden. Level 2: running other programs and
/// looking into other processes is forbidden, all else allowed; it survives C libraries that change
/// what they call. A forbidden call kills the process; with a negative level it gets SIGSYS. 0: no
/// filter. EINVAL for other levels.
/// For good, for this thread and those it starts afterwards; call when everything that needs more is
/// done.
/// `polled_ports`: a dataplane is supervised and taken down by this thread: devices, XDP programs and
/// memory, which its own threads, started before, are not kept from.
SysResult<void> load_system_call_filter(int level, bool polled_ports = false);

}  // namespace gnomon
