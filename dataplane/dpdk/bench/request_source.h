#pragma once

/// Makes requests of very many clients as frames, in random order, and learns from the answers what the
/// interleaved mode needs.

#include <cstdint>
#include <vector>

#include "dataplane/dpdk/bench/bench_support.h"
#include "dataplane/frame/frame.h"
#include "dataplane/wire/ethernet.h"

namespace gnomon::bench {

class RequestSource {
public:
    RequestSource(const BenchOptions& options, const MacAddress& server);

    /// Clients come in random order from now on; before, one after the other.
    void shuffle() noexcept { shuffled_ = true; }
    /// Writes the next client's request into the frame's buffer.
    void make(Frame& frame);
    /// From an answer.
    void learn(const Frame& frame);

private:
    struct Client {
        std::uint64_t receive = 0;  ///< of the server's last answer, network order
    };

    bool interleaved_;
    bool shuffled_ = false;
    std::uint32_t next_ = 0;
    std::vector<std::uint8_t> template_;
    std::vector<Client> clients_;
    std::uint32_t header_sum_ = 0;
    std::uint64_t random_ = 88172645463325252ULL;
};

}  // namespace gnomon::bench
