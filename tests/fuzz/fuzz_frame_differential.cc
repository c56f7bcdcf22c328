/// The same requests by frames and as sockets deliver them: the same bytes must come back. Input: two
/// bytes of options, then bursts of packets: a byte of how it is wrapped, two of length, the packet.
/// Bit 7 of the wrapping ends the burst.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <vector>

#include "dataplane/wire/mac.h"
#include "tests/unit/dataplane/frame/frame_twin.h"

namespace {

using namespace gnomon;
using namespace gnomon::testing;

/// What fits into a frame of 1,514 bytes with all that is put around it.
constexpr std::size_t kMaxPayload = 1400;

Asked unwrap(std::uint8_t wrapping, std::span<const std::uint8_t> payload, SystemTime when) {
    Asked asked;
    asked.payload.assign(payload.begin(), payload.end());
    if ((wrapping & 1) != 0) {
        asked.options.source = (wrapping & 2) != 0 ? "2001:db8::7" : "2001:db8:dead::1";
        asked.options.destination = "2001:db8::1";
    } else {
        asked.options.source = (wrapping & 2) != 0 ? "192.0.2.7" : "203.0.113.2";
    }
    if ((wrapping & 4) != 0) asked.options.source_port = 123;
    for (int i = 0; i < (wrapping >> 3) % 4 % 3; ++i) {
        asked.options.tags.push_back({kEtherTypeVlan, 0x4000});
    }
    if ((wrapping & 32) != 0) asked.extra = 8;
    asked.received = when;
    return asked;
}

ServerTables make_tables() {
    AccessTable access;
    access.allow({IpAddress{}, 0});
    access.deny({ip("2001:db8:dead::"), 48});
    std::vector<SymmetricKey> keys;
    keys.emplace_back(1, KeyType::Md5, Bytes(16, 3));
    ServerTables tables;
    tables.access = decltype(tables.access)(access);
    tables.keys = std::make_shared<const KeyTable>(std::move(keys));
    return tables;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    const std::uint8_t options = data[0];
    std::span<const std::uint8_t> rest(data + 2, size - 2);
    ClientLogConfig log_config;
    log_config.memory_limit = 4096;
    log_config.limits[0].enabled = (options & 1) != 0;
    log_config.limits[0].kod = 2;
    ServerState state = synchronised_state();
    state.synchronised = (options & 2) != 0;
    state.mono_epoch = options & 4;
    state.smoothing_offset_s = (options & 8) != 0 ? 0.125 : 0.0;
    static const ServerTables tables = make_tables();
    FrameTwin twin(frame_config(DataplaneMode::Exclusive), log_config, state, tables, data[1]);

    std::vector<Asked> burst;
    Bytes last;
    std::int64_t now_ns = 0;
    const auto ask = [&] {
        const std::string wrong = twin.ask(burst, at_ns(now_ns += 10'000));
        if (!wrong.empty()) {
            std::fprintf(stderr, "%s\n", wrong.c_str());
            std::abort();
        }
        for (const Bytes& answer : twin.answers) {
            if (!answer.empty()) last = answer;
        }
        burst.clear();
    };
    while (rest.size() >= 3) {
        const std::uint8_t wrapping = rest[0];
        const std::size_t length = std::min<std::size_t>(
            {static_cast<std::size_t>(rest[1] << 8 | rest[2]), rest.size() - 3, kMaxPayload});
        Asked asked = unwrap(wrapping, rest.subspan(3, length), at_ns(now_ns += 1'000));
        rest = rest.subspan(3 + length);
        // The origin is the receive timestamp of the last answer: interleaved.
        if ((wrapping & 64) != 0 && asked.payload.size() >= kNtpHeaderSize && !last.empty()) {
            std::copy_n(last.begin() + 32, 8, asked.payload.begin() + 24);
        }
        burst.push_back(std::move(asked));
        if ((wrapping & 128) != 0 || burst.size() == FrameServer::kMaxBurst) ask();
    }
    if (!burst.empty()) ask();
    return 0;
}
