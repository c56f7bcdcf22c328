/// Any bytes as frames into a frame server: every frame gets a sound verdict, what is answered is sound
/// and goes back to a station, what goes to the kernel is unchanged. Input: a byte of options, then
/// frames of two bytes of length and their bytes; bit 4 of the options: all of the rest is one frame.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <vector>

#include "dataplane/frame/neighbour_table.h"
#include "dataplane/wire/arp.h"
#include "dataplane/wire/checksum.h"
#include "dataplane/wire/icmp.h"
#include "tests/unit/dataplane/frame/frame_fixture.h"

namespace {

using namespace gnomon;
using gnomon::testing::Bytes;

void require(bool condition) {
    if (!condition) std::abort();
}

struct Input {
    Bytes before;
    Bytes buffer;
};

bool is_group(const std::uint8_t* mac) { return (mac[0] & 1) != 0; }

/// IPv6 neighbour answers may go to all nodes; nothing else leaves for a group.
void check_addresses(const Frame& frame, const Bytes& before) {
    require(frame.length >= kMinFrameSize && frame.length <= frame.capacity);
    require(!is_group(frame.data + 6));
    if (is_group(frame.data)) {
        require(frame.verdict == FrameVerdict::Answered && frame.data[0] == 0x33);
    } else {
        require(std::memcmp(frame.data, before.data() + 6, 6) == 0);
    }
}

void check_reply(const Frame& frame, const Bytes& before) {
    const std::span<const std::uint8_t> sent(frame.data, frame.length);
    const auto header = parse_ethernet(sent);
    const auto asked = parse_ethernet(before);
    require(header && asked && header->tag_count == asked->tag_count);
    require(!is_group(before.data()));
    const UdpParse reply = parse_ip_udp(sent.subspan(header->size()));
    require(reply.packet && !reply.packet->unchecked);
    const UdpParse request =
        parse_ip_udp(std::span(before).subspan(asked->size()), ChecksumPolicy::Trust);
    require(request.packet.has_value());
    require(reply.packet->payload.size() <= request.packet->payload.size());
    require(reply.packet->payload.size() >= kNtpHeaderSize);
    require(reply.packet->source == request.packet->destination);
    require(reply.packet->destination == request.packet->source);
    require(!is_multicast(reply.packet->destination.ip) && !reply.packet->destination.ip.is_any());
    const int mode = reply.packet->payload[0] & 7;
    require(mode == 4 || mode == 2);
}

void check_answer(const Frame& frame) {
    const std::span<const std::uint8_t> sent(frame.data, frame.length);
    const auto header = parse_ethernet(sent);
    require(header.has_value());
    const auto payload = sent.subspan(header->size());
    if (header->ether_type == kEtherTypeArp) {
        const auto arp = parse_arp(payload);
        require(arp && arp->reply && arp->sender_mac == gnomon::testing::kOurMac);
    } else if (header->ether_type == kEtherTypeIpv4) {
        require(fold_sum(sum_words(0, payload.data(), kIpv4HeaderSize)) == 0xffff);
        const std::size_t total = static_cast<std::size_t>(payload[2] << 8 | payload[3]);
        require(fold_sum(sum_words(0, payload.data() + kIpv4HeaderSize, total - kIpv4HeaderSize)) ==
                0xffff);
    } else {
        const std::size_t size = static_cast<std::size_t>(payload[4] << 8 | payload[5]);
        const auto packet = payload.first(kIpv6HeaderSize + size);
        require(icmpv6_checksum_holds(packet, packet.subspan(kIpv6HeaderSize)));
        require(packet[40] == kIcmpv6EchoReply || parse_neighbour(packet).has_value());
    }
}

FrameServerConfig make_config(std::uint8_t options) {
    FrameServerConfig config = gnomon::testing::frame_config(
        (options & 1) != 0 ? DataplaneMode::Exclusive : DataplaneMode::Shared);
    config.strangers_to_kernel = (options & 2) != 0;
    if ((options & 4) != 0 && (options & 1) == 0) config.mac = MacAddress{};
    return config;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 1) return 0;
    const std::uint8_t options = data[0];
    std::span<const std::uint8_t> rest(data + 1, size - 1);
    ListenedPorts ports;
    ports.add(45678);
    FrameServerConfig config = make_config(options);
    config.listened = &ports;
    ClientLogConfig log_config;
    log_config.memory_limit = 4096;
    gnomon::testing::FrameBench bench(config, log_config);
    bench.tables.forwarded = {gnomon::testing::ip("192.0.2.7")};
    NeighbourTable table({config.mac, config.addresses, {}, 4});
    MonoTime now = MonoTime::from_ns(1'000'000'000);
    table.resolve(gnomon::testing::ip("192.0.2.7"), now);

    // Checksums that the device calls good let more through than could be guessed.
    const ChecksumState checksums =
        (options & 8) != 0 ? ChecksumState::Good : ChecksumState::Unknown;
    std::vector<Input> inputs;
    while (inputs.size() < FrameServer::kMaxBurst && !rest.empty()) {
        std::size_t length = rest.size();
        if ((options & 16) == 0) {
            if (rest.size() < 2) break;
            length = std::min<std::size_t>(rest[0] << 8 | rest[1], rest.size() - 2);
            rest = rest.subspan(2);
        }
        Input input;
        input.buffer.reserve(1);  // an empty frame has an address too
        input.before.assign(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(length));
        input.buffer = input.before;
        if ((options & 32) != 0) input.buffer.resize(length + 64);
        rest = rest.subspan(length);
        inputs.push_back(std::move(input));
    }
    std::vector<Frame> frames(inputs.size());
    for (std::size_t i = 0; i < frames.size(); ++i) {
        frames[i].data = inputs[i].buffer.data();
        frames[i].length = static_cast<std::uint16_t>(inputs[i].before.size());
        frames[i].capacity = static_cast<std::uint16_t>(inputs[i].buffer.size());
        frames[i].l4_checksum = frames[i].ip_checksum = checksums;
        frames[i].stamp = {gnomon::testing::at_ns(static_cast<std::int64_t>(i) * 1000),
                           TimestampSource::Hardware, 0.0};
    }
    bench.server.receive(frames, bench.state, bench.tables);
    for (std::size_t i = 0; i < frames.size(); ++i) {
        const Frame& frame = frames[i];
        require((frame.verdict == FrameVerdict::Drop) == (frame.drop != FrameDrop::None));
        if (frame.verdict == FrameVerdict::ToKernel) {
            require(frame.length == inputs[i].before.size());
            require(std::equal(inputs[i].before.begin(), inputs[i].before.end(),
                               inputs[i].buffer.begin()));
        } else if (frame.verdict == FrameVerdict::ToControl) {
            const auto payload = bench.server.datagram(frame).payload;
            require(payload.data() >= frame.data &&
                    payload.data() + payload.size() <= frame.data + frame.length);
        }
    }
    for (const NeighbourSighting& sighting : bench.server.sightings()) table.learn(sighting, now);
    Bytes out(128);
    while (table.poll(now, out) != 0) now += Duration::from_ms(100);

    bench.server.finish(frames, gnomon::testing::at_ns(100'000));
    for (std::size_t i = 0; i < frames.size(); ++i) {
        if (!frames[i].is_answer()) continue;
        check_addresses(frames[i], inputs[i].before);
        if (frames[i].verdict == FrameVerdict::Reply) check_reply(frames[i], inputs[i].before);
        if (frames[i].verdict == FrameVerdict::Answered) check_answer(frames[i]);
    }
    return 0;
}
