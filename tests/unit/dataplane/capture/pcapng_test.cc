#include "dataplane/capture/pcapng.h"

#include <gtest/gtest.h>

#include "dataplane/capture/capture_file.h"
#include "dataplane/wire/ip.h"

namespace gnomon {
namespace {

using Bytes = std::vector<std::uint8_t>;
using Direction = CaptureFilePacket::Direction;

template <typename Encode>
void append(Bytes& file, Encode encode) {
    Bytes block(4096);
    const std::size_t size = encode(std::span<std::uint8_t>(block));
    ASSERT_GT(size, 0u);
    ASSERT_EQ(size % 4, 0u);
    file.insert(file.end(), block.begin(), block.begin() + static_cast<std::ptrdiff_t>(size));
}

void append_section(Bytes& file) {
    append(file, [](auto out) { return encode_pcapng_section("test", out); });
}

void append_interface(Bytes& file, std::uint16_t link, std::string_view name) {
    append(file, [&](auto out) {
        return encode_pcapng_interface({name, "a description", link, 480}, out);
    });
}

void append_packet(Bytes& file, const PcapngPacket& packet) {
    append(file, [&](auto out) { return encode_pcapng_packet(packet, out); });
}

Bytes two_interfaces() {
    Bytes file;
    append_section(file);
    append_interface(file, link_type::kEthernet, "eth1/0");
    append_interface(file, link_type::kRaw, "worker/0");
    return file;
}

PcapngPacket packet_of(std::span<const std::uint8_t> bytes) {
    PcapngPacket packet;
    packet.bytes = bytes;
    packet.length = static_cast<std::uint32_t>(bytes.size());
    return packet;
}

CaptureFile must_open(const Bytes& file) {
    auto opened = CaptureFile::open(file);
    EXPECT_TRUE(opened.has_value());
    return *opened;
}

/// The offset at which reading fails; empty when it does not.
std::optional<std::size_t> failure_of(const Bytes& file) {
    auto opened = CaptureFile::open(file);
    if (!opened) return opened.error().offset;
    while (true) {
        const auto packet = opened->next();
        if (!packet) return packet.error().offset;
        if (!packet->has_value()) return std::nullopt;
    }
}

TEST(Pcapng, ReadsBackWhatItWrites) {
    Bytes file = two_interfaces();
    const Bytes first{1, 2, 3, 4, 5};
    PcapngPacket packet = packet_of(first);
    packet.stamp.time = SystemTime::from_ns(1'700'000'000'123'456'789);
    packet.stamp.source = TimestampSource::Hardware;
    packet.stamp.variance_s2 = 25e-9 * 25e-9;
    packet.stamp.error_s = 3e-6;
    append_packet(file, packet);
    packet.interface_id = 1;
    packet.outgoing = true;
    packet.length = 900;
    packet.stamp.source = TimestampSource::Kernel;
    append_packet(file, packet);
    append(file, [](auto out) {
        return encode_pcapng_statistics({1, SystemTime::from_ns(5), SystemTime::from_ns(6), 10, 2},
                                        out);
    });

    CaptureFile reader = must_open(file);
    const auto one = *reader.next();
    ASSERT_TRUE(one.has_value());
    EXPECT_EQ(one->link, link_type::kEthernet);
    EXPECT_EQ(one->direction, Direction::In);
    EXPECT_EQ(one->stamp.time.ns(), 1'700'000'000'123'456'789);
    EXPECT_EQ(one->stamp.source, TimestampSource::Hardware);
    EXPECT_NEAR(one->stamp.variance_s2, 625e-18, 1e-18);
    EXPECT_NEAR(one->stamp.error_s, 3e-6, 1e-10);
    EXPECT_EQ(Bytes(one->bytes.begin(), one->bytes.end()), first);
    const auto two = *reader.next();
    ASSERT_TRUE(two.has_value());
    EXPECT_EQ(two->link, link_type::kRaw);
    EXPECT_EQ(two->direction, Direction::Out);
    EXPECT_EQ(two->length, 900u);
    EXPECT_EQ(two->stamp.source, TimestampSource::Kernel);
    EXPECT_FALSE((*reader.next()).has_value());
    ASSERT_EQ(reader.interfaces().size(), 2u);
    EXPECT_EQ(reader.interfaces()[0].name, "eth1/0");
    EXPECT_EQ(reader.interfaces()[1].name, "worker/0");
}

TEST(Pcapng, WritesNothingWhereItDoesNotFit) {
    const Bytes data(100);
    Bytes whole(4096);
    const std::size_t size = encode_pcapng_packet(packet_of(data), whole);
    ASSERT_GT(size, 0u);
    EXPECT_LE(size, data.size() + kPcapngOverhead);
    for (std::size_t room = 0; room < size; ++room) {
        EXPECT_EQ(encode_pcapng_packet(packet_of(data), std::span(whole).first(room)), 0u);
    }
    EXPECT_EQ(encode_pcapng_packet(packet_of(data), std::span(whole).first(size)), size);
}

TEST(Pcapng, CutsNamesThatAreTooLong) {
    const std::string name(10'000, 'x');
    Bytes block(kPcapngOverhead);
    EXPECT_GT(encode_pcapng_interface({name, name, 1, 0}, block), 0u);
}

TEST(CaptureFile, NamesTheOffsetOfEveryTruncation) {
    Bytes file = two_interfaces();
    const std::size_t header = file.size();
    const Bytes data(60);
    append_packet(file, packet_of(data));
    EXPECT_EQ(failure_of(file), std::nullopt);
    for (std::size_t size = header + 1; size < file.size(); ++size) {
        const Bytes cut(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(size));
        EXPECT_EQ(failure_of(cut), header) << size;
    }
}

TEST(CaptureFile, RefusesPacketsOfUnknownInterfaces) {
    Bytes file = two_interfaces();
    const std::size_t header = file.size();
    PcapngPacket packet = packet_of({});
    packet.interface_id = 2;
    append_packet(file, packet);
    EXPECT_EQ(failure_of(file), header);
}

TEST(CaptureFile, RefusesWhatIsNoCapture) {
    EXPECT_EQ(failure_of(Bytes(10)), 0u);
    EXPECT_EQ(failure_of(Bytes(100, 0x41)), 0u);
}

void put(Bytes& out, std::uint32_t value, std::size_t size, bool big) {
    for (std::size_t i = 0; i < size; ++i) {
        const std::size_t shift = 8 * (big ? size - 1 - i : i);
        out.push_back(static_cast<std::uint8_t>(value >> shift));
    }
}

Bytes classic(std::uint32_t magic, bool big, std::uint32_t fraction) {
    Bytes file;
    put(file, magic, 4, big);
    put(file, 2, 2, big);
    put(file, 4, 2, big);
    put(file, 0, 4, big);
    put(file, 0, 4, big);
    put(file, 65535, 4, big);
    put(file, link_type::kRaw, 4, big);
    put(file, 1'700'000'000, 4, big);
    put(file, fraction, 4, big);
    put(file, 3, 4, big);
    put(file, 3, 4, big);
    file.insert(file.end(), {7, 8, 9});
    return file;
}

TEST(CaptureFile, ReadsClassicFilesOfBothByteOrdersAndResolutions) {
    for (const bool big : {false, true}) {
        for (const bool nano : {false, true}) {
            const Bytes file = classic(nano ? 0xA1B23C4D : 0xA1B2C3D4, big, 123'456);
            CaptureFile reader = must_open(file);
            const auto packet = *reader.next();
            ASSERT_TRUE(packet.has_value());
            EXPECT_EQ(packet->stamp.time.ns(),
                      1'700'000'000'000'000'000 + (nano ? 123'456 : 123'456'000));
            EXPECT_EQ(packet->direction, Direction::Unknown);
            EXPECT_EQ(packet->link, link_type::kRaw);
            EXPECT_EQ(packet->bytes.size(), 3u);
            EXPECT_FALSE((*reader.next()).has_value());
        }
    }
}

TEST(CaptureFile, RefusesImpossibleFractionsOfClassicFiles) {
    EXPECT_EQ(failure_of(classic(0xA1B2C3D4, false, 1'000'000)), 24u);
}

/// A big-endian section with an interface of microseconds (the default) and one packet.
Bytes big_endian_pcapng() {
    Bytes file;
    put(file, 0x0A0D0D0A, 4, true);
    put(file, 28, 4, true);
    put(file, 0x1A2B3C4D, 4, true);
    put(file, 1, 2, true);
    put(file, 0, 2, true);
    put(file, 0xffffffff, 4, true);
    put(file, 0xffffffff, 4, true);
    put(file, 28, 4, true);
    put(file, 1, 4, true);
    put(file, 20, 4, true);
    put(file, link_type::kEthernet, 2, true);
    put(file, 0, 2, true);
    put(file, 0, 4, true);
    put(file, 20, 4, true);
    const std::uint64_t us = 1'700'000'000'000'001;
    put(file, 6, 4, true);
    put(file, 36, 4, true);
    put(file, 0, 4, true);
    put(file, static_cast<std::uint32_t>(us >> 32), 4, true);
    put(file, static_cast<std::uint32_t>(us), 4, true);
    put(file, 1, 4, true);
    put(file, 1, 4, true);
    file.insert(file.end(), {0xaa, 0, 0, 0});
    put(file, 36, 4, true);
    return file;
}

TEST(CaptureFile, ReadsSectionsOfEitherByteOrderInOneFile) {
    Bytes file = big_endian_pcapng();
    const Bytes little = two_interfaces();
    file.insert(file.end(), little.begin(), little.end());
    const Bytes data(5);
    append_packet(file, packet_of(data));
    CaptureFile reader = must_open(file);
    const auto big = *reader.next();
    ASSERT_TRUE(big.has_value());
    EXPECT_EQ(big->stamp.time.ns(), 1'700'000'000'000'001'000);
    const auto small = *reader.next();
    ASSERT_TRUE(small.has_value());
    EXPECT_EQ(small->bytes.size(), 5u);
    EXPECT_EQ(small->interface_id, 1u);
}

TEST(ExtractDatagram, FindsUdpBehindEveryLinkType) {
    UdpPacket packet;
    packet.source = {*IpAddress::parse("2001:db8::1"), 123};
    packet.destination = {*IpAddress::parse("2001:db8::2"), 40000};
    const Bytes payload(48, 0x24);
    packet.payload = payload;
    Bytes ip(200);
    ip.resize(build_ip_udp(packet, ip));
    const auto with = [&ip](Bytes header) {
        header.insert(header.end(), ip.begin(), ip.end());
        return header;
    };
    Bytes ethernet(12);
    ethernet.insert(ethernet.end(), {0x88, 0xa8, 0, 1, 0x81, 0x00, 0, 2, 0x86, 0xdd});
    Bytes sll(14);
    sll.insert(sll.end(), {0x86, 0xdd});
    Bytes sll2{0x81, 0x00};
    sll2.resize(20);
    sll2.insert(sll2.end(), {0, 7, 0x86, 0xdd});
    const std::pair<std::uint16_t, Bytes> cases[] = {
        {link_type::kEthernet, with(ethernet)},
        {link_type::kRaw, ip},
        {link_type::kIpv6, ip},
        {link_type::kLinuxSll, with(sll)},
        {link_type::kLinuxSll2, with(sll2)},
        {link_type::kNull, with(Bytes(4))},
    };
    for (const auto& [link, bytes] : cases) {
        const ExtractedDatagram found = extract_datagram(link, bytes);
        ASSERT_TRUE(found.packet.has_value()) << link << to_string(found.skip);
        EXPECT_EQ(found.packet->source, packet.source);
        EXPECT_EQ(found.packet->payload.size(), 48u);
        const auto cut = std::span(bytes).first(bytes.size() - 1);
        EXPECT_EQ(extract_datagram(link, cut).skip, FrameSkip::Truncated);
    }
    EXPECT_EQ(extract_datagram(9999, ip).skip, FrameSkip::UnknownLink);
    EXPECT_EQ(extract_datagram(link_type::kEthernet, Bytes(60)).skip, FrameSkip::NotIp);
}

}  // namespace
}  // namespace gnomon
