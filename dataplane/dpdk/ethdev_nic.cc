#include "dataplane/dpdk/ethdev_nic.h"

#include <fmt/format.h>
#include <net/if.h>
#include <rte_bus_vdev.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_mbuf_dyn.h>
#include <rte_prefetch.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "dataplane/dpdk/eal.h"
#include "dataplane/dpdk/xdp/control.h"
#include "dataplane/dpdk/xdp_control.h"

namespace gnomon {

namespace {

constexpr std::size_t kMaxBurst = 64;
constexpr unsigned kPoolCache = 256;

rte_mbuf* mbuf_of(const NicBuffer& buffer) noexcept {
    return static_cast<rte_mbuf*>(buffer.handle);
}

ChecksumState checksum_state(std::uint64_t flags, std::uint64_t good, std::uint64_t bad) noexcept {
    const std::uint64_t seen = flags & (good | bad);
    if (seen == good) return ChecksumState::Good;
    return seen == bad ? ChecksumState::Bad : ChecksumState::Unknown;
}

/// What our XDP program left before the frame.
void take_xdp_stamp(const Frame& frame, NicBuffer& buffer) noexcept {
    gnomon_xdp_stamp stamp;
    std::uint8_t* at = frame.data - sizeof(stamp);
    std::memcpy(&stamp, at, sizeof(stamp));
    if (stamp.magic != GNOMON_XDP_MAGIC) return;
    buffer.kind = NicTime::Mono;
    buffer.time_ns = static_cast<std::int64_t>(stamp.mono_ns);
    // The next frame in this place may have none.
    std::memset(at, 0, sizeof(stamp));
}

}  // namespace

std::optional<SysError> EthdevNic::failed(const char* what, int code) const {
    return SysError{fmt::format("dataplane device {} ({}): {}", spec_.name, spec_.arguments, what),
                    code < 0 ? -code : code};
}

SysResult<std::unique_ptr<EthdevNic>> EthdevNic::open(const DeviceSpec& spec,
                                                      const EthdevOptions& options, EalLog& log) {
    std::unique_ptr<EthdevNic> nic(new EthdevNic());
    nic->spec_ = spec;
    log.clear();
    const auto explained = [&](SysError error) {
        if (const std::string reason = log.reason(); !reason.empty()) {
            error.what += fmt::format(" ({})", reason);
        }
        return Unexpected(std::move(error));
    };
    if (!spec.interface.empty()) {
        nic->interface_index_ = static_cast<int>(if_nametoindex(spec.interface.c_str()));
        if (nic->interface_index_ == 0) {
            return Unexpected(SysError::last("dataplane interface " + spec.interface));
        }
        nic->control_socket_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    }
    if (spec.kind != DeviceKind::Pci) {
        const int code = rte_eal_hotplug_add("vdev", spec.name.c_str(), spec.arguments.c_str());
        if (code < 0) return explained(*nic->failed("no such device", code));
    }
    if (const int code = rte_eth_dev_get_port_by_name(spec.name.c_str(), &nic->port_); code < 0) {
        return explained(
            *nic->failed("not found, or bound to a driver that DPDK does not know", code));
    }
    nic->open_ = true;
    if (auto error = nic->configure(options)) return explained(std::move(*error));
    if (auto error = nic->set_up_queues(options)) return explained(std::move(*error));
    if (const int code = rte_eth_dev_start(nic->port_); code < 0) {
        return explained(*nic->failed("does not start", code));
    }
    nic->started_ = true;
    if (spec.kind == DeviceKind::AfXdp && spec.own_program) {
        auto xdp = XdpControl::open(nic->interface_index_);
        if (!xdp) return Unexpected(*nic->failed(xdp.error().what.c_str(), xdp.error().code));
        nic->xdp_ = std::move(*xdp);
    }
    if (spec.kind == DeviceKind::AfPacket) nic->find_packet_sockets(options);
    if (options.all_groups) rte_eth_allmulticast_enable(nic->port_);
    nic->find_capabilities();
    return nic;
}

std::optional<SysError> EthdevNic::configure(const EthdevOptions& options) {
    rte_eth_dev_info info{};
    if (const int code = rte_eth_dev_info_get(port_, &info); code < 0) {
        return failed("asking for its features", code);
    }
    driver_ = info.driver_name;
    if (options.queues > info.max_rx_queues || options.queues > info.max_tx_queues) {
        return failed(
            fmt::format("has only {} queues", std::min(info.max_rx_queues, info.max_tx_queues))
                .c_str(),
            EINVAL);
    }
    if (options.offloads) {
        rx_offloads_ =
            info.rx_offload_capa & (RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM |
                                    RTE_ETH_RX_OFFLOAD_TIMESTAMP);
        tx_offloads_ = info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE;
    }
    rte_eth_conf conf{};
    conf.rxmode.offloads = rx_offloads_;
    conf.txmode.offloads = tx_offloads_;
    const std::uint64_t hashes = info.flow_type_rss_offloads & (RTE_ETH_RSS_UDP | RTE_ETH_RSS_IP);
    if (options.queues > 1 && hashes != 0) {
        conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
        conf.rx_adv_conf.rss_conf.rss_hf = hashes;
    }
    const auto queues = static_cast<std::uint16_t>(options.queues);
    if (const int code = rte_eth_dev_configure(port_, queues, queues, &conf); code < 0) {
        return failed("configuring it", code);
    }
    if (options.mac != MacAddress{}) {
        rte_ether_addr address{};
        std::copy(options.mac.begin(), options.mac.end(), address.addr_bytes);
        rte_eth_dev_default_mac_addr_set(port_, &address);
    }
    rte_ether_addr address{};
    if (rte_eth_macaddr_get(port_, &address) == 0) {
        std::copy_n(address.addr_bytes, mac_.size(), mac_.begin());
    }
    return std::nullopt;
}

std::optional<SysError> EthdevNic::set_up_queues(const EthdevOptions& options) {
    auto rx_descriptors = static_cast<std::uint16_t>(std::min(options.ring_size, 32768U));
    auto tx_descriptors = rx_descriptors;
    rte_eth_dev_adjust_nb_rx_tx_desc(port_, &rx_descriptors, &tx_descriptors);
    const int socket = rte_eth_dev_socket_id(port_);
    pool_ =
        rte_pktmbuf_pool_create(fmt::format("gnomon_{}", options.number).c_str(), options.buffers,
                                kPoolCache, 0, RTE_MBUF_DEFAULT_BUF_SIZE, socket);
    if (pool_ == nullptr) return failed("memory for packet buffers", rte_errno);
    for (std::uint16_t queue = 0; queue < options.queues; ++queue) {
        int code = rte_eth_rx_queue_setup(port_, queue, rx_descriptors,
                                          static_cast<unsigned>(socket), nullptr, pool_);
        if (code < 0) return failed("setting up a receive queue", code);
        code = rte_eth_tx_queue_setup(port_, queue, tx_descriptors, static_cast<unsigned>(socket),
                                      nullptr);
        if (code < 0) return failed("setting up a transmit queue", code);
    }
    return std::nullopt;
}

void EthdevNic::find_packet_sockets(const EthdevOptions& options) {
    const std::vector<int> found = PacketSocket::find(interface_index_);
    // Somebody else in this process may have one: then nobody can tell whose is whose.
    if (found.size() != options.queues) return;
    PacketSocket::Ring ring;
    ring.frames = spec_.packet_ring;
    for (const int fd : found) {
        PacketSocket& socket = sockets_.emplace_back(fd, ring);
        if (spec_.mode == DataplaneMode::Shared) socket.filter_for_udp();
    }
}

void EthdevNic::find_capabilities() {
    std::string words;
    const auto has = [&](bool present, const char* word) {
        if (present) words += words.empty() ? word : std::string(" ") + word;
        return present;
    };
    has((rx_offloads_ & RTE_ETH_RX_OFFLOAD_UDP_CKSUM) != 0, "rx-checksum");
    if ((rx_offloads_ & RTE_ETH_RX_OFFLOAD_TIMESTAMP) != 0 &&
        rte_mbuf_dyn_rx_timestamp_register(&stamp_offset_, &stamp_flag_) != 0) {
        stamp_offset_ = -1;
    }
    capabilities_.rx_stamps = has(stamp_offset_ >= 0, "rx-timestamp") ||
                              has(xdp_ != nullptr || !sockets_.empty(), "kernel-rx-timestamp");
    if (has(!sockets_.empty(), "kernel-tx-timestamp")) {
        capabilities_.transmit_stamps = TransmitStamping::Burst;
    }
    std::uint64_t count = 0;
    capabilities_.clock = has(rte_eth_read_clock(port_, &count) == 0, "clock");
    if (sockets_.empty() && has(rte_eth_timesync_enable(port_) == 0, "timesync")) {
        capabilities_.transmit_stamps = TransmitStamping::Frame;
        capabilities_.clock = true;
    }
    capabilities_.offloads = words;
}

EthdevNic::EthdevNic() = default;

EthdevNic::~EthdevNic() {
    xdp_.reset();
    sockets_.clear();
    if (started_) rte_eth_dev_stop(port_);
    if (open_) {
        rte_eth_dev_close(port_);
        if (spec_.kind != DeviceKind::Pci) rte_eal_hotplug_remove("vdev", spec_.name.c_str());
    }
    rte_mempool_free(pool_);
    if (control_socket_ >= 0) close(control_socket_);
}

std::size_t EthdevNic::receive(unsigned queue, std::span<Frame> frames,
                               std::span<NicBuffer> buffers) noexcept {
    std::array<rte_mbuf*, kMaxBurst> mbufs;
    const auto wanted =
        static_cast<std::uint16_t>(std::min({frames.size(), buffers.size(), kMaxBurst}));
    const std::uint16_t count =
        rte_eth_rx_burst(port_, static_cast<std::uint16_t>(queue), mbufs.data(), wanted);
    for (std::uint16_t i = 0; i < count; ++i) rte_prefetch0(mbufs[i]);
    for (std::uint16_t i = 0; i < count; ++i) {
        rte_mbuf* mbuf = mbufs[i];
        Frame& frame = frames[i];
        frame.data = rte_pktmbuf_mtod(mbuf, std::uint8_t*);
        frame.length = mbuf->data_len;
        frame.capacity = static_cast<std::uint16_t>(mbuf->buf_len - mbuf->data_off);
        frame.ip_checksum =
            checksum_state(mbuf->ol_flags, RTE_MBUF_F_RX_IP_CKSUM_GOOD, RTE_MBUF_F_RX_IP_CKSUM_BAD);
        frame.l4_checksum =
            checksum_state(mbuf->ol_flags, RTE_MBUF_F_RX_L4_CKSUM_GOOD, RTE_MBUF_F_RX_L4_CKSUM_BAD);
        frame.stripped_tag = Frame::kNoTag;
        NicBuffer& buffer = buffers[i];
        buffer.handle = mbuf;
        buffer.kind = NicTime::None;
        if (stamp_offset_ >= 0 && (mbuf->ol_flags & stamp_flag_) != 0) {
            buffer.kind = NicTime::Device;
            buffer.time_ns = static_cast<std::int64_t>(
                *RTE_MBUF_DYNFIELD(mbuf, stamp_offset_, rte_mbuf_timestamp_t*));
        } else if (xdp_ != nullptr) {
            take_xdp_stamp(frame, buffer);
        }
    }
    // The ring's places are the kernel's again by now. Where frames queue, it may have filled them anew,
    // and the stamp would be a later frame's: no stamp is better than that.
    if (!sockets_.empty() && count < std::min(frames.size(), kMaxBurst)) {
        sockets_[queue].stamp(frames.first(count), buffers.first(count));
    }
    return count;
}

std::size_t EthdevNic::send(unsigned queue, std::span<const Frame> frames,
                            std::span<const NicBuffer> buffers) noexcept {
    std::array<rte_mbuf*, kMaxBurst> mbufs;
    const auto count =
        static_cast<std::uint16_t>(std::min({frames.size(), buffers.size(), kMaxBurst}));
    for (std::uint16_t i = 0; i < count; ++i) {
        rte_mbuf* mbuf = mbuf_of(buffers[i]);
        mbufs[i] = mbuf;
        if (mbuf->data_len == frames[i].length) continue;
        // An answer replaces what was there; frames that are passed on keep their length.
        if (mbuf->next != nullptr) {
            rte_pktmbuf_free(mbuf->next);
            mbuf->next = nullptr;
            mbuf->nb_segs = 1;
        }
        mbuf->data_len = frames[i].length;
        mbuf->pkt_len = frames[i].length;
    }
    return rte_eth_tx_burst(port_, static_cast<std::uint16_t>(queue), mbufs.data(), count);
}

void EthdevNic::release(const NicBuffer& buffer) noexcept { rte_pktmbuf_free(mbuf_of(buffer)); }

bool EthdevNic::allocate(unsigned, Frame& frame, NicBuffer& buffer) noexcept {
    rte_mbuf* mbuf = rte_pktmbuf_alloc(pool_);
    if (mbuf == nullptr) return false;
    buffer = NicBuffer{mbuf, NicTime::None, 0};
    frame = Frame();
    frame.data = rte_pktmbuf_mtod(mbuf, std::uint8_t*);
    frame.capacity = static_cast<std::uint16_t>(mbuf->buf_len - mbuf->data_off);
    return true;
}

void EthdevNic::arm_transmit_stamp(unsigned queue, const NicBuffer& buffer) noexcept {
    if (!sockets_.empty()) return sockets_[queue].arm();
    if (capabilities_.transmit_stamps != TransmitStamping::Frame) return;
    mbuf_of(buffer)->ol_flags |= RTE_MBUF_F_TX_IEEE1588_TMST;
}

bool EthdevNic::take_transmit_stamp(unsigned queue, NicTransmitStamp& out) noexcept {
    if (!sockets_.empty()) return sockets_[queue].take(out);
    timespec time{};
    if (capabilities_.transmit_stamps != TransmitStamping::Frame ||
        rte_eth_timesync_read_tx_timestamp(port_, &time) != 0) {
        return false;
    }
    out = {NicTime::Device, std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec, {}};
    return true;
}

NicLink EthdevNic::link() noexcept {
    rte_eth_link state{};
    NicLink link;
    if (rte_eth_link_get_nowait(port_, &state) == 0) {
        link.up = state.link_status == RTE_ETH_LINK_UP;
        if (state.link_speed != RTE_ETH_SPEED_NUM_UNKNOWN) link.speed_mbps = state.link_speed;
    }
    if (interface_index_ != 0) {
        // The drivers over kernel interfaces say "up" once they are started.
        ifreq request{};
        std::strncpy(request.ifr_name, spec_.interface.c_str(), IFNAMSIZ - 1);
        constexpr int kUp = IFF_UP | IFF_RUNNING;
        link.up =
            ioctl(control_socket_, SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & kUp) == kUp;
    }
    return link;
}

NicCounters EthdevNic::counters() noexcept {
    rte_eth_stats stats{};
    NicCounters counters;
    if (rte_eth_stats_get(port_, &stats) == 0) {
        counters = {stats.imissed, stats.rx_nombuf, stats.oerrors};
    }
    for (PacketSocket& socket : sockets_) socket_drops_ += socket.take_drops();
    counters.missed += socket_drops_;
    return counters;
}

bool EthdevNic::lost() noexcept {
    if (interface_index_ != 0) {
        return static_cast<int>(if_nametoindex(spec_.interface.c_str())) != interface_index_;
    }
    return rte_eth_dev_is_removed(port_) == 1;
}

std::size_t EthdevNic::free_buffers() noexcept { return rte_mempool_avail_count(pool_); }

void EthdevNic::set_taking(bool taking) noexcept {
    if (xdp_ != nullptr) xdp_->set_taking(taking, spec_.mode == DataplaneMode::Exclusive);
}

std::optional<std::int64_t> EthdevNic::read_clock() noexcept {
    if (capabilities_.transmit_stamps == TransmitStamping::Frame) {
        timespec time{};
        if (rte_eth_timesync_read_time(port_, &time) == 0) {
            return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
        }
    }
    std::uint64_t count = 0;
    if (capabilities_.clock && rte_eth_read_clock(port_, &count) == 0) {
        return static_cast<std::int64_t>(count);
    }
    return std::nullopt;
}

}  // namespace gnomon
