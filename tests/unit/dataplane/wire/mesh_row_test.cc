#include "dataplane/wire/mesh_row.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace gnomon {
namespace {

MeshRow row_of(int entries) {
    MeshRow row;
    for (int i = 0; i < entries; ++i) {
        row.add({RefId{0x0A000001U + static_cast<std::uint32_t>(i)}, -1e-6 * i, 1e-9 * (i + 1)});
    }
    return row;
}

TEST(MeshRow, SurvivesEncoding) {
    for (const int entries : {0, 1, 5, 16, 20}) {
        std::array<std::uint8_t, MeshRow::kMaxSize> body{};
        const std::size_t size = row_of(entries).encode(body);
        EXPECT_GE(size, MeshRow::kMinSize);
        const auto back = MeshRow::decode(std::span(body).first(size));
        ASSERT_TRUE(back);
        ASSERT_EQ(back->entries().size(), static_cast<std::size_t>(std::min(entries, 16)));
        for (std::size_t i = 0; i < back->entries().size(); ++i) {
            EXPECT_EQ(back->entries()[i].peer.value, 0x0A000001U + i);
            EXPECT_NEAR(back->entries()[i].offset_s, -1e-6 * static_cast<double>(i), 2e-10);
            EXPECT_NEAR(back->entries()[i].sd_s, 1e-9 * static_cast<double>(i + 1), 3e-10);
        }
    }
}

TEST(MeshRow, IgnoresWhatTheFormatCannotSay) {
    MeshRow row;
    row.add({RefId{1}, std::nan(""), 1e-6});
    row.add({RefId{1}, 1e10, 1e-6});
    row.add({RefId{1}, 0.0, 1.0});
    row.add({RefId{1}, 0.0, -1e-6});
    EXPECT_TRUE(row.entries().empty());
}

TEST(MeshRow, RefusesOtherBodies) {
    std::array<std::uint8_t, MeshRow::kMaxSize> body{};
    const std::size_t size = row_of(3).encode(body);
    EXPECT_FALSE(MeshRow::decode(std::span(body).first(size - 1)));
    EXPECT_FALSE(MeshRow::decode(std::span(body).first(4)));
    EXPECT_FALSE(MeshRow::decode({}));
    std::array<std::uint8_t, MeshRow::kMaxSize> other = body;
    other[0] ^= 1;
    EXPECT_FALSE(MeshRow::decode(other));
    other = body;
    other[4] = 0xff;
    EXPECT_FALSE(MeshRow::decode(other));
}

}  // namespace
}  // namespace gnomon
