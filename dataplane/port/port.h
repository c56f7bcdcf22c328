#pragma once

/// `Port`: a queue of datagrams with timestamps. Kernel sockets, DPDK queues and capture files are
/// ports; associations and responders never know which one they talk through.
///
/// A port belongs to one thread. It never blocks. Buffers it hands out live until the next call of
/// `receive`. Timestamps are on the raw system clock (`SystemTime`); the reader converts them with
/// the `ClockLine` in force.

#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/wire/address.h"
#include "servo/units/ntp_types.h"
#include "servo/units/time_point.h"

namespace gnomon {

/// A point in time at which a packet passed, with its provenance.
struct Stamp {
    SystemTime time;
    TimestampSource source = TimestampSource::Daemon;
    /// Variance of the stamp's own noise, s² (quantisation, reading of clocks); queueing excluded.
    double variance_s2 = 0.0;
    /// What the variance does not cover and may be there all the time, s: half of what reading the
    /// interface's clock takes.
    double error_s = 0.0;
    /// Receive stamps of hardware: what the frame took on the wire, s. The stamp is of its end.
    double rx_duration_s = 0.0;
};

struct RxDatagram {
    std::span<const std::uint8_t> payload;
    SocketAddress remote;
    /// The local address the datagram was sent to, so that a reply leaves from it;
    /// unspecified when unknown.
    IpAddress local;
    int interface_index = 0;
    /// Length of the frame on the wire if known, else 0 (hardware stamps are moved by it).
    std::uint16_t frame_length = 0;
    Stamp stamp;
};

/// Completes a datagram at the last moment. A port that is given one reads the clock as late as it
/// can, calls it, and sends the payload without delay: a server writes its transmit timestamp
/// there.
class TxFinisher {
public:
    virtual ~TxFinisher() = default;
    /// `now`: the clock, just read. `position`: datagrams that leave between the reading and this
    /// one. May change the bytes of the payload, not its size.
    virtual void finish(SystemTime now, std::size_t position) noexcept = 0;
};

struct TxDatagram {
    std::span<const std::uint8_t> payload;
    SocketAddress remote;
    IpAddress local;          ///< source address to use; unspecified: the kernel chooses
    int interface_index = 0;  ///< 0: by routing
    /// Ask for a transmit stamp; it comes back from `transmit_stamps` with this cookie.
    bool want_stamp = false;
    std::uint64_t cookie = 0;
    /// Called before sending, unless null; must live until `send` returns.
    TxFinisher* finisher = nullptr;
};

/// Reports when a datagram that was sent earlier left.
struct TxStampReport {
    std::uint64_t cookie = 0;
    Stamp stamp;
    /// For matching when the port cannot carry cookies: the payload that was sent; else empty.
    std::span<const std::uint8_t> payload;
    SocketAddress remote;
};

class Port {
public:
    virtual ~Port() = default;

    /// Fills `out` with at most out.size() datagrams; returns how many. Does not block.
    virtual std::size_t receive(std::span<RxDatagram> out) = 0;
    /// Sends as many as it can, in order; returns how many were taken.
    virtual std::size_t send(std::span<const TxDatagram> datagrams) = 0;
    /// Transmit stamps that have arrived since the last call; at most out.size().
    virtual std::size_t transmit_stamps(std::span<TxStampReport> out) = 0;
};

}  // namespace gnomon
