#include "dataplane/wire/mesh_row.h"

#include <algorithm>
#include <cmath>

#include "dataplane/wire/bytes.h"

namespace gnomon {

namespace {

constexpr std::uint32_t kMagic = 0x6D657368;
constexpr std::size_t kHeaderSize = 8;
constexpr std::size_t kEntrySize = 16;

}  // namespace

void MeshRow::add(const MeshEntry& entry) noexcept {
    const bool fits = std::fabs(entry.offset_s) < 0x1p31 && entry.sd_s >= 0.0 && entry.sd_s < 1.0;
    if (count_ < kMaxEntries && fits) entries_[count_++] = entry;
}

std::optional<MeshRow> MeshRow::decode(std::span<const std::uint8_t> body) noexcept {
    if (body.size() < kHeaderSize || load_be32(body, 0) != kMagic) return std::nullopt;
    const std::uint32_t count = load_be32(body, 4);
    if (count > kMaxEntries || body.size() < kHeaderSize + count * kEntrySize) return std::nullopt;
    MeshRow row;
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t at = kHeaderSize + i * kEntrySize;
        MeshEntry entry;
        entry.peer = RefId{load_be32(body, at)};
        entry.sd_s = load_be32(body, at + 4) * 0x1p-32;
        entry.offset_s =
            static_cast<double>(static_cast<std::int64_t>(load_be64(body, at + 8))) * 0x1p-32;
        row.add(entry);
    }
    return row;
}

std::size_t MeshRow::encode(std::span<std::uint8_t, kMaxSize> body) const noexcept {
    store_be32(body, 0, kMagic);
    store_be32(body, 4, static_cast<std::uint32_t>(count_));
    for (std::size_t i = 0; i < count_; ++i) {
        const std::size_t at = kHeaderSize + i * kEntrySize;
        const MeshEntry& entry = entries_[i];
        store_be32(body, at, entry.peer.value);
        store_be32(body, at + 4, static_cast<std::uint32_t>(entry.sd_s * 0x1p32));
        store_be64(body, at + 8,
                   static_cast<std::uint64_t>(
                       static_cast<std::int64_t>(std::nearbyint(entry.offset_s * 0x1p32))));
    }
    const std::size_t size = kHeaderSize + count_ * kEntrySize;
    if (size >= kMinSize) return size;
    std::fill(body.begin() + static_cast<std::ptrdiff_t>(size), body.begin() + kMinSize,
              std::uint8_t{0});
    return kMinSize;
}

}  // namespace gnomon
