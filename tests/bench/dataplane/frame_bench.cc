/// Cycles per packet of the frame layer in memory: 16,384 requests in buffers of their own, more than
/// the second cache holds, answered in bursts as a polled port does. For each kind of load: the whole
/// server, the responder alone on the same payloads, and the frame layer as the difference.
///   frame_bench [--frames=16384] [--burst=32] [--clients=1000000] [--passes=15] [--load=NAME]
///     [--json=FILE]

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <sys/mman.h>
#include <time.h>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#include "dataplane/frame/frame_server.h"
#include "dataplane/wire/ip.h"
#include "tests/bench/serve/arguments.h"

namespace {

using namespace gnomon;

constexpr std::int64_t kBaseNs = 1'700'000'000'000'000'000;
/// As packet buffers of DPDK are: headroom and 2 KiB of data behind a header.
constexpr std::size_t kStride = 2304;
constexpr std::size_t kHeadroom = 128;
constexpr std::size_t kHugePage = 2 << 20;
constexpr MacAddress kOurs{0x02, 0, 0, 0, 0, 1};
constexpr MacAddress kTheirs{0x02, 0, 0, 0, 0, 2};

std::uint64_t cycles() {
#if defined(__x86_64__)
    return __rdtsc();
#else
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
           static_cast<std::uint64_t>(now.tv_nsec);
#endif
}

double cycles_per_second() {
    timespec from;
    timespec to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    const std::uint64_t start = cycles();
    double passed_s = 0.0;
    do {
        clock_gettime(CLOCK_MONOTONIC, &to);
        passed_s = static_cast<double>(to.tv_sec - from.tv_sec) +
                   static_cast<double>(to.tv_nsec - from.tv_nsec) * 1e-9;
    } while (passed_s < 0.05);
    return static_cast<double>(cycles() - start) / passed_s;
}

class Random final : public RandomSource {
public:
    std::uint64_t next() override {
        std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
        return z ^ (z >> 31);
    }

private:
    std::uint64_t state_ = 1;
};

struct Load {
    const char* name;
    bool v6 = false;
    bool vlan = false;
    bool client_log = true;
    bool rate_limit = false;
    bool offload = false;
    bool to_control = false;  ///< not answered: parsing and checking only
    bool hot = false;         ///< always the same 64 buffers
    bool responder_only = false;
};

struct Options {
    std::size_t frames = 16384;
    std::size_t burst = 32;
    std::size_t clients = 1'000'000;
    int passes = 15;
};

ServerState serving() {
    ServerState state;
    state.synchronised = true;
    state.leap = Leap::Normal;
    state.stratum = 1;
    state.ref_id = RefId{0x47505300};
    state.precision = -25;
    state.reference_time = UtcTime::from_ns(kBaseNs);
    state.root_delay_s = 1e-5;
    state.root_dispersion_s = 1e-6;
    state.dispersion_rate = 1e-8;
    state.clock.epoch = SystemTime::from_ns(kBaseNs);
    state.clock.rate = 1e-6;
    return state;
}

ServerTables open_to_all() {
    AccessTable access;
    access.allow({IpAddress{}, 0});
    ServerTables tables;
    tables.access = decltype(tables.access)(access);
    return tables;
}

IpAddress client_address(bool v6, std::size_t number) {
    if (!v6) return IpAddress::v4(0x0A000001U + static_cast<std::uint32_t>(number));
    std::array<std::uint8_t, 16> bytes{0x20, 0x01, 0x0d, 0xb8, 0, 5};
    for (int i = 0; i < 4; ++i) {
        bytes[15 - static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(number >> (8 * i));
    }
    return IpAddress::v6(bytes);
}

std::vector<std::uint8_t> make_frame(const Load& load, std::size_t number, std::uint64_t transmit) {
    NtpHeader header;
    header.mode = load.to_control ? Mode::Server : Mode::Client;
    header.poll = 6;
    header.transmit = NtpTimestamp::from_bits(transmit);
    std::array<std::uint8_t, kNtpHeaderSize> payload;
    encode_header(header, payload);
    UdpPacket packet;
    packet.source = {client_address(load.v6, number),
                     static_cast<std::uint16_t>(32768 + number % 20000)};
    packet.destination = {*IpAddress::parse(load.v6 ? "2001:db8::1" : "192.0.2.1"),
                          static_cast<std::uint16_t>(load.to_control ? 40000 : 123)};
    packet.payload = payload;
    EthernetHeader ethernet;
    ethernet.destination = kOurs;
    ethernet.source = kTheirs;
    ethernet.ether_type = load.v6 ? kEtherTypeIpv6 : kEtherTypeIpv4;
    ethernet.tag_count = load.vlan ? 1 : 0;
    ethernet.tags[0].control = 7;
    std::vector<std::uint8_t> frame(200);
    const std::size_t at = build_ethernet(ethernet, frame);
    frame.resize(at + build_ip_udp(packet, std::span(frame).subspan(at)));
    return frame;
}

FrameServerConfig make_config(const Load& load, const ListenedPorts& ports) {
    FrameServerConfig config;
    config.mode = DataplaneMode::Exclusive;
    config.mac = kOurs;
    const std::uint16_t vlan = load.vlan ? 7 : 0;
    config.addresses = {{{*IpAddress::parse("192.0.2.1"), 24}, vlan},
                        {{*IpAddress::parse("2001:db8::1"), 64}, vlan}};
    config.offload_ip_checksum = config.offload_udp_checksum = load.offload;
    config.listened = &ports;
    return config;
}

/// Frames in their buffers, and how they looked before they were answered.
class Arena {
public:
    Arena(const Load& load, const Options& options)
        : load_(load),
          count_(load.hot ? 64 : options.frames),
          clients_(options.clients),
          size_((count_ * kStride + kHugePage - 1) / kHugePage * kHugePage),
          memory_(static_cast<std::uint8_t*>(std::aligned_alloc(kHugePage, size_))) {
        if (!memory_) std::abort();
        // As packet buffers lie in: else it is the page tables that are measured.
        madvise(memory_.get(), size_, MADV_HUGEPAGE);
        originals_.reserve(count_);
        for (std::size_t i = 0; i < count_; ++i) {
            originals_.push_back(make_frame(load, random_.next() % clients_, random_.next()));
        }
    }
    void refill() {
        for (std::size_t i = 0; i < count_; ++i) {
            std::memcpy(at(i), originals_[i].data(), originals_[i].size());
        }
    }
    std::size_t count() const { return count_; }
    std::uint8_t* at(std::size_t i) { return memory_.get() + i * kStride + kHeadroom; }
    std::size_t length(std::size_t i) const { return originals_[i].size(); }

private:
    const Load& load_;
    std::size_t count_;
    std::size_t clients_;
    Random random_;
    struct Free {
        void operator()(std::uint8_t* memory) const { std::free(memory); }
    };
    std::size_t size_;
    std::unique_ptr<std::uint8_t, Free> memory_;
    std::vector<std::vector<std::uint8_t>> originals_;
};

struct Cycles {
    double median = 0.0;
    double tenth =
        0.0;  ///< a tenth of the bursts took no more: those that others on the machine spared
};

Cycles distribution(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return {values[values.size() / 2], values[values.size() / 10]};
}

class Bench {
public:
    Bench(const Load& load, const Options& options)
        : load_(load),
          options_(options),
          log_(log_config(load, options), 12345),
          store_(load.client_log ? log_config(load, options).capacity() : 0),
          server_(make_config(load, ports_), log_, store_, random_),
          arena_(load, options),
          frames_(options.burst),
          datagrams_(options.burst),
          replies_(options.burst),
          verdicts_(options.burst) {
        ports_.add(40000);
        tables_.forwarded = {*IpAddress::parse("198.51.100.1"), *IpAddress::parse("2001:db8:9::1")};
    }

    /// Cycles per packet, of all bursts but those of the first pass, which fills the tables.
    Cycles run() {
        std::vector<double> results;
        for (int pass = 0; pass <= options_.passes; ++pass) {
            arena_.refill();
            for (std::size_t at = 0; at + options_.burst <= arena_.count(); at += options_.burst) {
                const double spent = load_.responder_only ? answer_payloads(at) : answer_frames(at);
                if (pass > 0) results.push_back(spent / static_cast<double>(options_.burst));
            }
        }
        return distribution(std::move(results));
    }

private:
    static ClientLogConfig log_config(const Load& load, const Options& options) {
        ClientLogConfig config;
        config.enabled = load.client_log;
        config.memory_limit = std::uint64_t{256} * options.clients;
        config.limits[0].enabled = load.rate_limit;
        config.limits[0].interval = -19;
        return config;
    }

    Stamp stamp() { return {SystemTime::from_ns(now_ns_ += 90), TimestampSource::Daemon, 0.0}; }

    double answer_frames(std::size_t at) {
        for (std::size_t i = 0; i < frames_.size(); ++i) {
            frames_[i] = Frame();
            frames_[i].data = arena_.at(at + i);
            frames_[i].length = static_cast<std::uint16_t>(arena_.length(at + i));
            frames_[i].capacity = static_cast<std::uint16_t>(kStride - kHeadroom);
            if (load_.offload) {
                frames_[i].ip_checksum = frames_[i].l4_checksum = ChecksumState::Good;
            }
            frames_[i].stamp = stamp();
        }
        const std::uint64_t start = cycles();
        server_.receive(frames_, state_, tables_);
        server_.finish(frames_, SystemTime::from_ns(now_ns_));
        return static_cast<double>(cycles() - start);
    }

    double answer_payloads(std::size_t at) {
        const std::size_t offset = (load_.v6 ? 62 : 42) + (load_.vlan ? 4 : 0);
        for (std::size_t i = 0; i < datagrams_.size(); ++i) {
            std::uint8_t* frame = arena_.at(at + i);
            std::uint8_t* payload = frame + offset;
            RxDatagram& datagram = datagrams_[i];
            datagram = RxDatagram();
            datagram.payload = {payload, kNtpHeaderSize};
            std::array<std::uint8_t, 16> bytes{};
            std::memcpy(bytes.data(), payload - (load_.v6 ? 40 : 16), load_.v6 ? 16 : 4);
            datagram.remote.ip =
                load_.v6 ? IpAddress::v6(bytes)
                         : IpAddress::v4(static_cast<std::uint32_t>(bytes[0]) << 24 |
                                         static_cast<std::uint32_t>(bytes[1]) << 16 |
                                         static_cast<std::uint32_t>(bytes[2]) << 8 | bytes[3]);
            datagram.remote.port = 40000;
            datagram.stamp = stamp();
            replies_[i].use_buffer({payload, kNtpHeaderSize});
        }
        const std::uint64_t start = cycles();
        server_.responder().prepare_burst(datagrams_, state_, tables_, replies_, verdicts_);
        server_.responder().finish_burst(replies_, verdicts_, SystemTime::from_ns(now_ns_));
        return static_cast<double>(cycles() - start);
    }

    const Load& load_;
    const Options& options_;
    Random random_;
    ListenedPorts ports_;
    ClientLog log_;
    TimestampStore store_;
    FrameServer server_;
    Arena arena_;
    ServerState state_ = serving();
    ServerTables tables_ = open_to_all();
    std::vector<Frame> frames_;
    std::vector<RxDatagram> datagrams_;
    std::vector<Reply> replies_;
    std::vector<Drop> verdicts_;
    std::int64_t now_ns_ = kBaseNs + 1'000'000'000;
};

std::vector<Load> loads() {
    std::vector<Load> list;
    const auto add = [&](const char* name, const std::function<void(Load&)>& change) {
        Load load;
        load.name = name;
        change(load);
        list.push_back(load);
    };
    add("ipv4", [](Load& l) { l.client_log = false; });
    add("ipv4, checksums by the device", [](Load& l) { l.client_log = false, l.offload = true; });
    add("ipv4, 64 hot frames", [](Load& l) { l.client_log = false, l.hot = true; });
    add("ipv4, VLAN", [](Load& l) { l.client_log = false, l.vlan = true; });
    add("ipv6", [](Load& l) { l.client_log = false, l.v6 = true; });
    add("ipv4, client log", [](Load&) {});
    add("ipv4, client log, rate limit", [](Load& l) { l.rate_limit = true; });
    add("ipv6, VLAN, client log, rate limit", [](Load& l) { l.v6 = l.vlan = l.rate_limit = true; });
    add("ipv4, to the control loop", [](Load& l) { l.to_control = true, l.client_log = false; });
    return list;
}

}  // namespace

int main(int argc, char** argv) {
    const bench::Arguments arguments(argc, argv);
    Options options;
    options.frames = static_cast<std::size_t>(arguments.number("frames", 16384));
    options.burst = static_cast<std::size_t>(arguments.number("burst", 32));
    options.clients = static_cast<std::size_t>(arguments.number("clients", 1'000'000));
    options.passes = static_cast<int>(arguments.number("passes", 15));
    if (options.burst < 1 || options.burst > FrameServer::kMaxBurst ||
        options.frames < options.burst || options.clients < 1 || options.passes < 1) {
        std::fprintf(stderr, "frame_bench: impossible numbers\n");
        return 1;
    }
    const double hz = cycles_per_second();
    std::string json = "{\"cycles_per_second\": " + std::to_string(hz) +
                       ", \"frames\": " + std::to_string(options.frames) +
                       ", \"burst\": " + std::to_string(options.burst) +
                       ", \"clients\": " + std::to_string(options.clients) + ", \"loads\": [";
    std::printf("%-36s %8s %10s %8s %8s   %s\n", "cycles per packet", "all", "responder", "frame",
                "Mpps", "best tenth");
    const char* separator = "";
    const std::string wanted = arguments.text("load", "");
    for (const Load& load : loads()) {
        if (!wanted.empty() && wanted != load.name) continue;
        const Cycles all = Bench(load, options).run();
        Cycles responder;
        if (!load.to_control) {
            Load alone = load;
            alone.responder_only = true;
            responder = Bench(alone, options).run();
        }
        std::printf("%-36s %8.1f %10.1f %8.1f %8.2f   %.1f %.1f %.1f\n", load.name, all.median,
                    responder.median, all.median - responder.median, hz / all.median * 1e-6,
                    all.tenth, responder.tenth, all.tenth - responder.tenth);
        json += std::string(separator) + "\n{\"name\": \"" + load.name +
                "\", \"cycles\": " + std::to_string(all.median) +
                ", \"cycles_tenth\": " + std::to_string(all.tenth) +
                ", \"responder_cycles\": " + std::to_string(responder.median) +
                ", \"responder_cycles_tenth\": " + std::to_string(responder.tenth) + "}";
        separator = ",";
    }
    json += "\n]}\n";
    if (const std::string path = arguments.text("json", ""); !path.empty()) {
        std::FILE* file = std::fopen(path.c_str(), "w");
        if (file == nullptr || std::fputs(json.c_str(), file) < 0 || std::fclose(file) != 0) {
            std::perror(path.c_str());
            return 1;
        }
    }
    return 0;
}
