#include "servo/select/intersection.h"

#include <algorithm>

namespace gnomon {

Intersection intersect(std::span<const Interval> intervals, std::vector<IntervalEnd>& scratch) {
    scratch.clear();
    int trusted_voters = 0;
    for (const Interval& i : intervals) {
        scratch.push_back({i.low, false, i.trusted});
        scratch.push_back({i.high, true, i.trusted});
        if (i.trusted) ++trusted_voters;
    }
    // Intervals that only touch do overlap: beginnings come first.
    std::sort(scratch.begin(), scratch.end(), [](const IntervalEnd& a, const IntervalEnd& b) {
        return a.at < b.at || (a.at == b.at && a.is_high < b.is_high);
    });

    Intersection best;
    int depth = 0;
    int trusted_depth = 0;
    int best_trusted_depth = 0;
    for (const IntervalEnd& end : scratch) {
        if (!end.is_high) {
            ++depth;
            if (end.trusted) ++trusted_depth;
            const bool more_trusted = trusted_depth > best_trusted_depth;
            if (more_trusted) {
                best_trusted_depth = trusted_depth;
                best.trusted_low = end.at;
            }
            if (more_trusted || (trusted_depth == best_trusted_depth && depth > best.depth)) {
                best.depth = depth;
                best.low = end.at;
            }
            continue;
        }
        // Two separate stretches of the same depth are bad luck: without another source nobody knows
        // which is right, and the answer spans both.
        if (trusted_depth == best_trusted_depth) {
            if (depth == best.depth) best.high = end.at;
            best.trusted_high = end.at;
        }
        --depth;
        if (end.trusted) --trusted_depth;
    }
    best.voters = static_cast<int>(intervals.size());
    if (best_trusted_depth > 0) {
        best.by_trust = true;
        best.depth = best_trusted_depth;
        best.voters = trusted_voters;
    }
    return best;
}

}  // namespace gnomon
