#include "dataplane/frame/frame.h"

namespace gnomon {

const char* to_string(FrameDrop reason) noexcept {
    switch (reason) {
        case FrameDrop::None: return "none";
        case FrameDrop::Truncated: return "truncated";
        case FrameDrop::BadHeader: return "bad-header";
        case FrameDrop::BadChecksum: return "bad-checksum";
        case FrameDrop::Fragment: return "fragment";
        case FrameDrop::UnknownVlan: return "unknown-vlan";
        case FrameDrop::NotForUs: return "not-for-us";
        case FrameDrop::GroupDestination: return "group-destination";
        case FrameDrop::BadSource: return "bad-source";
        case FrameDrop::NotServed: return "not-served";
        case FrameDrop::BadNeighbour: return "bad-neighbour";
        case FrameDrop::EchoLimited: return "echo-limited";
        case FrameDrop::NoRoom: return "no-room";
        case FrameDrop::Refused: return "refused";
        case FrameDrop::Count: break;
    }
    return "unknown";
}

}  // namespace gnomon
