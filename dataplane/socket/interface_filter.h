#pragma once

/// Keeps a kernel socket from receiving what comes in on certain interfaces. While a polled port above
/// such an interface answers (af_packet), the kernel gets a copy of every request: the server's
/// socket stays bound, so that the kernel does not call the port unreachable, and hears nothing of it.

#include <span>

#include "servo/units/result.h"

namespace gnomon {

/// How many interfaces one socket can ignore.
inline constexpr std::size_t kMaxIgnoredInterfaces = 64;

/// From now on; none: everything is heard again. In force at once, for any thread that receives; what
/// is in the socket's queue already stays there. More than kMaxIgnoredInterfaces: EINVAL.
SysResult<void> ignore_interfaces(int fd, std::span<const int> interface_indices);

/// Receives nothing at all any more: a socket that only holds its port.
SysResult<void> ignore_everything(int fd);

}  // namespace gnomon
