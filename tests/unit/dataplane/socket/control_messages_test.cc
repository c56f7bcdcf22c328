#include "dataplane/socket/control_messages.h"

#include <gtest/gtest.h>
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>

#include <cstring>
#include <random>
#include <vector>

#include "dataplane/socket/frame_time.h"
#include "dataplane/socket/interface_stamping.h"

namespace gnomon {
namespace {

constexpr int kPacketInfoType = 58;

/// Ancillary data as the kernel lays it out.
class Ancillary {
public:
    template <typename T>
    Ancillary& add(int level, int type, const T& body) {
        return add_bytes(level, type, &body, sizeof(body));
    }
    Ancillary& add_bytes(int level, int type, const void* body, std::size_t size) {
        cmsghdr header{};
        header.cmsg_len = CMSG_LEN(size);
        header.cmsg_level = level;
        header.cmsg_type = type;
        const std::size_t at = bytes_.size();
        bytes_.resize(at + CMSG_SPACE(size));
        std::memcpy(&bytes_[at], &header, sizeof(header));
        std::memcpy(&bytes_[at + CMSG_LEN(0)], body, size);
        return *this;
    }
    ReceivedControl parse(std::size_t length) {
        // Of exactly that size, so that reading beyond it is seen.
        std::vector<std::uint8_t> exact(bytes_.begin(),
                                        bytes_.begin() + static_cast<std::ptrdiff_t>(length));
        msghdr message{};
        message.msg_control = exact.data();
        message.msg_controllen = exact.size();
        return parse_control(message);
    }
    ReceivedControl parse() { return parse(bytes_.size()); }
    std::size_t size() const { return bytes_.size(); }
    std::vector<std::uint8_t>& bytes() { return bytes_; }

private:
    std::vector<std::uint8_t> bytes_;
};

struct PacketInfo {
    std::uint32_t interface_index;
    std::uint32_t length;
    std::uint32_t reserved[2];
};

Ancillary everything() {
    const timespec stamps[3] = {{1'700'000'000, 5}, {0, 0}, {42, 7}};
    in_pktinfo info{};
    info.ipi_addr.s_addr = htonl(0xc0a87b02);
    info.ipi_spec_dst.s_addr = htonl(0xc0a87b02);
    info.ipi_ifindex = 9;
    Ancillary ancillary;
    ancillary.add(IPPROTO_IP, IP_PKTINFO, info);
    ancillary.add(SOL_SOCKET, SCM_TIMESTAMPING, stamps);
    ancillary.add(SOL_SOCKET, kPacketInfoType, PacketInfo{3, 90, {}});
    return ancillary;
}

TEST(ControlMessages, BothStampsAndThePhysicalInterfaceAreRead) {
    const ReceivedControl control = everything().parse();
    EXPECT_EQ(control.software, SystemTime::from_ns(1'700'000'000'000'000'005));
    EXPECT_EQ(control.hardware_ns, 42'000'000'007);
    EXPECT_EQ(control.interface_index, 9);
    EXPECT_EQ(control.stamp_interface_index, 3);
    EXPECT_EQ(control.frame_length, 90);
    EXPECT_EQ(control.local, IpAddress::v4(0xc0a87b02));
}

TEST(ControlMessages, WithoutPacketInfoTheStampIsOfTheReceivingInterface) {
    const timespec stamps[3] = {{0, 0}, {0, 0}, {42, 7}};
    in_pktinfo info{};
    info.ipi_ifindex = 9;
    Ancillary ancillary;
    ancillary.add(SOL_SOCKET, SCM_TIMESTAMPING, stamps).add(IPPROTO_IP, IP_PKTINFO, info);
    EXPECT_EQ(ancillary.parse().stamp_interface_index, 9);
}

TEST(ControlMessages, TransmitIdsAreReadFromTheErrorReport) {
    sock_extended_err error{};
    error.ee_origin = SO_EE_ORIGIN_TIMESTAMPING;
    error.ee_data = 0x1234;
    EXPECT_EQ(Ancillary().add(IPPROTO_IP, IP_RECVERR, error).parse().transmit_id, 0x1234u);
    EXPECT_EQ(Ancillary().add(IPPROTO_IPV6, IPV6_RECVERR, error).parse().transmit_id, 0x1234u);
    // An ICMP error has no id.
    error.ee_origin = SO_EE_ORIGIN_ICMP;
    EXPECT_EQ(Ancillary().add(IPPROTO_IP, IP_RECVERR, error).parse().transmit_id, 0u);
}

TEST(ControlMessages, ShortBodiesAreIgnored) {
    const std::uint8_t few[4] = {1, 2, 3, 4};
    Ancillary ancillary;
    ancillary.add_bytes(SOL_SOCKET, SCM_TIMESTAMPING, few, 4)
        .add_bytes(SOL_SOCKET, kPacketInfoType, few, 4)
        .add_bytes(IPPROTO_IP, IP_PKTINFO, few, 4)
        .add_bytes(IPPROTO_IPV6, IPV6_PKTINFO, few, 4)
        .add_bytes(IPPROTO_IP, IP_RECVERR, few, 4);
    const ReceivedControl control = ancillary.parse();
    EXPECT_TRUE(control.software.is_zero());
    EXPECT_EQ(control.hardware_ns, 0);
    EXPECT_EQ(control.stamp_interface_index, 0);
}

TEST(ControlMessages, CutOffAnywhereNothingIsReadBeyondTheEnd) {
    Ancillary ancillary = everything();
    for (std::size_t length = 0; length <= ancillary.size(); ++length) ancillary.parse(length);
}

TEST(ControlMessages, AnyBytesAreParsedWithoutHarm) {
    std::mt19937 random(3);
    for (int i = 0; i < 20000; ++i) {
        Ancillary ancillary = everything();
        for (int n = 0; n < 4; ++n) {
            ancillary.bytes()[random() % ancillary.size()] = static_cast<std::uint8_t>(random());
        }
        ancillary.parse();
    }
}

TEST(FrameTime, AFrameTakesItsLengthAtTheSpeedOfTheLink) {
    // 90 bytes and the check sequence at 1 Gbit/s.
    EXPECT_NEAR(frame_duration_s(90, 48, 42, 1000), 94 * 8e-9, 1e-15);
    // Without the frame's length that of the payload with the headers of what we sent.
    EXPECT_NEAR(frame_duration_s(0, 48, 46, 100), 98 * 80e-9, 1e-15);
    EXPECT_EQ(frame_duration_s(90, 48, 42, 0), 0.0);
    EXPECT_EQ(FrameHeaders().of(IpAddress::Family::V6), 62u);
}

TEST(InterfaceStamping, TheFilterIsTheMostSpecificThatHasNtp) {
    const auto bit = [](int filter) { return 1U << filter; };
    const std::uint32_t ptp_only = bit(HWTSTAMP_FILTER_NONE) | bit(HWTSTAMP_FILTER_PTP_V2_EVENT);
    const std::uint32_t all = ptp_only | bit(HWTSTAMP_FILTER_ALL);
    using Wish = ReceiveFilter;
    EXPECT_EQ(choose_receive_filter(Wish::Any, all), HWTSTAMP_FILTER_ALL);
    EXPECT_EQ(choose_receive_filter(Wish::Any, all | bit(HWTSTAMP_FILTER_NTP_ALL)),
              HWTSTAMP_FILTER_NTP_ALL);
    EXPECT_EQ(choose_receive_filter(Wish::Any, ptp_only), HWTSTAMP_FILTER_NONE);
    EXPECT_EQ(choose_receive_filter(Wish::Ptp, all), HWTSTAMP_FILTER_PTP_V2_EVENT);
    EXPECT_EQ(choose_receive_filter(Wish::Ptp, all | bit(HWTSTAMP_FILTER_PTP_V2_L4_EVENT)),
              HWTSTAMP_FILTER_PTP_V2_L4_EVENT);
    EXPECT_EQ(choose_receive_filter(Wish::Ptp, 1), HWTSTAMP_FILTER_NONE);
    EXPECT_EQ(choose_receive_filter(Wish::None, all), HWTSTAMP_FILTER_NONE);
    // What is named is asked for, whatever the driver says it has.
    EXPECT_EQ(choose_receive_filter(Wish::All, ptp_only), HWTSTAMP_FILTER_ALL);
    EXPECT_EQ(choose_receive_filter(Wish::Ntp, ptp_only), HWTSTAMP_FILTER_NTP_ALL);
}

TEST(InterfaceStamping, InterfacesThatCannotSayWhich) {
    const auto loopback = enable_stamping("lo", ReceiveFilter::Any);
    ASSERT_FALSE(loopback.has_value());
    EXPECT_NE(loopback.error().message().find("lo"), std::string::npos);
    EXPECT_FALSE(enable_stamping("no-such-interface-at-all", ReceiveFilter::Any).has_value());
    EXPECT_FALSE(enable_stamping("", ReceiveFilter::Any).has_value());
    EXPECT_EQ(link_speed("lo"), 0);
}

}  // namespace
}  // namespace gnomon
