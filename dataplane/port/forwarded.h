#pragma once

/// `Forwarded`: what a worker passes on to the control loop: a datagram that belongs to an association,
/// or the transmit stamp of one that the control loop sent through the worker's port. A value: it holds
/// its bytes, because the worker's buffers live no longer than the burst.

#include <array>
#include <cstddef>
#include <cstdint>

#include "dataplane/port/port.h"
#include "dataplane/wire/ntp_packet.h"

namespace gnomon {

struct Forwarded {
    enum class Kind : std::uint8_t { Datagram, TransmitStamp };
    Kind kind = Kind::Datagram;
    std::array<std::uint8_t, kNtpMaxSize> bytes;
    std::size_t size = 0;
    /// The port of ours that the datagram came to, or was sent from.
    std::uint16_t local_port = 0;
    /// Whoever takes it off the ring lets the payload (and that of the report) point into `bytes`.
    RxDatagram datagram;
    TxStampReport report;
};

}  // namespace gnomon
