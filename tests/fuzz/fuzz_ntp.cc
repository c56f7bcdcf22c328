/// NTP datagrams: the parser, and a client and a peer that receive them after every request.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>

#include "dataplane/proto/association.h"
#include "dataplane/wire/ntp_packet.h"

namespace {

using namespace gnomon;

class CountingRandom final : public RandomSource {
public:
    std::uint64_t next() override { return state_ = state_ * 6364136223846793005ULL + 1; }

private:
    std::uint64_t state_ = 42;
};

class NoHistory final : public SourceView {
public:
    std::optional<Prediction> predict(UtcTime) const override { return std::nullopt; }
    int sample_count() const override { return 0; }
};

void require(bool condition) {
    if (!condition) std::abort();
}

void check_framing(std::span<const std::uint8_t> datagram) {
    const ParseResult result = parse_packet(datagram);
    require(result.packet.has_value() == (result.drop == Drop::None));
    if (!result.packet) return;
    const ParsedPacket& packet = *result.packet;
    std::size_t total = kNtpHeaderSize;
    for (std::size_t i = 0; i < packet.field_count; ++i) total += packet.fields[i].body.size() + 4;
    require(packet.authenticated.size() == total);
    if (packet.has_mac) total += 4 + packet.mac.size();
    require(total == datagram.size());
    std::array<std::uint8_t, kNtpHeaderSize> again;
    encode_header(packet.header, again);
    require(std::equal(again.begin(), again.end(), datagram.begin()));
}

/// The first byte of the input chooses the configuration; with its high bit set the origin of the
/// packet is made right, so that the tests behind it are reached.
void run_association(std::uint8_t choice, std::span<const std::uint8_t> datagram) {
    AssociationConfig config;
    config.symmetric = (choice & 1) != 0;
    config.interleaved = (choice & 2) != 0;
    config.mono_root = (choice & 4) != 0;
    config.network_correction = (choice & 8) != 0;
    config.iburst = (choice & 16) != 0;
    config.mesh = config.mono_root;  // fields of the same symmetric packets
    config.max_delay_quantile = (choice & 32) != 0 ? 0.5 : 0.0;
    CountingRandom random;
    NoHistory source;
    ServerState server;
    Association association(config, std::make_unique<NoAuth>(), {random, source, nullptr});
    LocalView view{MonoTime::from_ns(1), UtcTime::from_ns(1'700'000'000'000'000'000), &server};
    association.start(view);
    std::uint64_t origin = 0;
    for (int i = 0; i < 4; ++i) {
        const MonoTime next = association.next_timeout();
        if (next == MonoTime::max()) break;
        view.utc += next - view.now;
        view.now = next;
        association.handle_timeout(view);
        while (auto output = association.poll_output()) {
            if (const auto* send = std::get_if<SendOutput>(&*output)) {
                origin = send->cookie;
                association.handle_send_result(view, true, view.utc);
            }
        }
        std::array<std::uint8_t, kNtpMaxSize> bytes;
        const std::size_t size = std::min(datagram.size(), bytes.size());
        std::copy_n(datagram.begin(), size, bytes.begin());
        if ((choice & 128) != 0 && size >= kNtpHeaderSize) {
            for (int k = 0; k < 8; ++k) {
                bytes[24 + k] = static_cast<std::uint8_t>(origin >> (56 - 8 * k));
            }
        }
        ReceivedPacket packet;
        packet.datagram = std::span(bytes).first(size);
        packet.stamp.time = view.utc + Duration::from_us(300);
        const PacketResult result = association.handle_packet(view, packet);
        require(!result.good || result.drop == Drop::None);
        while (auto output = association.poll_output()) {
            if (const auto* m = std::get_if<MeasurementOutput>(&*output)) {
                require((choice & 128) != 0 || (origin != 0 && size >= kNtpHeaderSize));
                association.handle_accumulated(view, m->measurement.offset_s(), m->distance_s, 1);
            }
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::span<const std::uint8_t> datagram(data + 1, size - 1);
    check_framing(datagram);
    run_association(data[0], datagram);
    return 0;
}
