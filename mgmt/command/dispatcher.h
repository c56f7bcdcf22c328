#pragma once

/// The server side of the command protocol, without sockets: request bytes in, reply bytes out.
///
/// The caller receives the datagram, decides its `Origin` (and, for networks, applies its access
/// table and rate limit first), calls `handle_command` and sends `reply[0 … size)` back.

#include <span>

#include "mgmt/command/handlers.h"
#include "mgmt/command/protocol.h"
#include "servo/units/result.h"

namespace gnomon::command {

enum class Origin : std::uint8_t {
    UnixSocket,   ///< everything is allowed
    Loopback,     ///< UDP from this host: monitoring only
    AllowedHost,  ///< UDP from a network of `cmdallow`: monitoring only
    OtherHost,    ///< gets no answer
};

/// Why a request gets no reply at all. Each is worth a counter.
enum class CommandDrop : std::uint8_t {
    NotAllowed,
    TooShort,  ///< shorter than any reply
    TooLong,
    NotARequest,     ///< packet type or reserved bytes
    UnknownVersion,  ///< too old to understand a complaint
    ReplyTooLong,    ///< longer than the request: would amplify
};

/// Answers one request; the size of the reply in `reply`, which has at least `kMaxReplySize` bytes.
/// `open` is what Loopback and AllowedHost may ask. Other commands answer `Status::Unauthorised`.
Result<std::size_t, CommandDrop> handle_command(std::span<const std::uint8_t> request,
                                                Origin origin, const CommandSet& open, UtcTime now,
                                                const CommandHandlers& handlers,
                                                std::span<std::uint8_t> reply);

}  // namespace gnomon::command
