#include <cstring>
#include <string>

#include "mgmt/cli/format.h"

namespace gnomon::cli {

namespace {

std::string state_text(const command::CaptureReport& r) {
    using State = command::CaptureReport::State;
    const auto with_error = [&r](const char* text) {
        return std::string(text) + " (" + std::strerror(static_cast<int>(r.error)) + ")";
    };
    switch (r.state) {
        case State::Never: return "none yet";
        case State::Running: return "running";
        case State::Stopped: return "stopped";
        case State::SizeLimit: return "ended: size limit";
        case State::TimeLimit: return "ended: time limit";
        case State::PacketLimit: return "ended: packet limit";
        case State::DiskFull: return with_error("ended: disk full");
        case State::WriteError: return with_error("ended: write error");
    }
    return "?";
}

}  // namespace

Record capture_record(const command::CaptureReport& r) {
    Record record;
    record.literal("State           : ").string("state", state_text(r));
    record.literal("\nFile            : ").string("file", r.path);
    record.literal("\nPort            : ").string("port", r.port.empty() ? "all" : r.port);
    record.literal("\nTaps            : ").whole("taps", r.taps);
    record.literal("\nPackets written : ").whole("packets", r.packets);
    record.literal("\nPackets lost    : ").whole("lost", r.lost);
    record.literal("\nBytes           : ").whole("bytes", r.bytes);
    record.literal("\nElapsed         : ").real("elapsed_s", r.elapsed_s, {1});
    record.literal(" seconds\nSize limit      : ").whole("limit_mb", r.limit_mb);
    record.literal(" MB\nTime limit      : ").whole("limit_s", r.limit_s);
    record.literal(" seconds\nPacket limit    : ").whole("limit_packets", r.limit_packets);
    record.literal(r.limit_packets == 0 ? " (none)\n" : "\n");
    return record;
}

}  // namespace gnomon::cli
