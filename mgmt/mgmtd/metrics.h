#pragma once

/// What Prometheus scrapes: the families of chrony_exporter under their own names, with its labels,
/// signs and units (docs/metrics.md), and gnomon's own.

#include <cstdint>
#include <string>

#include "mgmt/mgmtd/exposition.h"
#include "mgmt/mgmtd/model.h"

namespace gnomon::mgmtd {

/// The management daemon itself.
struct OwnFigures {
    std::uint64_t requests = 0;
    std::uint64_t refused = 0;  ///< connections and requests that were turned away
    std::uint64_t connections = 0;
    std::uint64_t stream_clients = 0;
    std::uint64_t bad_frames = 0;
    std::uint64_t history_bytes = 0;
    std::uint64_t history_errors = 0;
    double resident_bytes = 0.0;
    double cpu_s = 0.0;
    double start_time_s = 0.0;
};

std::string render_metrics(const Model& model, const OwnFigures& own, MonoClock::time_point now,
                           Exposition::Format format);

}  // namespace gnomon::mgmtd
