#pragma once

/// Which sources get their time from the same place, as far as their packets tell: two servers above
/// stratum 1 with the same reference ID, or one whose reference ID is the address of another. Their
/// errors are not independent (combine.h). It goes on along chains: who follows a follower belongs to
/// the group.
///
/// Reference IDs are 32 bits that anybody may choose, and those of IPv6 servers are hashes: a mistaken
/// or malicious one makes sources count less than they should, never more.

#include <span>

#include "servo/units/ntp_types.h"

namespace gnomon {

struct UpstreamClaim {
    RefId own;        ///< by which its clients know the source
    RefId reference;  ///< that it names as its source; 0: not known
    Stratum stratum = 0;
};

/// Numbers of groups from 0, < 0 for a source that shares nothing; `groups` is as long as `claims`.
/// Quadratic in their number.
void group_by_upstream(std::span<const UpstreamClaim> claims, std::span<int> groups) noexcept;

}  // namespace gnomon
