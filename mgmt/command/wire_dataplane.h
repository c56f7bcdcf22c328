#pragma once

/// Layouts of the parts of a `DataplaneReport`. Internal to the codec of replies.

#include <algorithm>
#include <cstdint>

#include "mgmt/command/packer.h"
#include "mgmt/command/reports.h"

namespace gnomon::command {

inline void byte_flag(Packer& p, bool value) noexcept { p.number(std::uint8_t{value}); }
inline void byte_flag(Unpacker& p, bool& value) noexcept { value = p.take<std::uint8_t>() != 0; }

inline constexpr std::size_t kDeviceSize = 64;
inline constexpr std::size_t kDriverSize = 32;
inline constexpr std::size_t kOffloadsSize = 128;
// Bytes of the parts of a DataplaneReport. The longest decides.
inline constexpr std::size_t kPortSize =
    kDeviceSize + kDriverSize + kOffloadsSize + 8 + 4 + 4 * 8 + 4;
inline constexpr std::size_t kWorkerSize = 8 + 15 * 8 + 3 * 4 + kLatencyBuckets * 8;
inline constexpr std::size_t kDropSize = kDropNameSize + 8;
inline constexpr std::size_t kDropsSize = 4 + kMaxDropsPerReply * kDropSize;
inline constexpr std::size_t kPartSize = std::max({kPortSize, kWorkerSize, kDropsSize});

template <typename P>
void fields(P& p, typename P::template Ref<DataplanePort> r) {
    p.name(r.device, kDeviceSize);
    p.name(r.driver, kDriverSize);
    p.name(r.offloads, kOffloadsSize);
    p.code(r.mode);
    p.code(r.health);
    byte_flag(p, r.link_up);
    byte_flag(p, r.serving);
    byte_flag(p, r.kernel_under);
    p.fill(3);
    p.number(r.link_speed_mbps);
    p.number(r.hardware_missed);
    p.number(r.no_buffers);
    p.number(r.to_kernel_lost);
    p.number(r.takeovers);
    p.real(r.queueing_s);
}

template <typename P>
void fields(P& p, typename P::template Ref<DataplaneWorker> r) {
    p.number(r.queue);
    p.number(r.core);
    p.number(r.polls);
    p.number(r.empty_polls);
    p.number(r.rx_frames);
    p.number(r.tx_frames);
    p.number(r.tx_failed);
    p.number(r.replies);
    p.number(r.neighbour);
    p.number(r.to_kernel);
    p.number(r.forwarded);
    p.number(r.forward_lost);
    for (auto& count : r.rx_stamps) p.number(count);
    p.number(r.tx_stamps);
    p.number(r.tx_stamps_missed);
    p.real(r.cycles_per_packet);
    p.real(r.busy_share);
    p.real(r.mean_burst);
    for (auto& count : r.latency_log2_ns) p.number(count);
}

}  // namespace gnomon::command
