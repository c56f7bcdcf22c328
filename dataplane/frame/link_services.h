#pragma once

/// `LinkServices`: what a station on the link must do besides serving time: ARP, neighbour discovery,
/// echo. Answers are written over the frames that ask. Exclusive ports only; part of `FrameServer`.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/frame/address_index.h"
#include "dataplane/frame/frame.h"
#include "dataplane/frame/layer2.h"
#include "dataplane/frame/neighbour_sighting.h"
#include "dataplane/wire/ethernet.h"
#include "servo/units/time_point.h"

namespace gnomon {

/// So many at once, and so many per second.
class EchoBudget {
public:
    explicit EchoBudget(unsigned per_second) noexcept;
    bool take(SystemTime now) noexcept;

private:
    std::int64_t cost_ns_ = 0;  ///< of one; 0: none at all
    std::int64_t limit_ns_ = 0;
    std::int64_t credit_ns_ = 0;
    SystemTime last_;
};

class LinkServices {
public:
    /// None: answered in place. NotForUs, NotServed: somebody else's business, the frame is unchanged.
    /// Anything else: to be dropped.
    using Result = FrameDrop;

    /// All of it outlives the services.
    LinkServices(const MacAddress& mac, const AddressIndex& addresses, FrameCounters& counters,
                 unsigned echo_per_second) noexcept
        : mac_(mac), addresses_(addresses), counters_(counters), budget_(echo_per_second) {}

    void begin_burst() noexcept { sighting_count_ = 0; }

    Result on_arp(Frame& frame, Layer2 link) noexcept;
    /// The IPv4 packet is whole and without options or fragmentation, ICMP, for `link`'s VLAN.
    Result on_icmpv4(Frame& frame, Layer2 link, std::size_t size) noexcept;
    /// The IPv6 packet is whole and of ICMPv6 without extension headers.
    Result on_icmpv6(Frame& frame, Layer2 link, std::size_t size) noexcept;

    std::span<const NeighbourSighting> sightings() const noexcept {
        return {sightings_.data(), sighting_count_};
    }

private:
    Result on_echo_v6(Frame& frame, Layer2 link, std::size_t size) noexcept;
    Result on_neighbour(Frame& frame, Layer2 link, std::size_t size) noexcept;
    void note(NeighbourSighting::Kind kind, const IpAddress& ip, const MacAddress& mac,
              std::uint16_t vlan) noexcept;
    bool is_answerable(const IpAddress& ip) const noexcept;

    const MacAddress& mac_;
    const AddressIndex& addresses_;
    FrameCounters& counters_;
    EchoBudget budget_;
    std::array<NeighbourSighting, 64> sightings_;
    std::size_t sighting_count_ = 0;
};

}  // namespace gnomon
