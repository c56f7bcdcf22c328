#pragma once

/// `Frame`: an Ethernet frame in a buffer of a polled port, what the device says of it, and what became
/// of it. Buffers belong to the port; a frame only points there.

#include <array>
#include <cstddef>
#include <cstdint>

#include "dataplane/port/port.h"
#include "dataplane/proto/server_stats.h"

namespace gnomon {

/// What the device says of a checksum. Unknown ones are verified by us.
enum class ChecksumState : std::uint8_t { Unknown, Good, Bad };

/// What is to be done with a frame.
enum class FrameVerdict : std::uint8_t {
    Drop,       ///< free the buffer; `Frame::drop` says why
    Reply,      ///< an NTP response lies in the buffer: `FrameServer::finish`, then send
    Answered,   ///< another complete answer lies in the buffer: send it
    ToControl,  ///< unchanged to the control loop: see `FrameServer::datagram`
    ToKernel,   ///< not ours: unchanged to the exception path
};

/// Why a frame was not used. One counter each.
enum class FrameDrop : std::uint8_t {
    None,
    Truncated,         ///< less data than the headers promise
    BadHeader,         ///< lengths or versions that cannot be
    BadChecksum,       ///< of IP, UDP or ICMP; as the device says or as we find
    Fragment,          ///< NTP in fragments
    UnknownVlan,       ///< we have no address in this VLAN
    NotForUs,          ///< addressed to another station or to an address that is not ours
    GroupDestination,  ///< NTP to a multicast or broadcast address
    BadSource,     ///< from an address that no reply may be sent to: group, ours, loopback, none
    NotServed,     ///< of a protocol or port that nobody here serves
    BadNeighbour,  ///< ARP or neighbour discovery that its RFC tells us to ignore
    EchoLimited,   ///< more pings than are answered
    NoRoom,        ///< the buffer is too small for the answer
    Refused,       ///< by the responder: its own drop counters say why
    Count,
};

/// "truncated", "bad-checksum", … for reports and metrics.
const char* to_string(FrameDrop reason) noexcept;

struct Frame {
    /// No VLAN tag has been stripped.
    static constexpr std::uint32_t kNoTag = 0xffffffff;

    // Set by the port before `receive`.
    std::uint8_t* data = nullptr;  ///< first byte of the destination address
    std::uint16_t length = 0;      ///< from there, contiguous, without the check sequence
    std::uint16_t capacity = 0;    ///< bytes that may be written from `data` on
    ChecksumState ip_checksum = ChecksumState::Unknown;
    ChecksumState l4_checksum = ChecksumState::Unknown;
    /// The control word of an outer VLAN tag that the device took off; the device must put it back
    /// into answers.
    std::uint32_t stripped_tag = kNoTag;
    Stamp stamp;  ///< when it came in

    // Set by `receive`. `length` is that of the answer then.
    FrameVerdict verdict = FrameVerdict::Drop;
    FrameDrop drop = FrameDrop::None;
    bool is_ipv6 = false;
    std::uint8_t slot = 0;         ///< for the FrameServer
    std::uint16_t l3_offset = 0;   ///< of the IP header
    std::uint16_t l4_offset = 0;   ///< of the UDP header
    std::uint16_t local_port = 0;  ///< UDP port of ours that it came to

    // Set by `finish` for a Reply.
    bool want_stamp = false;   ///< report when it left, if the device can
    std::uint64_t cookie = 0;  ///< for `TxStampReport::cookie`

    /// To be sent from the buffer.
    bool is_answer() const noexcept {
        return verdict == FrameVerdict::Reply || verdict == FrameVerdict::Answered;
    }
};

/// Written by the worker, read by anybody.
struct FrameCounters {
    OwnedCounter replies;       ///< NTP
    OwnedCounter arp_answers;   ///< ARP requests answered
    OwnedCounter nd_answers;    ///< neighbour solicitations answered
    OwnedCounter echo_answers;  ///< pings answered
    OwnedCounter to_control;
    OwnedCounter to_kernel;
    /// ICMP saying that a packet of ours was too big. Ours are of at most 1,280 bytes with all
    /// headers, so that over IPv6 this means a broken path; nothing is done about it.
    OwnedCounter too_big;
    /// Somebody else claims one of our addresses.
    OwnedCounter address_conflicts;
    std::array<OwnedCounter, static_cast<std::size_t>(FrameDrop::Count)> drops;
};

}  // namespace gnomon
