#include "dataplane/wire/extensions.h"

#include <cmath>

#include "dataplane/wire/bytes.h"

namespace gnomon {

NetworkCorrection NetworkCorrection::from_seconds(double seconds) noexcept {
    if (std::isnan(seconds)) return NetworkCorrection{};
    const double scaled = seconds * 0x1p32;
    if (scaled >= 0x1p63) return NetworkCorrection{INT64_MAX};
    if (scaled <= -0x1p63) return NetworkCorrection{INT64_MIN};
    return NetworkCorrection{static_cast<std::int64_t>(std::nearbyint(scaled))};
}

std::optional<NetworkCorrection> NetworkCorrection::decode(
    std::span<const std::uint8_t> body) noexcept {
    if (body.size() != kNetworkCorrectionSize) return std::nullopt;
    return NetworkCorrection{static_cast<std::int64_t>(load_be64(body, 0))};
}

std::array<std::uint8_t, kNetworkCorrectionSize> NetworkCorrection::encode() const noexcept {
    std::array<std::uint8_t, kNetworkCorrectionSize> body{};
    store_be64(body, 0, static_cast<std::uint64_t>(correction));
    return body;
}

std::uint32_t MonoRoot::to_fixed28(double seconds) noexcept {
    if (!(seconds > 0.0)) return 0;
    const double scaled = std::ceil(seconds * 0x1p28);
    return scaled >= 4294967295.0 ? 0xffff'ffffU : static_cast<std::uint32_t>(scaled);
}

double MonoRoot::from_fixed28(std::uint32_t fixed) noexcept {
    return fixed == 0xffff'ffffU ? 65536.0 : fixed * 0x1p-28;
}

std::optional<MonoRoot> MonoRoot::decode(std::span<const std::uint8_t> body) noexcept {
    if (body.size() != kMonoRootSize || load_be32(body, 0) != kMagic) return std::nullopt;
    MonoRoot field;
    field.root_delay = load_be32(body, 4);
    field.root_dispersion = load_be32(body, 8);
    field.mono_receive = NtpTimestamp::from_bits(load_be64(body, 12));
    field.mono_epoch = load_be32(body, 20);
    return field;
}

std::array<std::uint8_t, kMonoRootSize> MonoRoot::encode() const noexcept {
    std::array<std::uint8_t, kMonoRootSize> body{};
    store_be32(body, 0, kMagic);
    store_be32(body, 4, root_delay);
    store_be32(body, 8, root_dispersion);
    store_be64(body, 12, mono_receive.bits());
    store_be32(body, 20, mono_epoch);
    return body;
}

}  // namespace gnomon
