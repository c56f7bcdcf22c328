#pragma once

/// Intersection: which sources can be right at the same time.
///
/// Every source claims that the true offset lies in [low, high]. Sweeping over the sorted ends
/// finds the stretch that most intervals share (Marzullo & Owicki 1983; RFC 5905, 11.2.1). If any
/// source is trusted, depth is counted among the trusted first, and among all only where the
/// trusted ones agree best. Pure; no allocation beyond the scratch the caller lends.

#include <span>
#include <vector>

namespace gnomon {

struct Interval {
    double low = 0.0;
    double high = 0.0;  ///< ≥ low
    bool trusted = false;
};

struct Intersection {
    double low = 0.0;  ///< deepest stretch
    double high = 0.0;
    int depth = 0;   ///< intervals over it (of the trusted ones if any is trusted)
    int voters = 0;  ///< intervals that had a say (likewise)
    bool by_trust = false;
    double trusted_low = 0.0;  ///< deepest stretch of the trusted
    double trusted_high = 0.0;

    /// More than half of the voters agree.
    bool majority() const noexcept { return depth > voters / 2; }
    /// Covers the deepest stretch, or lies wholly in it.
    bool agrees(const Interval& i) const noexcept {
        return (i.low <= low && i.high >= high) || (i.low >= low && i.high <= high);
    }
    /// Cannot pull the result out of what the trusted ones allow.
    bool within_trust(const Interval& i) const noexcept {
        return !by_trust || i.trusted || (i.low >= trusted_low && i.high <= trusted_high);
    }
};

struct IntervalEnd {
    double at;
    bool is_high;
    bool trusted;
};

/// `scratch` keeps its capacity from call to call.
Intersection intersect(std::span<const Interval> intervals, std::vector<IntervalEnd>& scratch);

}  // namespace gnomon
