/// The responder in memory: cycles per request by stage, with everything that can be switched on.
///   responder_bench [--quick] [--json [FILE]] [--filter=TEXT]
///
/// Requests are made ready burst by burst outside of the measured time; inside are the whole of
/// `prepare_burst`, two readings of the processor's counter with their conversion, and `finish_burst`.
/// Clients ask in an order that no cache foresees, each again only after all others have. Bursts that
/// took more than ten times the round's median were interrupted and are left out; a figure is the
/// median of the rounds' means.

#include <time.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#include "dataplane/proto/responder.h"
#include "dataplane/wire/bytes.h"
#include "dataplane/wire/mac.h"
#include "servo/units/counter_line.h"

namespace gnomon {

/// Runs the stages of a burst one by one; a friend of `Responder`.
class ResponderStages {
public:
    static constexpr std::size_t kCount = 6;

    template <typename Lap>
    static void run(Responder& r, std::span<const RxDatagram> requests, const ServerState& state,
                    const ServerTables& tables, std::span<Reply> replies, std::span<Drop> verdicts,
                    Lap lap) {
        r.counters_.requests.add(requests.size());
        r.begin_burst(requests, state);
        const Responder::Burst burst{requests, state, tables, replies, verdicts};
        std::array<Responder::Chunk, Responder::kMaxBurst / Responder::kChunk> chunks;
        const std::size_t count = (requests.size() + Responder::kChunk - 1) / Responder::kChunk;
        for (std::size_t i = 0; i < count; ++i) chunks[i] = r.parse(burst, i * Responder::kChunk);
        lap(0);
        const auto stage = [&](auto run_stage, std::size_t number) {
            for (std::size_t i = 0; i < count; ++i) run_stage(chunks[i]);
            lap(number);
        };
        stage([&](auto& chunk) { r.look_up(burst, chunk); }, 1);
        stage([&](auto& chunk) { r.admit(burst, chunk); }, 2);
        stage([&](auto& chunk) { r.account(burst, chunk); }, 3);
        stage([&](auto& chunk) { r.match(burst, chunk); }, 4);
        stage([&](auto& chunk) { r.write(burst, chunk); }, 5);
    }
};

namespace {

constexpr std::array<const char*, ResponderStages::kCount + 1> kStages{
    "parse", "look up", "access", "log", "match", "write", "finish"};
constexpr std::int64_t kStart = 1'700'000'000'000'000'000;
constexpr std::int64_t kPollNs = 64'000'000'000;

std::uint64_t read_counter() {
#if defined(__x86_64__)
    return __rdtsc();
#elif defined(__aarch64__)
    std::uint64_t count = 0;
    asm volatile("mrs %0, cntvct_el0" : "=r"(count));
    return count;
#else
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U +
           static_cast<std::uint64_t>(now.tv_nsec);
#endif
}

double counts_per_second() {
    timespec begin{};
    timespec end{};
    clock_gettime(CLOCK_MONOTONIC, &begin);
    const std::uint64_t first = read_counter();
    do {
        clock_gettime(CLOCK_MONOTONIC, &end);
    } while (end.tv_sec - begin.tv_sec < 1 && end.tv_nsec - begin.tv_nsec < 200'000'000);
    const std::uint64_t last = read_counter();
    const double elapsed = static_cast<double>(end.tv_sec - begin.tv_sec) +
                           1e-9 * static_cast<double>(end.tv_nsec - begin.tv_nsec);
    return static_cast<double>(last - first) / elapsed;
}

/// xorshift64*: requests shall not cost more than replies.
class BenchRandom final : public RandomSource {
public:
    std::uint64_t next() override {
        state_ ^= state_ >> 12;
        state_ ^= state_ << 25;
        state_ ^= state_ >> 27;
        return state_ * 0x2545F4914F6CDD1DULL;
    }

private:
    std::uint64_t state_ = 88172645463325252ULL;
};

struct Settings {
    std::string name;
    std::size_t clients = 1 << 20;
    std::size_t prefixes = 0;
    bool log = false;
    bool rate_limit = false;
    bool interleaved = false;
    bool ipv6 = false;
    std::optional<KeyType> key;
    std::size_t burst = 32;
};

struct Result {
    double cycles = 0.0;
    std::array<double, kStages.size()> stages{};
    double answered = 0.0;
    double interleaved = 0.0;
};

class Bench {
public:
    explicit Bench(const Settings& settings)
        : settings_(settings),
          log_(log_config(settings), 12345),
          store_(settings.log ? log_config(settings).capacity() : 0),
          responder_(log_, store_, random_),
          last_receive_(settings.clients) {
        responder_.expect_stamps(false);
        AccessTable access;
        if (settings.prefixes == 0) access.allow({IpAddress{}, 0});
        for (std::size_t i = 0; i < settings.prefixes; ++i) {
            access.allow({address_of(i), static_cast<std::uint8_t>(settings.ipv6 ? 48 : 24)});
        }
        tables_.access = AccessIndex(access);
        if (settings.key) {
            std::vector<SymmetricKey> keys;
            const std::size_t size = std::max<std::size_t>(required_key_size(*settings.key), 16);
            keys.emplace_back(1, *settings.key, std::vector<std::uint8_t>(size, 0x5a));
            tables_.keys = std::make_shared<const KeyTable>(std::move(keys));
        }
        state_.synchronised = true;
        state_.leap = Leap::Normal;
        state_.stratum = 1;
        state_.precision = -25;
        state_.reference_time = UtcTime::from_ns(kStart);
        state_.clock.epoch = SystemTime::from_ns(kStart);
        state_.clock.rate = 1e-6;
        for (std::size_t i = 0; i < Responder::kMaxBurst; ++i) {
            replies_[i].use_buffer(packets_[i]);
        }
    }

    /// Everyone asks three times: then logs are warm and everyone may be interleaved.
    void warm_up() {
        for (std::size_t i = 0; i < 3 * settings_.clients / settings_.burst + 1; ++i) turn(nullptr);
    }

    Result round(std::size_t bursts) {
        const std::uint64_t interleaved = responder_.counters().interleaved.get();
        const std::uint64_t replies = responder_.counters().replies.get();
        std::vector<std::array<std::uint32_t, kStages.size()>> laps(bursts);
        for (auto& lap : laps) turn(&lap);
        Result result;
        for (std::size_t s = 0; s < kStages.size(); ++s) {
            result.stages[s] = mean(laps, [s](const auto& lap) { return lap[s]; });
        }
        std::vector<std::array<std::uint32_t, 1>> whole(bursts);
        for (auto& total : whole) turn_whole(total[0]);
        result.cycles = mean(whole, [](const auto& lap) { return lap[0]; });
        const auto asked = static_cast<double>(2 * bursts * settings_.burst);
        result.answered =
            static_cast<double>(responder_.counters().replies.get() - replies) / asked;
        result.interleaved =
            static_cast<double>(responder_.counters().interleaved.get() - interleaved) / asked;
        return result;
    }

private:
    static ClientLogConfig log_config(const Settings& settings) {
        ClientLogConfig config;
        config.enabled = settings.log;
        config.memory_limit = std::max<std::size_t>(settings.clients * 2 * 120, 524288);
        config.limits[0].enabled = settings.rate_limit;
        return config;
    }

    IpAddress address_of(std::size_t client) const {
        // Scattered over the space; within the prefixes when there are some.
        const std::size_t net = settings_.prefixes == 0 ? client : client % settings_.prefixes;
        const std::uint64_t bits = (net + 1) * 0x9e3779b97f4a7c15ULL;
        if (!settings_.ipv6) {
            return IpAddress::v4((static_cast<std::uint32_t>(bits >> 32) & 0xffffff00U) |
                                 static_cast<std::uint32_t>(client / 10000 & 0xff));
        }
        std::array<std::uint8_t, 16> bytes{0x20, 0x01};
        store_be32(bytes, 2, static_cast<std::uint32_t>(bits >> 32));
        store_be32(bytes, 12, static_cast<std::uint32_t>(client));
        return IpAddress::v6(bytes);
    }

    /// A burst of requests, in packets_.
    void make_ready() {
        now_ns_ += kPollNs / static_cast<std::int64_t>(settings_.clients) *
                   static_cast<std::int64_t>(settings_.burst);
        for (std::size_t i = 0; i < settings_.burst; ++i) {
            // An odd step walks through all of a power of two.
            at_ = (at_ + 0x9e3779b1U) & (settings_.clients - 1);
            clients_[i] = at_;
            auto& bytes = packets_[i];
            std::fill_n(bytes.begin(), kNtpHeaderSize, std::uint8_t{0});
            bytes[0] = 0x23;
            bytes[2] = 6;
            if (settings_.interleaved) {
                store_be64(bytes, 24, last_receive_[at_]);
                store_be64(bytes, 32, ++serial_ * 4);
            }
            store_be64(bytes, 40, ++serial_ * 4);
            std::size_t size = kNtpHeaderSize;
            if (settings_.key) size = append_mac(bytes, size, 4, *tables_.keys->find(1));
            RxDatagram& request = requests_[i];
            request.payload = {bytes.data(), size};
            request.remote = {address_of(at_), 40000};
            request.stamp.time = SystemTime::from_ns(now_ns_);
        }
    }

    void remember() {
        if (!settings_.interleaved) return;
        for (std::size_t i = 0; i < settings_.burst; ++i) {
            if (verdicts_[i] == Drop::None) last_receive_[clients_[i]] = replies_[i].cookie();
        }
    }

    std::span<const RxDatagram> requests() const {
        return std::span(requests_).first(settings_.burst);
    }
    std::span<Drop> verdicts() { return std::span(verdicts_).first(settings_.burst); }

    /// What a worker does with the counter: the time of a burst's reception, and that of its finish.
    SystemTime counter_time() {
        const SystemTime t = line_.to_system(read_counter());
        sink_ = t.ns();
        return SystemTime::from_ns(now_ns_ + 2000);
    }

    void turn(std::array<std::uint32_t, kStages.size()>* laps) {
        make_ready();
        std::uint64_t last = read_counter();
        const auto lap = [&](std::size_t stage) {
            const std::uint64_t count = read_counter();
            if (laps != nullptr) (*laps)[stage] = static_cast<std::uint32_t>(count - last);
            last = count;
        };
        counter_time();
        ResponderStages::run(responder_, requests(), state_, tables_, replies_, verdicts(), lap);
        responder_.finish_burst(replies_, verdicts(), counter_time());
        lap(kStages.size() - 1);
        remember();
    }

    void turn_whole(std::uint32_t& cycles) {
        make_ready();
        const std::uint64_t begin = read_counter();
        counter_time();
        responder_.prepare_burst(requests(), state_, tables_, replies_, verdicts());
        responder_.finish_burst(replies_, verdicts(), counter_time());
        cycles = static_cast<std::uint32_t>(read_counter() - begin);
        remember();
    }

    /// Cycles per request.
    template <typename Laps, typename Of>
    double mean(const Laps& laps, Of of) const {
        std::vector<std::uint32_t> sorted;
        for (const auto& lap : laps) sorted.push_back(of(lap));
        std::nth_element(sorted.begin(), sorted.begin() + static_cast<long>(sorted.size() / 2),
                         sorted.end());
        const double limit = 10.0 * sorted[sorted.size() / 2];
        double sum = 0.0;
        std::size_t count = 0;
        for (const std::uint32_t cycles : sorted) {
            if (cycles > limit) continue;
            sum += cycles;
            ++count;
        }
        return sum / static_cast<double>(count * settings_.burst);
    }

    Settings settings_;
    BenchRandom random_;
    ClientLog log_;
    TimestampStore store_;
    Responder responder_;
    ServerTables tables_;
    ServerState state_;
    CounterLine line_{0, SystemTime::from_ns(kStart), 0.476, 0.0, 0.0};
    std::vector<std::uint64_t> last_receive_;
    std::array<std::array<std::uint8_t, 128>, Responder::kMaxBurst> packets_{};
    std::array<RxDatagram, Responder::kMaxBurst> requests_;
    std::array<std::size_t, Responder::kMaxBurst> clients_{};
    std::array<Reply, Responder::kMaxBurst> replies_;
    std::array<Drop, Responder::kMaxBurst> verdicts_{};
    std::size_t at_ = 0;
    std::uint64_t serial_ = 0;
    std::int64_t now_ns_ = kStart;
    volatile std::int64_t sink_ = 0;
};

std::vector<Settings> all_settings(bool quick) {
    const std::size_t million = 1 << 20;
    std::vector<Settings> all;
    const auto add = [&all](std::string name, auto change) {
        Settings settings;
        settings.name = std::move(name);
        change(settings);
        all.push_back(settings);
    };
    const auto everything = [](Settings& s) {
        s.prefixes = 10000;
        s.log = s.rate_limit = s.interleaved = true;
    };
    add("nothing", [](Settings&) {});
    add("access", [](Settings& s) { s.prefixes = 10000; });
    add("log", [](Settings& s) { s.log = true; });
    add("rate limit", [](Settings& s) { s.log = s.rate_limit = true; });
    add("interleaved", [](Settings& s) { s.log = s.interleaved = true; });
    add("everything", everything);
    for (const std::size_t burst : {1, 8, 64}) {
        if (quick && burst == 8) continue;
        add("everything, burst " + std::to_string(burst), [&](Settings& s) {
            everything(s);
            s.burst = burst;
        });
    }
    for (const std::size_t clients : {std::size_t{1024}, std::size_t{131072}, million}) {
        if (quick && clients != 1024) continue;
        const std::string count = std::to_string(clients);
        add("basic, " + count + " clients", [&](Settings& s) {
            everything(s);
            s.interleaved = false;
            s.clients = clients;
        });
        if (clients == million) continue;
        add("interleaved, " + count + " clients", [&](Settings& s) {
            everything(s);
            s.clients = clients;
        });
    }
    add("everything, IPv6", [&](Settings& s) {
        everything(s);
        s.ipv6 = true;
    });
    for (const KeyType type : {KeyType::Md5, KeyType::Sha1, KeyType::Aes128}) {
        add(std::string("everything, ") + to_string(type), [&](Settings& s) {
            everything(s);
            s.interleaved = false;
            s.clients = 131072;
            s.key = type;
        });
    }
    return all;
}

void print_row(const Settings& settings, const Result& result, double frequency) {
    std::printf("%-28s %8.1f %8.2f", settings.name.c_str(), result.cycles,
                frequency / result.cycles * 1e-6);
    for (const double stage : result.stages) std::printf(" %7.1f", stage);
    std::printf(" %6.1f %6.1f\n", 100.0 * result.answered, 100.0 * result.interleaved);
    std::fflush(stdout);
}

void print_json(std::FILE* file, const Settings& settings, const Result& result, double frequency,
                bool first) {
    std::fprintf(file,
                 "%s\n  {\"name\": \"%s\", \"clients\": %zu, \"prefixes\": %zu, \"burst\": %zu, "
                 "\"cycles_per_packet\": %.2f, \"mpps\": %.4f, \"answered\": %.5f, "
                 "\"interleaved\": %.5f, \"stages\": {",
                 first ? "" : ",", settings.name.c_str(), settings.clients, settings.prefixes,
                 settings.burst, result.cycles, frequency / result.cycles * 1e-6, result.answered,
                 result.interleaved);
    for (std::size_t s = 0; s < kStages.size(); ++s) {
        std::fprintf(file, "%s\"%s\": %.2f", s == 0 ? "" : ", ", kStages[s], result.stages[s]);
    }
    std::fprintf(file, "}}");
}

Result median(std::vector<Result> rounds) {
    const auto middle = [&rounds](auto of) {
        std::vector<double> values;
        for (const Result& round : rounds) values.push_back(of(round));
        std::sort(values.begin(), values.end());
        return values[values.size() / 2];
    };
    Result result;
    result.cycles = middle([](const Result& r) { return r.cycles; });
    for (std::size_t s = 0; s < kStages.size(); ++s) {
        result.stages[s] = middle([s](const Result& r) { return r.stages[s]; });
    }
    result.answered = middle([](const Result& r) { return r.answered; });
    result.interleaved = middle([](const Result& r) { return r.interleaved; });
    return result;
}

int run(bool quick, const char* json_path, std::string_view filter) {
    std::FILE* json = json_path != nullptr ? std::fopen(json_path, "w") : nullptr;
    if (json_path != nullptr && json == nullptr) {
        std::perror(json_path);
        return 1;
    }
    const double frequency = counts_per_second();
    const bool table = json == nullptr || std::string_view(json_path) != "/dev/stdout";
    if (table) {
        std::printf("counter %.1f MHz; cycles of it per request\n%-28s %8s %8s", frequency * 1e-6,
                    "", "cycles", "Mpps");
        for (const char* stage : kStages) std::printf(" %7s", stage);
        std::printf(" %6s %6s\n", "answ%", "xlv%");
    }
    if (json != nullptr) std::fprintf(json, "{\"counter_hz\": %.0f, \"cases\": [", frequency);
    bool first = true;
    for (const Settings& settings : all_settings(quick)) {
        if (settings.name.find(filter) == std::string::npos) continue;
        const auto bench = std::make_unique<Bench>(settings);
        bench->warm_up();
        const std::size_t requests = quick ? 200'000 : 1'000'000;
        std::vector<Result> rounds;
        for (int i = 0; i < (quick ? 3 : 5); ++i) {
            rounds.push_back(bench->round(requests / settings.burst));
        }
        const Result result = median(std::move(rounds));
        if (table) print_row(settings, result, frequency);
        if (json != nullptr) print_json(json, settings, result, frequency, first);
        first = false;
    }
    if (json != nullptr) {
        std::fprintf(json, "\n]}\n");
        std::fclose(json);
    }
    return 0;
}

}  // namespace
}  // namespace gnomon

int main(int argc, char** argv) {
    bool quick = false;
    const char* json = nullptr;
    std::string_view filter;
    for (int i = 1; i < argc; ++i) {
        const std::string_view argument = argv[i];
        if (argument == "--quick") {
            quick = true;
        } else if (argument == "--json") {
            json = i + 1 < argc && argv[i + 1][0] != '-' ? argv[++i] : "/dev/stdout";
        } else if (argument.substr(0, 9) == "--filter=") {
            filter = argument.substr(9);
        } else {
            std::fprintf(stderr, "responder_bench [--quick] [--json [FILE]] [--filter=TEXT]\n");
            return 2;
        }
    }
    return gnomon::run(quick, json, filter);
}
