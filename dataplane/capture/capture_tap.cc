#include "dataplane/capture/capture_tap.h"

#include <algorithm>

#include "dataplane/wire/ip.h"
#include "dataplane/wire/ntp_packet.h"

namespace gnomon {

CaptureTap::CaptureTap(std::string name, std::string description, CaptureLink link)
    : name_(std::move(name)), description_(std::move(description)), link_(link) {}

void CaptureTap::offer(std::span<const std::uint8_t> packet, const Stamp& stamp,
                       CaptureDirection direction) noexcept {
    // The ring's memory was published by `open`.
    if (!open_.load(std::memory_order_acquire)) return;
    const std::size_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - head_.load(std::memory_order_acquire) >= kSlots) {
        lost_.store(lost_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
        return;
    }
    CaptureSlot& slot = slots_[tail % kSlots];
    const std::size_t captured = std::min(packet.size(), CaptureSlot::kSnapLength);
    slot.time = stamp.time;
    slot.variance_s2 = static_cast<float>(stamp.variance_s2);
    slot.error_s = static_cast<float>(stamp.error_s);
    slot.length = static_cast<std::uint32_t>(packet.size());
    slot.captured = static_cast<std::uint16_t>(captured);
    slot.source = stamp.source;
    slot.direction = direction;
    std::copy_n(packet.begin(), captured, slot.bytes.begin());
    tail_.store(tail + 1, std::memory_order_release);
}

void CaptureTap::offer_datagram(const SocketAddress& source, const SocketAddress& destination,
                                std::span<const std::uint8_t> payload, const Stamp& stamp,
                                CaptureDirection direction) noexcept {
    if (!active()) return;
    UdpPacket packet;
    packet.source = source;
    packet.destination = destination;
    const auto family = source.ip.is_ip() ? source.ip.family() : destination.ip.family();
    if (!source.ip.is_ip()) packet.source.ip = IpAddress::any(family);
    if (!destination.ip.is_ip()) packet.destination.ip = IpAddress::any(family);
    packet.payload = payload;
    std::array<std::uint8_t, 64 + kNtpMaxSize> bytes;
    const std::size_t size = build_ip_udp(packet, bytes);
    if (size != 0) offer({bytes.data(), size}, stamp, direction);
}

void CaptureTap::open() {
    if (slots_ == nullptr) slots_ = std::make_unique_for_overwrite<CaptureSlot[]>(kSlots);
    head_.store(tail_.load(std::memory_order_acquire), std::memory_order_release);
    lost_before_ = lost_.load(std::memory_order_relaxed);
    open_.store(true, std::memory_order_release);
}

const CaptureSlot* CaptureTap::front() const noexcept {
    const std::size_t head = head_.load(std::memory_order_relaxed);
    if (head == tail_.load(std::memory_order_acquire)) return nullptr;
    return &slots_[head % kSlots];
}

void CaptureTap::pop() noexcept {
    head_.store(head_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
}

CaptureTap& CaptureTaps::tap(std::string_view name, std::string_view description,
                             CaptureLink link) {
    const std::lock_guard guard(mutex_);
    for (const auto& tap : taps_) {
        if (tap->name() == name && tap->link() == link) return *tap;
    }
    return *taps_.emplace_back(
        std::make_unique<CaptureTap>(std::string(name), std::string(description), link));
}

std::vector<CaptureTap*> CaptureTaps::select(std::string_view port) const {
    const std::lock_guard guard(mutex_);
    std::vector<CaptureTap*> selected;
    for (const auto& tap : taps_) {
        const std::string_view name = tap->name();
        const bool matches = port.empty() || name == port ||
                             (name.size() > port.size() && name.substr(0, port.size()) == port &&
                              name[port.size()] == '/');
        if (matches) selected.push_back(tap.get());
    }
    return selected;
}

}  // namespace gnomon
