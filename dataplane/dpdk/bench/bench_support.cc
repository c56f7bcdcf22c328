#include "dataplane/dpdk/bench/bench_support.h"

#include <sched.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string_view>

#include <fmt/format.h>

#include "dataplane/dpdk/cycle_counter.h"

namespace gnomon::bench {

namespace {

constexpr char kPages[] = "/proc/sys/vm/nr_hugepages";

double mono_s() {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC_RAW, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

}  // namespace

void fail(const std::string& message) {
    std::fprintf(stderr, "dpdk_bench: %s\n", message.c_str());
    std::exit(1);
}

BenchOptions parse_options(int argc, char** argv) {
    BenchOptions options;
    if (argc > 1) options.bench = argv[1];
    for (int i = 2; i < argc; ++i) {
        const std::string_view name = argv[i];
        if (name == "--basic") {
            options.interleaved = false;
            continue;
        }
        if (name == "--interleaved" || name == "--no-rate-limit") {
            if (name == "--no-rate-limit") options.rate_limit = false;
            continue;
        }
        if (i + 1 == argc) fail(fmt::format("{} needs a value", name));
        const std::string value = argv[++i];
        const auto number = static_cast<unsigned>(std::strtoul(value.c_str(), nullptr, 10));
        if (name == "--seconds")
            options.seconds = std::atof(value.c_str());
        else if (name == "--warm-up")
            options.warm_up = std::atof(value.c_str());
        else if (name == "--clients")
            options.clients = number;
        else if (name == "--prefixes")
            options.prefixes = number;
        else if (name == "--burst")
            options.burst = number;
        else if (name == "--frames")
            options.frames = number / 512 * 512;
        else if (name == "--hugepages")
            options.hugepages_mib = number;
        else if (name == "--json")
            options.json = value;
        else if (name == "--cores" && value.find(',') != std::string::npos) {
            options.cores = {number,
                             static_cast<unsigned>(std::atoi(value.c_str() + value.find(',') + 1))};
        } else {
            fail(fmt::format("unknown option {}", name));
        }
    }
    if (options.burst == 0 || options.burst > 64 || options.clients == 0 || options.frames == 0) {
        fail("a number is out of its range");
    }
    return options;
}

HugePages::HugePages(unsigned mib) {
    if (mib == 0) return;
    std::ifstream(kPages) >> before_;
    std::ofstream(kPages) << before_ + mib / 2;
}

HugePages::~HugePages() {
    if (before_ >= 0) std::ofstream(kPages) << before_;
}

std::unique_ptr<Eal> start_eal(const BenchOptions& options, const std::string& prefix) {
    std::vector<std::string> arguments{"dpdk_bench", "--no-pci", "--no-shconf", "--no-telemetry",
                                       fmt::format("--file-prefix={}-{}", prefix, getpid())};
    if (options.hugepages_mib != 0) {
        arguments.insert(arguments.end(), {"--in-memory", "--single-file-segments"});
    } else {
        arguments.insert(arguments.end(), {"--no-huge", "-m", "256"});
    }
    auto eal = Eal::start(arguments);
    if (!eal) fail(eal.error().message());
    return std::move(*eal);
}

void pin_to(unsigned core) {
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET(core, &cores);
    if (sched_setaffinity(0, sizeof(cores), &cores) != 0) fail("cannot pin to a core");
}

double counter_hz() {
    const double begin = mono_s();
    const std::uint64_t first = read_cycles();
    while (mono_s() - begin < 0.05) relax_cpu();
    const std::uint64_t last = read_cycles();
    return static_cast<double>(last - first) / (mono_s() - begin);
}

}  // namespace gnomon::bench
