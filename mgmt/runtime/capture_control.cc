#include "mgmt/runtime/capture_control.h"

#include <algorithm>
#include <system_error>

#include "mgmt/runtime/log.h"

namespace gnomon {

namespace {

constexpr std::uint64_t kMegabyte = 1'000'000;

command::CaptureReport::State to_state(const CaptureStatus& status) {
    using State = command::CaptureReport::State;
    if (!status.ever_started) return State::Never;
    switch (status.end) {
        case CaptureEnd::Running: return State::Running;
        case CaptureEnd::Stopped: return State::Stopped;
        case CaptureEnd::Size: return State::SizeLimit;
        case CaptureEnd::Duration: return State::TimeLimit;
        case CaptureEnd::Packets: return State::PacketLimit;
        case CaptureEnd::DiskFull: return State::DiskFull;
        case CaptureEnd::Error: break;
    }
    return State::WriteError;
}

command::CaptureReport refusal(const CaptureWriter& writer, int code) {
    command::CaptureReport report = capture_report(writer);
    report.refused = static_cast<std::uint32_t>(code);
    return report;
}

}  // namespace

command::CaptureReport capture_report(const CaptureWriter& writer) {
    const CaptureStatus status = writer.status();
    command::CaptureReport report;
    report.state = to_state(status);
    report.error = static_cast<std::uint32_t>(status.error);
    report.taps = status.taps;
    report.packets = status.packets;
    report.bytes = status.bytes;
    report.lost = status.lost;
    report.elapsed_s = status.elapsed.to_seconds();
    report.limit_mb = static_cast<std::uint32_t>(status.limits.bytes / kMegabyte);
    report.limit_s = static_cast<std::uint32_t>(status.limits.duration.to_seconds());
    report.limit_packets = static_cast<std::uint32_t>(status.limits.packets);
    report.path = status.path;
    report.port = status.port;
    return report;
}

command::CaptureReport start_capture(CaptureWriter& writer,
                                     const command::CaptureRequest& request) {
    CaptureLimits limits;
    if (request.limit_mb != 0) limits.bytes = request.limit_mb * kMegabyte;
    if (request.limit_s != 0) limits.duration = Duration::from_s(request.limit_s);
    limits.packets = request.limit_packets;
    if (const auto started = writer.start(request.file, limits, request.port); !started) {
        return refusal(writer, started.error().code);
    }
    log_info("Capture to {} started", writer.status().path);
    return capture_report(writer);
}

command::CaptureReport stop_capture(CaptureWriter& writer) {
    if (const auto stopped = writer.stop(); !stopped) return refusal(writer, stopped.error().code);
    const CaptureStatus status = writer.status();
    log_info("Capture to {} stopped : {} packets, {} lost", status.path, status.packets,
             status.lost);
    return capture_report(writer);
}

void log_ended_capture(CaptureWriter& writer) {
    if (!writer.take_ended()) return;
    const CaptureStatus status = writer.status();
    const std::string reason =
        status.error == 0 ? to_string(status.end) : std::generic_category().message(status.error);
    if (status.error != 0) {
        log_error("Capture to {} ended early : {}", status.path, reason);
    } else {
        log_info("Capture to {} ended : {}, {} packets, {} lost", status.path, reason,
                 status.packets, status.lost);
    }
}

}  // namespace gnomon
