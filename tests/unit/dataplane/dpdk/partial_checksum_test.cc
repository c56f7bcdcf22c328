#include "dataplane/dpdk/partial_checksum.h"

#include <gtest/gtest.h>

#include "dataplane/wire/checksum.h"
#include "tests/unit/dataplane/frame/frame_fixture.h"

namespace gnomon {
namespace {

using testing::Bytes;

/// Puts the pseudo header's sum where the checksum was.
void make_partial(Bytes& frame, std::size_t addresses, std::size_t address_size, std::size_t udp) {
    const std::size_t length = frame[udp + 4] * 256U + frame[udp + 5];
    std::uint64_t sum = sum_words(0, frame.data() + addresses, address_size);
    sum += sum_order(17);
    sum += sum_order(static_cast<std::uint16_t>(length));
    store_sum(frame.data() + udp + 6, fold_sum(sum));
}

TEST(PartialChecksum, Ipv4_IsCompleted) {
    const Bytes whole = testing::udp_frame(testing::ntp_request());
    Bytes partial = whole;
    make_partial(partial, 14 + 12, 8, 34);
    ASSERT_NE(partial, whole);
    EXPECT_TRUE(complete_partial_checksum(partial));
    EXPECT_EQ(partial, whole);
}

TEST(PartialChecksum, Ipv6BehindATag_IsCompleted) {
    testing::FrameOptions options;
    options.source = "2001:db8::7";
    options.destination = "2001:db8::1";
    options.tags.push_back({kEtherTypeVlan, 7});
    const Bytes whole = testing::udp_frame(testing::ntp_request(), options);
    Bytes partial = whole;
    make_partial(partial, 18 + 8, 32, 18 + 40);
    EXPECT_TRUE(complete_partial_checksum(partial));
    EXPECT_EQ(partial, whole);
}

TEST(PartialChecksum, WholeAndWrongOnes_AreLeftAlone) {
    Bytes frame = testing::udp_frame(testing::ntp_request());
    const Bytes whole = frame;
    EXPECT_FALSE(complete_partial_checksum(frame));
    EXPECT_EQ(frame, whole);
    frame[41] ^= 0x55;
    const Bytes wrong = frame;
    EXPECT_FALSE(complete_partial_checksum(frame));
    EXPECT_EQ(frame, wrong);
}

TEST(PartialChecksum, EveryTruncation_IsLeftAlone) {
    Bytes whole = testing::udp_frame(testing::ntp_request());
    make_partial(whole, 14 + 12, 8, 34);
    for (std::size_t size = 0; size < whole.size(); ++size) {
        Bytes cut(whole.begin(), whole.begin() + static_cast<long>(size));
        const Bytes before = cut;
        EXPECT_FALSE(complete_partial_checksum(cut)) << size;
        EXPECT_EQ(cut, before);
    }
}

}  // namespace
}  // namespace gnomon
