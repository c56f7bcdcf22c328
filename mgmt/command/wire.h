#pragma once

/// Codec of the command protocol: requests and replies to bytes and back, both directions for both
/// sides. All parsing is bounds-checked; whatever bytes arrive, the outcome is a value or an error.
///
/// The primitives of the format (all big endian):
///  * Float: 7-bit signed exponent and 25-bit signed coefficient c, value 2^(e−25)·c; rounded to
///    nearest, saturating, NaN becomes 0. About 7.2 significant digits.
///  * Timespec: seconds since 1970 as 2 × 32 bits (high word 0x7fffffff: 32-bit time), nanoseconds.
///  * Address: 16 bytes, family (0 none, 1 IPv4, 2 IPv6, 3 ID), 2 bytes of padding.

#include <cstdint>
#include <span>
#include <variant>

#include "mgmt/command/protocol.h"
#include "mgmt/command/reports.h"
#include "mgmt/command/requests.h"
#include "servo/units/result.h"

namespace gnomon::command {

std::uint32_t encode_float(double value) noexcept;
double decode_float(std::uint32_t bits) noexcept;

struct RequestHeader {
    std::uint8_t version = kProtocolVersion;
    std::uint16_t command = 0;
    std::uint16_t attempt = 0;   ///< resends of this request so far
    std::uint32_t sequence = 0;  ///< chosen by the client, echoed
};

/// Why bytes are no request or no reply.
enum class ParseError : std::uint8_t {
    TooShort,
    TooLong,
    NotThisType,     ///< packet type or reserved bytes are wrong
    UnknownCommand,  ///< or an unknown reply type
    InvalidName,     ///< a name that does not end within its field
};

/// Header only, without judging version or command.
Result<RequestHeader, ParseError> decode_request_header(
    std::span<const std::uint8_t> packet) noexcept;

/// The arguments of a command. TooShort when the packet lacks body or padding.
Result<RequestBody, ParseError> decode_request_body(const CommandInfo& info,
                                                    std::span<const std::uint8_t> packet);

/// Header, body and padding; the number of bytes written. 0 when `out` is too small, the command
/// unknown, or `body` is not the shape of the command. A header of version 5 goes without padding.
std::size_t encode_request(const RequestHeader& header, const RequestBody& body,
                           std::span<std::uint8_t> out);

/// The layouts of older clients (`legacy_reply`): fewer and narrower counters.
struct LegacyServerStats {
    ServerStatsReport report;
};
struct LegacyNtpData {
    NtpReport report;
};

using ReplyBody =
    std::variant<NoArguments, SourceCountReport, SourceReport, TrackingReport, SourceStatsReport,
                 RtcReport, ActivityReport, SmoothingReport, SettimeReport, ManualReport,
                 SourceNameReport, AuthReport, ClientAccessReport, SelectReport, ServerStatsReport,
                 NtpReport, LegacyServerStats, LegacyNtpData, ServosReport, CaptureReport,
                 StateReport, TopReport, AnalyticsReport, DataplaneReport>;

struct ReplyHeader {
    std::uint8_t version = kProtocolVersion;
    std::uint16_t command = 0;
    std::uint16_t type = static_cast<std::uint16_t>(ReplyType::Null);
    Status status = Status::Success;
    std::uint32_t sequence = 0;
};

/// The type that a body travels as.
ReplyType reply_type(const ReplyBody& body) noexcept;

Result<ReplyHeader, ParseError> decode_reply_header(std::span<const std::uint8_t> packet) noexcept;

/// The body by `header.type`. UnknownCommand for types this side does not know.
Result<ReplyBody, ParseError> decode_reply_body(const ReplyHeader& header,
                                                std::span<const std::uint8_t> packet);

/// `header.type` is ignored: the body decides. Returns the bytes written, 0 when `out` is too small.
std::size_t encode_reply(const ReplyHeader& header, const ReplyBody& body,
                         std::span<std::uint8_t> out);

}  // namespace gnomon::command
