#pragma once

/// `CaptureFile`: reads captures that lie in memory: pcapng (any byte order, sections, interfaces of
/// different link types) and classic pcap (micro- and nanoseconds, both byte orders). Pure.
///
/// Anything may be in the file: what is malformed ends the reading with an error that says where. The
/// own reader exists because replay needs what libpcap does not give: directions and comments of
/// packets, several link types in one file, and the offset of what is wrong (ADR 0018).

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/port/port.h"
#include "dataplane/wire/ip.h"
#include "servo/units/result.h"

namespace gnomon {

struct CaptureFileError {
    std::size_t offset = 0;   ///< of the block or record, in bytes from the beginning of the file
    const char* reason = "";  ///< "block longer than the file"
    std::string to_string() const;
};

struct CaptureFilePacket {
    enum class Direction : std::uint8_t { Unknown, In, Out };

    std::size_t offset = 0;  ///< of the block or record in the file
    std::uint16_t link = 0;  ///< pcapng.h, link_type
    Direction direction = Direction::Unknown;
    Stamp stamp;  ///< source and errors from our own comment; else Daemon and the resolution
    std::uint32_t length = 0;
    std::span<const std::uint8_t> bytes;  ///< at most `length`; points into the file
    std::size_t interface_id = 0;         ///< counted over all sections
};

struct CaptureFileInterface {
    std::string name;  ///< empty: not named
    std::uint16_t link = 0;
};

class CaptureFile {
public:
    /// `file` outlives the reader. Fails when it is not a capture.
    static Result<CaptureFile, CaptureFileError> open(std::span<const std::uint8_t> file);

    /// The next packet, empty at the end. After an error: no more calls.
    Result<std::optional<CaptureFilePacket>, CaptureFileError> next();

    const std::vector<CaptureFileInterface>& interfaces() const noexcept { return names_; }

private:
    /// Ticks per second and an offset, of one interface.
    struct Clock {
        std::uint64_t ticks_per_second = 1'000'000;
        std::int64_t offset_s = 0;
    };
    struct Interface {
        std::uint16_t link = 0;
        Clock clock;
        std::size_t id = 0;
    };
    using Packet = std::optional<CaptureFilePacket>;
    using Step = Result<Packet, CaptureFileError>;

    explicit CaptureFile(std::span<const std::uint8_t> file) : file_(file) {}
    Unexpected<CaptureFileError> fail(const char* reason) const;
    std::uint16_t u16(std::size_t at) const noexcept;
    std::uint32_t u32(std::size_t at) const noexcept;
    bool open_classic(std::uint32_t magic);
    Step next_classic();
    Step next_block(bool& found);
    /// Length of the block at `at_`, 0 when there is none.
    std::size_t block_length() const noexcept;
    Step read_interface(std::span<const std::uint8_t> body);
    Step read_packet(std::span<const std::uint8_t> body);
    void read_packet_options(std::size_t at, std::size_t end, CaptureFilePacket& packet) const;
    static SystemTime to_time(const Clock& clock, std::uint64_t ticks) noexcept;

    std::span<const std::uint8_t> file_;
    std::size_t at_ = 0;
    bool classic_ = false;
    bool big_endian_ = false;
    std::vector<Interface> interfaces_;  ///< of this section
    std::vector<CaptureFileInterface> names_;
};

/// Why a captured packet is not a UDP datagram that could be looked at.
enum class FrameSkip : std::uint8_t {
    None,
    UnknownLink,
    NotIp,
    NotUdp,
    Fragment,
    Truncated,  ///< by the snap length, or in itself
    Malformed,
    Count,
};
const char* to_string(FrameSkip reason) noexcept;

struct ExtractedDatagram {
    std::optional<UdpPacket> packet;
    FrameSkip skip = FrameSkip::None;
};
/// Finds the UDP datagram in a packet of this link type. Checksums are not verified: what a host sent
/// itself is captured before its NIC fills them in.
ExtractedDatagram extract_datagram(std::uint16_t link,
                                   std::span<const std::uint8_t> bytes) noexcept;

}  // namespace gnomon
