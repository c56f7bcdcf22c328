#include "dataplane/port/dataplane.h"

namespace gnomon {

const char* to_string(PortHealth health) noexcept {
    switch (health) {
        case PortHealth::Healthy: return "healthy";
        case PortHealth::Starting: return "starting";
        case PortHealth::LinkDown: return "link-down";
        case PortHealth::Stalled: return "stalled";
        case PortHealth::NoBuffers: return "no-buffers";
        case PortHealth::Lost: return "lost";
    }
    return "?";
}

}  // namespace gnomon
