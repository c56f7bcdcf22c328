#pragma once

/// `MeshRow`: what one clock of a mesh of peers measured of the others, as it tells them (`mesh` option
/// of `peer`; experimental extension field 0xF38E in symmetric packets, which are the same length in
/// both directions). With everybody's rows each peer can look for asymmetric paths
/// (servo/select/loop_closure.h).
///
/// Body, network byte order: magic, count, then entries of reference ID of the peer (as its clients know
/// it), standard deviation, unsigned 2^-32 s, and offset, signed 2^-32 s, > 0: the sender is behind.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "servo/units/ntp_types.h"

namespace gnomon {

struct MeshEntry {
    RefId peer;
    double offset_s = 0.0;  ///< within ±2^31 s
    double sd_s = 0.0;      ///< [0, 1)
};

class MeshRow {
public:
    static constexpr std::size_t kMaxEntries = 16;
    static constexpr std::size_t kMaxSize = 8 + 16 * kMaxEntries;
    /// A shorter last field would be taken for a MAC (RFC 7822, 3).
    static constexpr std::size_t kMinSize = 24;

    /// Ignored when full, or when a value has no place in the format.
    void add(const MeshEntry& entry) noexcept;
    std::span<const MeshEntry> entries() const noexcept { return {entries_.data(), count_}; }

    /// Empty unless it is exactly such a body; padding of zeros after it is allowed.
    static std::optional<MeshRow> decode(std::span<const std::uint8_t> body) noexcept;
    /// Returns the size, kMinSize … kMaxSize.
    std::size_t encode(std::span<std::uint8_t, kMaxSize> body) const noexcept;

private:
    std::array<MeshEntry, kMaxEntries> entries_{};
    std::size_t count_ = 0;
};

}  // namespace gnomon
