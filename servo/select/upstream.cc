#include "servo/select/upstream.h"

#include <algorithm>

#include "servo/units/assert.h"

namespace gnomon {

namespace {

/// Below stratum 2 the ID is a name such as "GPS", which many have; addresses of the own host are what
/// servers show that follow their own clock.
bool names_a_server(const UpstreamClaim& claim) noexcept {
    constexpr std::uint32_t kLoopback = 127;
    return claim.stratum >= 2 && claim.reference.value != 0 &&
           claim.reference.value >> 24 != kLoopback;
}

bool related(const UpstreamClaim& a, const UpstreamClaim& b) noexcept {
    if (names_a_server(a) && (a.reference.value == b.own.value ||
                              (names_a_server(b) && a.reference.value == b.reference.value))) {
        return true;
    }
    return names_a_server(b) && b.reference.value == a.own.value;
}

}  // namespace

void group_by_upstream(std::span<const UpstreamClaim> claims, std::span<int> groups) noexcept {
    GNOMON_ASSERT(claims.size() == groups.size());
    std::fill(groups.begin(), groups.end(), -1);
    int next = 0;
    for (std::size_t i = 0; i < claims.size(); ++i) {
        for (std::size_t j = 0; j < i; ++j) {
            if (!related(claims[i], claims[j]) || (groups[i] >= 0 && groups[i] == groups[j])) {
                continue;
            }
            if (groups[j] < 0) groups[j] = groups[i] >= 0 ? groups[i] : next++;
            // A link between two groups makes them one.
            const int old = groups[i];
            const int joined = groups[j];
            if (old >= 0 && old != joined) std::replace(groups.begin(), groups.end(), old, joined);
            groups[i] = joined;
        }
    }
}

}  // namespace gnomon
