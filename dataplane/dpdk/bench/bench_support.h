#pragma once

/// Options and surroundings of dpdk_bench.

#include <memory>
#include <string>
#include <utility>

#include "dataplane/dpdk/eal.h"

namespace gnomon::bench {

struct BenchOptions {
    std::string bench;
    double seconds = 3.0;
    double warm_up = 10.0;  ///< at most, of memif
    unsigned clients = 1'000'000;
    unsigned prefixes = 10'000;  ///< rules in the access table
    bool interleaved =
        true;  ///< ring only: every client asks in interleaved mode after its first answer
    bool rate_limit = true;
    unsigned burst = 32;
    unsigned frames = 16'384;  ///< in circulation: more than the caches hold
    unsigned ring = 1024;
    unsigned hugepages_mib = 0;
    std::pair<unsigned, unsigned> cores{0, 1};
    std::string json;
};

[[noreturn]] void fail(const std::string& message);
/// Ends the program when something is wrong with them.
BenchOptions parse_options(int argc, char** argv);

/// Reserves 2 MiB pages, and gives back in the end what was not there before.
class HugePages {
public:
    explicit HugePages(unsigned mib);
    ~HugePages();
    HugePages(const HugePages&) = delete;
    HugePages& operator=(const HugePages&) = delete;

private:
    long before_ = -1;
};

std::unique_ptr<Eal> start_eal(const BenchOptions& options, const std::string& prefix);
void pin_to(unsigned core);
/// Of the processor's counter, measured.
double counter_hz();

}  // namespace gnomon::bench
