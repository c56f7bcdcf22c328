#include "dataplane/capture/replay_port.h"

#include <gtest/gtest.h>

#include "dataplane/capture/pcapng.h"
#include "dataplane/wire/bytes.h"

namespace gnomon {
namespace {

using Bytes = std::vector<std::uint8_t>;

/// A capture that is made packet by packet.
class Capture {
public:
    Capture() {
        append([](auto out) { return encode_pcapng_section("test", out); });
        append([](auto out) {
            return encode_pcapng_interface({"lo", "", link_type::kRaw, 0}, out);
        });
    }
    /// Modes 3 and 4 between a client and port 123, with the timestamps that matter.
    void add(std::uint8_t first_byte, bool out, std::uint64_t origin, std::uint64_t receive,
             std::size_t size = 48, std::uint16_t client_port = 40000) {
        Bytes payload(size);
        payload[0] = first_byte;
        store_be64(payload, 24, origin);
        store_be64(payload, 32, receive);
        UdpPacket packet;
        packet.source = {IpAddress::v4(0x0A000001), client_port};
        packet.destination = {IpAddress::v4(0x0A000002), 123};
        if (out) std::swap(packet.source, packet.destination);
        packet.payload = payload;
        Bytes ip(2000);
        ip.resize(build_ip_udp(packet, ip));
        add_raw(ip, out);
    }
    void add_raw(const Bytes& ip, bool out) {
        PcapngPacket packet;
        packet.stamp = {SystemTime::from_ns(now_ns += 1'000'000), TimestampSource::Hardware, 0.0};
        packet.outgoing = out;
        packet.length = static_cast<std::uint32_t>(ip.size());
        packet.bytes = ip;
        append([&](auto space) { return encode_pcapng_packet(packet, space); });
    }
    CaptureFile open() const { return *CaptureFile::open(bytes); }

    Bytes bytes;
    std::int64_t now_ns = 1'700'000'000'000'000'000;

private:
    template <typename Encode>
    void append(Encode encode) {
        Bytes block(4096);
        const std::size_t size = encode(std::span<std::uint8_t>(block));
        bytes.insert(bytes.end(), block.begin(), block.begin() + static_cast<std::ptrdiff_t>(size));
    }
};

constexpr std::uint8_t kRequest = 0x23;
constexpr std::uint8_t kAnswer = 0x24;

TEST(ReplayPort, HandsOutRequestsWithTheCapturesStamps) {
    Capture capture;
    capture.add(kRequest, false, 0, 0);
    capture.add(kAnswer, true, 0, 7);
    capture.add(kRequest, false, 0, 0);
    ReplayPort port(capture.open(), {});
    std::array<RxDatagram, 8> out;
    // The answer of then ends the first batch.
    ASSERT_EQ(port.receive(out), 1u);
    EXPECT_EQ(out[0].remote, (SocketAddress{IpAddress::v4(0x0A000001), 40000}));
    EXPECT_EQ(out[0].local, IpAddress::v4(0x0A000002));
    EXPECT_EQ(out[0].stamp.time.ns(), 1'700'000'000'001'000'000);
    EXPECT_EQ(out[0].stamp.source, TimestampSource::Hardware);
    EXPECT_EQ(out[0].payload.size(), 48u);
    ASSERT_EQ(port.receive(out), 1u);
    EXPECT_EQ(port.receive(out), 0u);
    EXPECT_EQ(port.counts().requests, 2u);
    EXPECT_EQ(port.counts().outgoing, 1u);
    EXPECT_EQ(port.counts().packets, 3u);
    EXPECT_FALSE(port.error().has_value());
}

TEST(ReplayPort, CountsWhatIsNoRequest) {
    Capture capture;
    capture.add_raw(Bytes(40, 0), false);
    capture.add(kRequest, false, 0, 0, 1400);
    capture.add(kAnswer, false, 0, 0, 48, 123);
    UdpPacket packet;
    packet.source = {IpAddress::v4(1), 5};
    packet.destination = {IpAddress::v4(2), 53};
    Bytes ip(100);
    ip.resize(build_ip_udp(packet, ip));
    capture.add_raw(ip, false);
    ReplayPort port(capture.open(), {});
    std::array<RxDatagram, 8> out;
    EXPECT_EQ(port.receive(out), 0u);
    EXPECT_EQ(port.counts().skipped[static_cast<std::size_t>(FrameSkip::NotIp)], 1u);
    EXPECT_EQ(port.counts().too_long, 1u);
    EXPECT_EQ(port.counts().outgoing, 1u);
    EXPECT_EQ(port.counts().other_port, 1u);
}

TEST(ReplayPort, TellsWhereTheFileIsBroken) {
    Capture capture;
    capture.add(kRequest, false, 0, 0);
    const std::size_t whole = capture.bytes.size();
    capture.add(kRequest, false, 0, 0);
    capture.bytes.resize(capture.bytes.size() - 3);
    ReplayPort port(capture.open(), {});
    std::array<RxDatagram, 8> out;
    EXPECT_EQ(port.receive(out), 1u);
    EXPECT_EQ(port.receive(out), 0u);
    ASSERT_TRUE(port.error().has_value());
    EXPECT_EQ(port.error()->offset, whole);
}

class Finisher final : public TxFinisher {
public:
    void finish(SystemTime now, std::size_t position) noexcept override {
        at = now;
        place = position;
    }
    SystemTime at;
    std::size_t place = 99;
};

TEST(ReplayPort, FinishesRepliesAtAMadeUpTimeAndHandsThemOn) {
    Capture capture;
    capture.add(kRequest, false, 0, 0);
    std::vector<std::pair<SocketAddress, std::int64_t>> replies;
    ReplayPort::Options options;
    options.on_reply = [&replies](const UdpPacket& reply, const Stamp& stamp) {
        replies.emplace_back(reply.destination, stamp.time.ns());
        EXPECT_EQ(reply.source, (SocketAddress{IpAddress::v4(0x0A000002), 123}));
    };
    ReplayPort port(capture.open(), options);
    std::array<RxDatagram, 8> in;
    ASSERT_EQ(port.receive(in), 1u);
    Finisher finisher;
    const Bytes payload(48);
    TxDatagram reply;
    reply.payload = payload;
    reply.remote = in[0].remote;
    reply.local = in[0].local;
    reply.finisher = &finisher;
    reply.want_stamp = true;
    reply.cookie = 5;
    ASSERT_EQ(port.send({&reply, 1}), 1u);
    EXPECT_EQ(finisher.at - in[0].stamp.time, Duration::from_us(20));
    EXPECT_EQ(finisher.place, 0u);
    ASSERT_EQ(replies.size(), 1u);
    EXPECT_EQ(replies[0].first, in[0].remote);
    std::array<TxStampReport, 4> stamps;
    ASSERT_EQ(port.transmit_stamps(stamps), 1u);
    EXPECT_EQ(stamps[0].cookie, 5u);
    EXPECT_EQ(stamps[0].stamp.time.ns(), replies[0].second);
    EXPECT_EQ(port.transmit_stamps(stamps), 0u);
}

TEST(ReplayPort, PutsOurTimestampIntoInterleavedRequests) {
    constexpr std::uint64_t kTheirs = 0x1111;
    constexpr std::uint64_t kOurs = 0x2222;
    Capture capture;
    capture.add(kRequest, false, 0, 0);
    capture.add(kAnswer, true, 0, kTheirs);
    capture.add(kRequest, false, kTheirs, 0);
    capture.add(kRequest, false, kTheirs, 0, 68);
    capture.add(kRequest, false, 0x3333, 0);
    ReplayPort port(capture.open(), {});
    std::array<RxDatagram, 8> in;
    ASSERT_EQ(port.receive(in), 1u);
    Bytes payload(48);
    store_be64(payload, 32, kOurs);
    TxDatagram reply;
    reply.payload = payload;
    reply.remote = in[0].remote;
    port.send({&reply, 1});
    ASSERT_EQ(port.receive(in), 3u);
    EXPECT_EQ(load_be64(in[0].payload, 24), kOurs);
    // A MAC covers this one.
    EXPECT_EQ(load_be64(in[1].payload, 24), kTheirs);
    EXPECT_EQ(load_be64(in[2].payload, 24), 0x3333u);
    EXPECT_EQ(port.counts().translated, 1u);
}

}  // namespace
}  // namespace gnomon
