#pragma once

/// `NeighbourTable`: finds the Ethernet address for what a port itself sends (our NTP requests) on an
/// exclusive port: which link, which next hop, which MAC (RFC 826; RFC 4861, 7.2 and 7.3). Sans-IO: it
/// is told sightings and the time, and builds frames to be sent. One thread.
///
/// Only stations that we want to talk to are in the table, so that nobody can fill it. What a station
/// says of itself unasked never replaces what is known: it only makes the table ask again, and the
/// answer to that decides.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "dataplane/frame/neighbour_sighting.h"
#include "dataplane/port/dataplane_config.h"
#include "dataplane/port/port.h"
#include "dataplane/wire/ethernet.h"
#include "servo/units/time_point.h"

namespace gnomon {

struct NeighbourTableConfig {
    MacAddress mac{};
    std::vector<DataplaneAddress> addresses;
    std::vector<IpAddress> gateways;  ///< the first of a family that is on one of our links is used
    std::size_t capacity = 256;       ///< next hops
};

/// How a packet leaves.
struct NeighbourRoute {
    IpAddress source;
    std::uint16_t vlan = 0;
    IpAddress next_hop;
};

class NeighbourTable {
public:
    enum class State : std::uint8_t {
        Known,
        Pending,  ///< being asked for: try again later
        NoRoute,  ///< neither on a link of ours nor a gateway for it, or the table is full
        Silent,   ///< does not answer; asked again every few seconds as long as somebody wants it
    };
    struct Resolution {
        State state = State::NoRoute;
        NeighbourRoute route;
        MacAddress mac{};  ///< when Known
    };

    explicit NeighbourTable(NeighbourTableConfig config);

    /// The link with the longest matching prefix, or else the gateway of the family.
    std::optional<NeighbourRoute> route(const IpAddress& destination) const noexcept;
    /// Starts asking when the next hop is not known.
    Resolution resolve(const IpAddress& destination, MonoTime now) noexcept;

    void learn(const NeighbourSighting& sighting, MonoTime now) noexcept;

    /// Builds the next solicitation that is due; returns its length, 0 when none is (128 bytes always
    /// suffice). To be called until it returns 0, every 100 ms or so and after a Pending resolution.
    std::size_t poll(MonoTime now, std::span<std::uint8_t> out) noexcept;

    std::size_t size() const noexcept { return entries_.size(); }

private:
    enum class Phase : std::uint8_t { Incomplete, Reachable, Probe, Silent };
    struct Entry {
        NeighbourRoute route;
        Phase phase = Phase::Incomplete;
        MacAddress mac{};
        MonoTime confirmed;
        MonoTime used;
        MonoTime next_at;  ///< of the next solicitation
        int asked = 0;     ///< solicitations without an answer
    };

    Entry* find(const IpAddress& next_hop, std::uint16_t vlan) noexcept;
    Entry* make(const NeighbourRoute& route, MonoTime now) noexcept;
    static void probe(Entry& entry, MonoTime now) noexcept;
    bool is_due(Entry& entry, MonoTime now) const noexcept;
    std::size_t build_solicitation(const Entry& entry, std::span<std::uint8_t> out) const noexcept;

    NeighbourTableConfig config_;
    std::vector<Entry> entries_;
};

/// Builds a datagram of ours as a frame: Ethernet with the route's VLAN, IP, UDP from `local_port`.
/// Checksums are complete. Returns its length (at least 60), 0 when it does not fit.
std::size_t build_datagram_frame(const NeighbourRoute& route, const MacAddress& from,
                                 const MacAddress& to, std::uint16_t local_port, std::uint8_t dscp,
                                 const SocketAddress& remote, std::span<const std::uint8_t> payload,
                                 std::span<std::uint8_t> out) noexcept;

}  // namespace gnomon
