#pragma once

/// Telemetry as frames: one message of a SOCK_SEQPACKET socket each.
///
/// A frame is a header (kFrameHeaderSize bytes, little endian like everything here: both ends are on one
/// machine)
///     u16 magic   u8 version   u8 type   u8 flags   3 × 0   u32 sequence
/// and sections
///     u16 id   u16 0   u32 length   `length` bytes.
/// A section holds one record or several, each with its length (u16) in front.
///
/// How the format grows: fields are only ever appended to a record; a reader takes the fields that
/// it knows, leaves those at their defaults that a shorter record lacks, and skips the rest of a longer.
/// Unknown sections and frame types are skipped. So either end may be upgraded first; `kFrameVersion`
/// changes only if that promise must be broken.
///
/// A snapshot is one frame or several: the first and the last are flagged, numbers are consecutive, and
/// a reader drops a snapshot that lacks a frame. Whatever the bytes, decoding yields values or nothing.

#include <cstdint>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "mgmt/telemetry/telemetry.h"

namespace gnomon::telemetry {

inline constexpr std::uint8_t kFrameVersion = 1;
inline constexpr std::size_t kFrameHeaderSize = 12;
/// No frame is longer. A section is at most so long, less the headers.
inline constexpr std::size_t kMaxFrameSize = 32768;
/// Bounds on what a reader keeps, whatever it is sent.
inline constexpr std::size_t kMaxSources = 4096;
inline constexpr std::size_t kMaxText = 1024;

using Frame = std::vector<std::uint8_t>;

/// Numbers the frames of one stream.
class FrameWriter {
public:
    Frame hello(const Hello& hello);
    /// A source too large for a frame is left out.
    std::vector<Frame> snapshot(const Snapshot& snapshot);
    /// As many frames as they need.
    std::vector<Frame> events(std::span<const Event> events);
    Frame measurement(const Measurement& measurement);

private:
    std::uint32_t sequence_ = 0;
};

using Message = std::variant<Hello, Snapshot, std::vector<Event>, Measurement>;

/// Puts messages together again. One per connection.
class FrameReader {
public:
    /// What became complete with this frame. Nothing: more to come, or of no use.
    std::optional<Message> read(std::span<const std::uint8_t> frame);

    /// Frames that were no frames, of a version this reader does not know, or broken inside.
    std::uint64_t bad_frames() const noexcept { return bad_; }
    /// Snapshots given up because a frame of theirs was missing.
    std::uint64_t lost_snapshots() const noexcept { return lost_; }

private:
    std::optional<Message> add_part(std::span<const std::uint8_t> body, bool first, bool last,
                                    std::uint32_t sequence);

    std::optional<Snapshot> partial_;
    std::uint32_t next_part_ = 0;
    std::uint64_t bad_ = 0;
    std::uint64_t lost_ = 0;
};

}  // namespace gnomon::telemetry
