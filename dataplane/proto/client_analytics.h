#pragma once

/// `ClientAnalytics`: who asks and how, in fixed memory: the heaviest clients and histograms of what
/// requests look like. Each responder has one; the control loop merges their snapshots.
///
/// Every burst costs a count-down (`next_due`). Only when it is due is a packet looked at (`observe`),
/// then it stands for 2^k packets: k grows with the load, so that about ten thousand packets a second
/// are looked at (0.3 µs each), and is 0 below that: then everything is exact. The gaps are random,
/// so that no pattern of requests can hide between them.
///
/// The heaviest clients are those of Space-Saving (Metwally, Agrawal, El Abbadi, ICDT 2005) with
/// kCounters counters: a client's rate is never underestimated, overestimated by at most the rate of
/// all requests divided by kCounters, and every client above that is in the table. Sampling adds
/// noise on both sides, whose standard deviation is reported.
///
/// Old requests count less: weights and the time that they were counted over are halved every
/// kHalving, so rates are means over the last two minutes or so, the recent ones twice as heavy.
///
/// One thread observes. Any other may take a snapshot: the observer does not wait for it but skips
/// what comes meanwhile (some microseconds; counted).

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "dataplane/proto/byte_lock.h"
#include "dataplane/wire/address.h"
#include "dataplane/wire/ntp_packet.h"
#include "servo/units/duration.h"
#include "servo/units/time_point.h"

namespace gnomon {

/// What became of a request.
enum class Outcome : std::uint8_t {
    Answered,
    Kissed,   ///< told to slow down
    Limited,  ///< dropped by the rate limit
    Dropped,  ///< for any other reason
};

/// What is looked at of a request whose header could be read.
struct ObservedRequest {
    SocketAddress remote;
    std::uint16_t size = 0;  ///< of the UDP payload
    std::uint8_t version = 0;
    Mode mode = Mode::Reserved;
    std::int8_t poll = 0;  ///< as the header has it
    bool has_mac = false;
    bool has_nts = false;
    bool interleaved = false;
    Outcome outcome = Outcome::Answered;
};

/// Requests per second by property, all clients together.
struct RequestProfile {
    static constexpr std::size_t kPolls = 26;  ///< −8 and less … 17 and more
    static constexpr int kFirstPoll = -8;
    /// Payloads of at most these sizes, and longer ones.
    static constexpr std::array<std::uint16_t, 7> kSizes{48, 68, 72, 100, 228, 512, 1024};

    double total = 0.0;
    std::array<double, 8> version{};
    std::array<double, 8> mode{};
    std::array<double, kPolls> poll{};  ///< of clients' requests (mode 3) only
    std::array<double, kSizes.size() + 1> size{};
    std::array<double, 4> outcome{};  ///< index: Outcome
    double ipv6 = 0.0;
    double ntp_port = 0.0;  ///< sent from port 123
    double mac = 0.0;
    double nts = 0.0;
    double interleaved = 0.0;

    /// this += factor · other.
    void add(const RequestProfile& other, double factor) noexcept;
};

/// A heavy client. Rates in requests per second.
struct HeavyClient {
    IpAddress address;
    double rate = 0.0;      ///< at most; at least rate − error, but for the noise of sampling
    double error = 0.0;     ///< by which the sketch may overestimate
    double noise_sd = 0.0;  ///< of sampling; 0 when everything was looked at
    double kissed = 0.0;    ///< since it is in the table, as those below
    double limited = 0.0;
    double dropped = 0.0;
    // Of the last request that was looked at.
    std::uint8_t version = 0;
    Mode mode = Mode::Reserved;
    std::int8_t poll = 0;
    std::uint16_t port = 0;
    bool has_mac = false;
    bool has_nts = false;
    bool interleaved = false;

    /// 0…100: the share of its requests that were kissed or dropped by the rate limit, as long as
    /// they go on: a client that slows down loses its score with the halvings. No score below
    /// four such requests in the time that rates are means over.
    double abuse = 0.0;
};

/// The state of one or several `ClientAnalytics` in rates.
struct AnalyticsSnapshot {
    RequestProfile profile;
    std::vector<HeavyClient> clients;  ///< heaviest first
    /// The most that a client which is not among `clients` can have.
    double others_rate = 0.0;
    double window_s = 0.0;  ///< time that the rates are means over; the longest of those merged
    std::uint64_t observed = 0;  ///< requests looked at since the start
    std::uint64_t skipped = 0;   ///< not looked at because somebody took a snapshot
    unsigned sampling_log2 = 0;  ///< k; the largest of those merged

    /// Adds what another responder saw.
    void merge(const AnalyticsSnapshot& other);
};

class ClientAnalytics {
public:
    static constexpr std::size_t kCounters = 512;
    static constexpr Duration kHalving = Duration::from_s(60);

    /// `seed`: any random number; decides the hash of clients and the gaps of sampling.
    explicit ClientAnalytics(std::uint64_t seed);
    ~ClientAnalytics();
    ClientAnalytics(const ClientAnalytics&) = delete;
    ClientAnalytics& operator=(const ClientAnalytics&) = delete;

    /// Of the next `count` requests: the first that is to be observed; `count` when none is. It and
    /// those before it are done with.
    std::size_t next_due(std::size_t count) noexcept {
        if (gap_ >= count) {
            gap_ -= static_cast<std::uint32_t>(count);
            return count;
        }
        const std::size_t due = gap_;
        draw_gap();
        return due;
    }
    /// A request that was due. `now`: when it came in.
    void observe(const ObservedRequest& request, SystemTime now) noexcept;

    /// Any thread. Empty when the state is being changed for longer than a moment.
    AnalyticsSnapshot snapshot(SystemTime now) const;

private:
    struct State;

    void adapt(SystemTime now) noexcept;
    void draw_gap() noexcept;

    std::uint32_t gap_ = 0;    ///< requests to be left out before the next is observed
    std::uint32_t shift_ = 0;  ///< k
    std::uint64_t random_;
    std::uint64_t skipped_ = 0;
    std::uint32_t samples_ = 0;  ///< since `adapted_at_`
    SystemTime adapted_at_;
    SystemTime last_;
    mutable ByteLock lock_;  ///< of `state_`
    std::unique_ptr<State> state_;
};

}  // namespace gnomon
