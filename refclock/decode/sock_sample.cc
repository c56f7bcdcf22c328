#include "refclock/decode/sock_sample.h"

#include <cmath>
#include <cstring>

namespace gnomon {
namespace {

template <typename T>
T take(std::span<const std::uint8_t>& bytes) noexcept {
    T value{};
    std::memcpy(&value, bytes.data(), sizeof value);
    bytes = bytes.subspan(sizeof value);
    return value;
}

constexpr std::int64_t kMaxSeconds = 9'000'000'000;
constexpr std::int64_t kMaxUs = kMaxSeconds * 1'000'000;
constexpr double kMaxOffset_s = 4294967296.0;

}  // namespace

Result<RawRefclockSample, SockDrop> decode_sock(std::span<const std::uint8_t> datagram) noexcept {
    std::int64_t seconds = 0;
    std::int64_t us = 0;
    if (datagram.size() == kSockSampleSize) {
        seconds = take<std::int64_t>(datagram);
        us = take<std::int64_t>(datagram);
    } else if (datagram.size() == kSockSampleSize32) {
        seconds = take<std::int32_t>(datagram);
        us = take<std::int32_t>(datagram);
    } else {
        return Unexpected(SockDrop::WrongSize);
    }
    const auto offset_s = take<double>(datagram);
    const auto pulse = take<std::int32_t>(datagram);
    const auto leap = take<std::int32_t>(datagram);
    take<std::int32_t>(datagram);
    if (take<std::int32_t>(datagram) != kSockMagic) return Unexpected(SockDrop::BadMagic);

    // Microseconds that overflow are carried, but not more than a timeval could mean.
    if (seconds < 0 || seconds > kMaxSeconds || us < -kMaxUs || us > kMaxUs ||
        !(std::fabs(offset_s) < kMaxOffset_s)) {
        return Unexpected(SockDrop::BadTime);
    }
    RawRefclockSample sample;
    sample.kind = pulse != 0 ? RawRefclockSample::Kind::Pulse : RawRefclockSample::Kind::Time;
    sample.at = SystemTime() + (Duration::from_s(seconds) + Duration::from_us(us));
    sample.offset = Duration::from_seconds(offset_s);
    if (!is_sane(sample)) return Unexpected(SockDrop::BadTime);
    if (pulse == 0) {
        if (leap < 0 || leap > static_cast<int>(Leap::DeleteSecond)) {
            return Unexpected(SockDrop::BadLeap);
        }
        sample.leap = static_cast<Leap>(leap);
    }
    return sample;
}

}  // namespace gnomon
