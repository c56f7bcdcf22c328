#pragma once

#include "mgmt/mgmtd/model.h"

namespace gnomon::mgmtd {

/// A daemon that follows the first of `sources` sources and has just been heard.
inline telemetry::Snapshot sample_snapshot(int sources = 2) {
    telemetry::Snapshot s;
    s.number = 1;
    s.at = UtcTime::from_ns(1'700'000'000'000'000'000);
    s.mono = MonoTime::from_ns(1'000'000'000);
    s.state.kind = ClockStateKind::Locked;
    s.state.reason = ClockReason::None;
    s.state.in_spec = true;
    s.state.bound_known = true;
    s.state.bound_s = 0.001;
    s.state.limit_s = 0.1;
    s.tracking.address = *IpAddress::parse("192.0.2.1");
    s.tracking.ref_id = RefId{0xC0000201};
    s.tracking.stratum = 2;
    s.tracking.leap = Leap::Normal;
    s.tracking.last_offset_s = -2e-6;
    s.tracking.system_offset_s = 3e-6;
    s.tracking.frequency_ppm = -12.5;
    for (int i = 0; i < sources; ++i) {
        telemetry::Source source;
        source.name = i == 0 ? "ntp.example.net" : "";
        source.source.address = IpAddress::v4(0xC0000201U + static_cast<std::uint32_t>(i));
        source.source.state =
            i == 0 ? command::SourceState::Selected : command::SourceState::Combined;
        source.source.reach = i == 0 ? 0377 : 0017;
        source.source.poll = 6;
        source.source.last_sample_ago_s = 1;
        source.source.adjusted_offset_s = 4e-6;
        source.source.measured_offset_s = 5e-6;
        source.select.state = i == 0 ? '*' : '+';
        source.stats.samples = 10;
        source.stats.offset_s = 7e-6;
        source.ntp.emplace();
        source.ntp->offset_s = 8e-6;
        source.ntp->total_valid_rx = 3;
        s.sources.push_back(source);
    }
    return s;
}

inline Model sample_model(MonoClock::time_point now, const telemetry::Snapshot& snapshot) {
    Model model;
    model.connected({"gnomond", "1.0", 42, 77, UtcTime::from_ns(1)}, now);
    model.set_snapshot(snapshot, now);
    return model;
}

}  // namespace gnomon::mgmtd
