#pragma once

/// What selection, statistics and reports keep of one source, whichever protocol feeds it.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mgmt/engine/events.h"
#include "servo/filter/source_filter.h"
#include "servo/select/selector.h"
#include "servo/units/ntp_types.h"

namespace gnomon {

/// The outcome of the last polls.
struct Reach {
    std::uint8_t bits = 0;  ///< newest in bit 0
    int size = 0;           ///< how many of them mean something
    int unreachable_polls = 0;

    static constexpr int kFull = 8;
    bool is_dead() const noexcept { return bits == 0 && size == kFull; }
};

struct SelectableSource {
    /// `estimator` and `shadows`: names of make_estimator(), known; empty: the default.
    SelectableSource(SourceId source_id, SourceType source_type, const HistoryConfig& history,
                     std::string_view estimator = {}, const std::vector<std::string>& shadows = {})
        : id(source_id),
          type(source_type),
          filter(history, make_estimator(estimator), make_estimators(shadows)) {}

    SourceId id;
    SourceType type;
    SourceLabel label;
    SelectOptions configured;
    SelectOptions effective;
    bool authenticated = false;
    bool active = false;  ///< is being polled
    Stratum stratum = 0;
    Leap leap = Leap::Unsynchronised;
    RefId ref_id;        ///< by which our clients know it
    RefId reference;     ///< that it follows itself, as its last measurement said; 0: unknown
    RefId local_ref_id;  ///< by which it knows us; 0: unknown
    int poll = 0;        ///< of a reference clock, log2 s; NTP sources change theirs
    int max_unreachable_polls = 100000;
    Reach reach;
    SourceFilter filter;
};

}  // namespace gnomon
