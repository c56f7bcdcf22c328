#include <array>
#include <cstring>
#include <map>
#include <string>

#include <gtest/gtest.h>

#include "dataplane/wire/extensions.h"
#include "dataplane/wire/mac.h"
#include "tests/unit/dataplane/frame/frame_twin.h"

namespace gnomon {
namespace {

using namespace gnomon::testing;

/// Requests of clients that are mostly honest.
class RequestMaker {
public:
    explicit RequestMaker(std::uint64_t seed, const KeyTable& keys) : random_(seed), keys_(keys) {}

    Asked make(SystemTime when) {
        static constexpr std::array<const char*, 6> kV4{"192.0.2.7",   "192.0.2.8",   "203.0.113.1",
                                                        "203.0.113.2", "203.0.113.3", "10.1.2.3"};
        static constexpr std::array<const char*, 4> kV6{"2001:db8::7", "2001:db8:5::1", "fe80::77",
                                                        "2001:db8:dead::1"};
        Asked asked;
        const bool v6 = below(2) == 0;
        asked.options.source = v6 ? kV6[below(kV6.size())] : kV4[below(kV4.size())];
        asked.options.destination = v6 ? "2001:db8::1" : "192.0.2.1";
        asked.options.source_port = below(4) == 0    ? 123
                                    : below(40) == 0 ? 0
                                                     : static_cast<std::uint16_t>(random_.next());
        for (std::size_t i = below(4); i < 2; ++i) {
            asked.options.tags.push_back({i == 0 ? kEtherTypeQinQ : kEtherTypeVlan, 0xA000});
        }
        if (below(4) == 0) asked.extra = 8 * (1 + below(4));
        asked.received = when;
        asked.payload = payload(asked.options.source);
        return asked;
    }

    /// The client keeps the answer for its next request.
    void answered(const Asked& asked, const Bytes& answer) {
        last_[asked.options.source] = decode_header(std::span(answer).first<kNtpHeaderSize>());
    }

    std::size_t below(std::size_t limit) { return random_.next() % limit; }

private:
    Bytes payload(const std::string& client) {
        NtpHeader header;
        header.version = static_cast<std::uint8_t>(below(3) == 0 ? below(8) : 4);
        header.mode = below(4) == 0 ? static_cast<Mode>(below(8)) : Mode::Client;
        header.poll = static_cast<std::int8_t>(below(256));
        header.origin = NtpTimestamp::from_bits(below(2) == 0 ? 0 : random_.next());
        header.receive = NtpTimestamp::from_bits(below(2) == 0 ? 0 : random_.next());
        header.transmit = NtpTimestamp::from_bits(random_.next());
        if (const auto found = last_.find(client); found != last_.end() && below(3) != 0) {
            header.origin = found->second.receive;
            header.receive = NtpTimestamp::from_bits(random_.next());
        }
        Bytes bytes(1400, 0);
        encode_header(header, std::span(bytes).first<kNtpHeaderSize>());
        std::size_t size = kNtpHeaderSize;
        for (std::size_t fields = below(5); fields > 2 && size != 0; --fields) {
            size = append_field(bytes, size);
        }
        if (below(3) == 0) size = append_some_mac(bytes, size, header.version);
        bytes.resize(size);
        if (below(12) == 0) bytes.resize(below(1300), 0x21);
        return bytes;
    }

    std::size_t append_field(Bytes& bytes, std::size_t size) {
        static constexpr std::array<std::uint16_t, 5> kTypes{kExtensionMonoRoot, 0x0104, 0x010A,
                                                             0x2005, 0xBEEF};
        const std::uint16_t type = kTypes[below(kTypes.size())];
        if (type == kExtensionMonoRoot) {
            return append_extension(bytes, size, type, MonoRoot().encode());
        }
        const Bytes body(4 * below(20), 0x77);
        return append_extension(bytes, size, type, body);
    }

    std::size_t append_some_mac(Bytes& bytes, std::size_t size, std::uint8_t version) {
        const SymmetricKey* key = keys_.find(static_cast<std::uint32_t>(1 + below(2)));
        switch (below(6)) {
            case 0: return size + 4;       // crypto-NAK
            case 1: return size + 4 + 16;  // key 0
            default: break;
        }
        const std::size_t length = append_mac(bytes, size, version, *key);
        if (below(5) == 0) bytes[length - 1] ^= 1;
        return length;
    }

    SeededRandom random_;
    const KeyTable& keys_;
    std::map<std::string, NtpHeader> last_;
};

std::shared_ptr<const KeyTable> two_keys() {
    std::vector<SymmetricKey> keys;
    keys.emplace_back(1, KeyType::Md5, Bytes(16, 3));
    keys.emplace_back(2, KeyType::Sha1, Bytes(20, 5));
    return std::make_shared<const KeyTable>(std::move(keys));
}

ServerTables tables_of(bool some_denied) {
    AccessTable access;
    access.allow({IpAddress{}, 0});
    if (some_denied) {
        access.deny({ip("203.0.113.2"), 32});
        access.deny({ip("2001:db8:dead::"), 48});
    }
    ServerTables tables;
    tables.access = decltype(tables.access)(access);
    tables.keys = two_keys();
    return tables;
}

TEST(FrameServer, AnswersTheSameBytesAsTheSocketPath) {
    std::size_t answers = 0;
    std::size_t refusals = 0;
    std::uint64_t interleaved = 0;
    std::uint64_t limited = 0;
    std::uint64_t denied = 0;
    std::uint64_t unauthentic = 0;
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        ClientLogConfig log_config;
        log_config.limits[0].enabled = seed % 3 == 0;
        log_config.limits[0].kod = 2;
        log_config.enabled = seed % 5 != 0;
        FrameServerConfig config = frame_config(DataplaneMode::Exclusive);
        config.dscp = static_cast<std::uint8_t>(seed);
        FrameTwin twin(config, log_config, synchronised_state(), tables_of(seed % 2 == 0), seed);
        twin.state.synchronised = seed % 7 != 0;
        twin.state.mono_epoch = seed % 4 == 0 ? 0 : 77;
        twin.state.smoothing_offset_s = seed % 11 == 0 ? 0.25 : 0.0;
        RequestMaker maker(seed, *twin.tables.keys);
        std::int64_t now_ns = 0;
        for (int round = 0; round < 40; ++round) {
            std::vector<Asked> burst;
            for (std::size_t i = maker.below(9); i < 9; ++i) {
                burst.push_back(maker.make(at_ns(now_ns += 700)));
            }
            ASSERT_EQ(twin.ask(burst, at_ns(now_ns += 5'000)), "") << "seed " << seed;
            for (std::size_t i = 0; i < burst.size(); ++i) {
                const bool answered = !twin.answers[i].empty();
                if (answered) maker.answered(burst[i], twin.answers[i]);
                answered ? ++answers : ++refusals;
            }
            now_ns += static_cast<std::int64_t>(maker.below(1'000'000'000));
        }
        interleaved += twin.interleaved();
        limited += twin.drops(Drop::RateLimited);
        denied += twin.drops(Drop::AccessDenied);
        unauthentic += twin.drops(Drop::BadAuthentication);
    }
    // The requests were of all kinds.
    EXPECT_GT(answers, 3000U);
    EXPECT_GT(refusals, 1000U);
    EXPECT_GT(interleaved, 200U);
    EXPECT_GT(limited, 100U);
    EXPECT_GT(denied, 100U);
    EXPECT_GT(unauthentic, 100U);
}

}  // namespace
}  // namespace gnomon
