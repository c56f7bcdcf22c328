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

const char* to_string(WorkerStage stage) noexcept {
    switch (stage) {
        case WorkerStage::Receive: return "receive";
        case WorkerStage::Answer: return "answer";
        case WorkerStage::Finish: return "finish";
        case WorkerStage::Send: return "send";
        case WorkerStage::Count: break;
    }
    return "?";
}

}  // namespace gnomon
