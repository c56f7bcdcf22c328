#include "refclock/decode/shm_layout.h"

#include <cstring>
#include <optional>

namespace gnomon {
namespace {

constexpr std::int32_t kModeUnchecked = 0;
constexpr std::int32_t kModeCounted = 1;

std::optional<Duration> time_of(time_t seconds, std::int32_t us, std::uint32_t ns,
                                bool use_ns) noexcept {
    constexpr std::int64_t kMaxSeconds = 9'000'000'000;
    const auto s = static_cast<std::int64_t>(seconds);
    if (s < 0 || s > kMaxSeconds) return std::nullopt;
    return Duration::from_s(s) + (use_ns ? Duration::from_ns(ns) : Duration::from_us(us));
}

/// Writers that know nothing of nanoseconds leave garbage or zeros there.
bool agree(std::int32_t us, std::uint32_t ns) noexcept {
    return us >= 0 && ns / 1000 == static_cast<std::uint32_t>(us);
}

}  // namespace

Result<RawRefclockSample, ShmDrop> decode_shm(const ShmSegment& copy,
                                              std::int32_t count_after) noexcept {
    if (copy.valid == 0) return Unexpected(ShmDrop::NotValid);
    if (copy.mode != kModeUnchecked && copy.mode != kModeCounted) {
        return Unexpected(ShmDrop::BadMode);
    }
    if (copy.mode == kModeCounted && copy.count != count_after) return Unexpected(ShmDrop::Torn);
    const bool use_ns =
        agree(copy.clock_us, copy.clock_ns) && agree(copy.receive_us, copy.receive_ns);
    const auto clock = time_of(copy.clock_s, copy.clock_us, copy.clock_ns, use_ns);
    const auto receive = time_of(copy.receive_s, copy.receive_us, copy.receive_ns, use_ns);
    if (!clock || !receive) return Unexpected(ShmDrop::BadTime);
    if (copy.leap < 0 || copy.leap > static_cast<int>(Leap::DeleteSecond)) {
        return Unexpected(ShmDrop::BadLeap);
    }
    RawRefclockSample sample;
    sample.at = SystemTime() + *receive;
    sample.offset = *clock - *receive;
    sample.leap = static_cast<Leap>(copy.leap);
    if (!is_sane(sample)) return Unexpected(ShmDrop::BadTime);
    return sample;
}

Result<RawRefclockSample, ShmDrop> decode_shm(std::span<const std::uint8_t> copy,
                                              std::int32_t count_after) noexcept {
    if (copy.size() < sizeof(ShmSegment)) return Unexpected(ShmDrop::WrongSize);
    ShmSegment segment;
    std::memcpy(&segment, copy.data(), sizeof segment);
    return decode_shm(segment, count_after);
}

}  // namespace gnomon
