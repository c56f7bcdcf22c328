/// Requests from anywhere into the responder, two in a row so that the second may name the receive
/// timestamp of the first reply. Input: a byte of options, then packets of two bytes of length and
/// their bytes.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "dataplane/proto/responder.h"
#include "dataplane/wire/mac.h"

namespace {

class FixedRandom final : public gnomon::RandomSource {
public:
    std::uint64_t next() override { return state_ = state_ * 6364136223846793005ULL + 1; }

private:
    std::uint64_t state_ = 1;
};

void require(bool condition) {
    if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace gnomon;
    if (size < 1) return 0;
    const std::uint8_t options = data[0];
    std::span<const std::uint8_t> rest(data + 1, size - 1);

    ClientLogConfig config;
    config.memory_limit = 4096;
    config.limits[0].enabled = (options & 1) != 0;
    config.limits[0].kod = 2;
    ClientLog log(config, 7);
    TimestampStore store(8);
    FixedRandom random;
    Responder responder(log, store, random);
    AccessTable access;
    access.allow({IpAddress{}, 0});
    const std::vector<std::uint8_t> secret(16, 3);
    std::vector<SymmetricKey> list;
    list.emplace_back(1, KeyType::Md5, secret);
    ServerTables tables;
    tables.access = AccessIndex(access);
    tables.keys = std::make_shared<const KeyTable>(std::move(list));
    ServerState state;
    state.synchronised = (options & 2) != 0;
    state.mono_epoch = options >> 4;

    ReplyArray replies(1);
    Reply& reply = replies[0];
    std::vector<std::uint8_t> last;
    std::int64_t now_ns = 1'700'000'000'000'000'000;
    while (rest.size() >= 2) {
        const std::size_t wanted = static_cast<std::size_t>(rest[0]) << 8 | rest[1];
        rest = rest.subspan(2);
        const std::size_t length = wanted < rest.size() ? wanted : rest.size();
        std::vector<std::uint8_t> packet(rest.begin(),
                                         rest.begin() + static_cast<std::ptrdiff_t>(length));
        rest = rest.subspan(length);
        // Bit 2: the origin is the receive timestamp of the last reply.
        if ((options & 4) != 0 && packet.size() >= 48 && !last.empty()) {
            std::copy(last.begin() + 32, last.begin() + 40, packet.begin() + 24);
        }
        RxDatagram datagram;
        datagram.payload = packet;
        datagram.remote = {IpAddress::v4(0x7f000001), static_cast<std::uint16_t>(options)};
        datagram.stamp.time = SystemTime::from_ns(now_ns += 1000);
        Drop verdict = Drop::None;
        responder.prepare_burst({&datagram, 1}, state, tables, replies.all(), {&verdict, 1});
        if (verdict != Drop::None) continue;
        reply.finish(SystemTime::from_ns(now_ns += 1000), options & 7);
        const auto bytes = reply.bytes();
        require(bytes.size() >= 48 && bytes.size() <= packet.size());
        require(((bytes[0] & 7) == 4) || ((bytes[0] & 7) == 2));
        require((bytes[39] & 1) == 1 && (bytes[47] & 1) == 0);
        TxStampReport report;
        report.payload = bytes;
        report.stamp = {SystemTime::from_ns(now_ns += 500), TimestampSource::Kernel, 0.0};
        responder.on_transmit_stamp(report);
        last.assign(bytes.begin(), bytes.end());
    }
    return 0;
}
