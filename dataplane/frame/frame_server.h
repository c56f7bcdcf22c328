#pragma once

/// `FrameServer`: everything between a burst of Ethernet frames and a burst of answers in the same
/// buffers. NTP requests are answered by the same `Responder` that serves sockets; on exclusive ports
/// also ARP (RFC 826, 5227), neighbour discovery (RFC 4861) and ICMP echo for the port's addresses.
///
/// Sans-IO; no allocation, lock or system call after construction. One per worker, one thread.
///
///     n = rx_burst(…)                                  fill in data, length, capacity, stamp, …
///     server.receive(burst, state, tables)             every frame gets its verdict
///     … free Drop, pass on ToKernel and ToControl …
///     server.finish(burst, clock just read)            writes T3, MAC and checksums of Reply
///     tx_burst(…)                                      Reply and Answered, in place
///
/// Answers to NTP: addresses and ports swapped, VLAN tags kept, plain IP header (IPv4 options and IPv6
/// extension headers are left out), hop limit 64, the configured DSCP, UDP checksum always present. An
/// answer is never longer than its request but for the minimum of 60 bytes of a frame.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/frame/frame.h"
#include "dataplane/frame/listened_ports.h"
#include "dataplane/frame/neighbour_sighting.h"
#include "dataplane/port/dataplane_config.h"
#include "dataplane/port/port.h"
#include "dataplane/proto/responder.h"
#include "dataplane/proto/server_tables.h"
#include "dataplane/wire/ethernet.h"
#include "servo/units/random_source.h"
#include "servo/units/server_state.h"

namespace gnomon {

struct FrameServerConfig {
    /// Shared: NTP only. Exclusive: neighbour protocols and echo for `addresses`, the rest ToKernel.
    /// Automatic is not allowed here.
    DataplaneMode mode = DataplaneMode::Shared;
    /// Frames to other unicast addresses are not for us. All zero: not checked (shared ports, whose
    /// kernel may change it).
    MacAddress mac{};
    /// At most 256.
    std::vector<DataplaneAddress> addresses;
    /// What is not ours is ToKernel; else it is dropped and counted.
    bool strangers_to_kernel = true;
    std::uint16_t ntp_port = 123;  ///< 0: no server
    std::uint8_t dscp = 0;         ///< 0..63, of all we send
    int interface_index = 0;       ///< for `RxDatagram`
    /// The device computes them: finish() leaves the IPv4 header checksum zero, and in the UDP
    /// checksum the sum of the pseudo header, as devices want it.
    bool offload_ip_checksum = false;
    bool offload_udp_checksum = false;
    /// Take UDP checksums that hold the sum of the pseudo header only: what a kernel on the same machine
    /// leaves for a device to complete, and no device ever does between virtual interfaces.
    bool partial_checksums = false;
    /// Pings answered per second, with bursts of a tenth of it; 0: none.
    unsigned echo_per_second = 1000;
    /// Whose datagrams go to the control loop; outlives the server; null: none.
    const ListenedPorts* listened = nullptr;
};

class FrameServer {
public:
    /// Frames that `receive` takes at once.
    static constexpr std::size_t kMaxBurst = 64;

    /// Log, store and random source outlive the server; see `Responder`.
    FrameServer(FrameServerConfig config, ClientLog& log, TimestampStore& store,
                RandomSource& random);
    ~FrameServer();
    FrameServer(const FrameServer&) = delete;
    FrameServer& operator=(const FrameServer&) = delete;

    /// Gives every frame of the burst (at most kMaxBurst) its verdict. `tables`, and its keys, must
    /// live until the burst is finished.
    void receive(std::span<Frame> burst, const ServerState& state,
                 const ServerTables& tables) noexcept;

    /// Completes the frames with verdict Reply and passes over the others. May be called for parts
    /// of the burst, each with a fresh reading of the clock, and for frames that were moved about,
    /// once for each frame. `now`: the clock, just read; `position`: frames that leave between the
    /// reading and the first of these.
    void finish(std::span<Frame> frames, SystemTime now, std::size_t position = 0) noexcept;

    /// What a ToControl frame carries. Points into the frame's buffer; valid until the next `receive`.
    const RxDatagram& datagram(const Frame& frame) const noexcept;

    /// What ARP and neighbour discovery in the last burst told of others, for the `NeighbourTable`.
    /// Valid until the next `receive`. Empty on shared ports.
    std::span<const NeighbourSighting> sightings() const noexcept;
    /// A router has asked for group memberships since the last call: announce() soon.
    bool take_membership_query() noexcept;

    /// Transmit stamps of replies go to `responder().on_transmit_stamp`, send failures to
    /// `count_send_failure`.
    Responder& responder() noexcept;
    const Responder& responder() const noexcept;
    const FrameCounters& counters() const noexcept;

    /// Frames by which an exclusive port makes itself known: per address a gratuitous ARP or an
    /// unsolicited neighbour advertisement, per VLAN a report of multicast groups (MLDv2). To be sent
    /// when the link comes up, and again a second later. From any thread.
    std::size_t announcement_count() const noexcept;
    /// Builds number `index` < announcement_count(); returns its length, 0 when it does not fit (256
    /// bytes suffice).
    std::size_t announce(std::size_t index, std::span<std::uint8_t> out) const noexcept;
    /// Ethernet multicast addresses that the device must let through: those of solicited nodes and of
    /// all nodes. Sorted, without duplicates.
    const std::vector<MacAddress>& multicast_groups() const noexcept;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace gnomon
