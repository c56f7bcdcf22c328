#pragma once

/// `ServerTables`: what responders in other threads need to know and what changes rarely: who may
/// ask, the keys, whose packets are not for a server. Made as a whole by the control loop, never
/// changed afterwards.

#include <memory>
#include <vector>

#include "dataplane/proto/access_index.h"
#include "dataplane/wire/address.h"
#include "dataplane/wire/mac.h"

namespace gnomon {

struct ServerTables {
    AccessIndex access;
    std::shared_ptr<const KeyTable> keys;
    /// Whose packets go to the control loop: configured sources. Sorted.
    std::vector<IpAddress> forwarded;
};

}  // namespace gnomon
