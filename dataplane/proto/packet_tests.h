#pragma once

/// The tests a reply has to pass (RFC 5905, section 8; RFC 9769), and what a reply was found to be:
/// the record for the measurement log, `ntpdata` and debugging.

#include <cstdint>

#include "dataplane/wire/address.h"
#include "dataplane/wire/ntp_packet.h"
#include "servo/units/ntp_types.h"
#include "servo/units/source_view.h"
#include "servo/units/time_point.h"

namespace gnomon {

/// Bit values as in `ntpdata`: test 1 is the highest of ten.
enum class PacketTest : std::uint16_t {
    Test1 = 1 << 9,  ///< not a duplicate
    Test2 = 1 << 8,  ///< origin matches our request
    Test3 = 1 << 7,  ///< all timestamps are set
    Test5 = 1 << 6,  ///< authentication
    Test6 = 1 << 5,  ///< the server is synchronised
    Test7 = 1 << 4,  ///< root distance below 16 s
    TestA =
        1 << 3,  ///< delay, precision, response time, no presend, sane offset, fresh interleaving
    TestB = 1 << 2,  ///< maxdelayratio
    TestC = 1 << 1,  ///< maxdelayquant or maxdelaydevratio
    TestD = 1 << 0,  ///< no synchronisation loop
};

class TestBits {
public:
    constexpr void set(PacketTest test, bool passed) noexcept {
        const auto bit = static_cast<std::uint16_t>(test);
        bits_ = static_cast<std::uint16_t>(passed ? bits_ | bit : bits_ & ~bit);
    }
    constexpr bool operator[](PacketTest test) const noexcept {
        return (bits_ & static_cast<std::uint16_t>(test)) != 0;
    }
    /// Tests 1, 2, 3 and 5: an answer to our request.
    constexpr bool valid() const noexcept { return has(0x3C0); }
    /// … and 6 and 7: from a synchronised source.
    constexpr bool synchronised() const noexcept { return has(0x3F0); }
    /// All of them: a measurement.
    constexpr bool good() const noexcept { return has(0x3FF); }
    constexpr std::uint16_t bits() const noexcept { return bits_; }

private:
    constexpr bool has(std::uint16_t mask) const noexcept { return (bits_ & mask) == mask; }
    std::uint16_t bits_ = 0;
};

inline constexpr double kMaxDispersionS = 16.0;  ///< test 7
inline constexpr double kMaxServerIntervalS =
    4.0;  ///< test A: longest time a server may hold a request

/// Limits of the delay tests. Zero switches a limit off where it says so.
struct DelayLimits {
    double max_delay_s = 3.0;
    double max_delay_ratio = 0.0;  ///< below 1: off
    double max_delay_dev_ratio = 10.0;
    double max_clock_error = 1e-6;  ///< s/s, how fast our clock may drift unnoticed
};

/// Tests 6 and 7.
bool is_synchronised(const NtpHeader& header) noexcept;
bool is_root_distance_sane(double root_delay_s, double root_dispersion_s) noexcept;

/// Test B: the delay against the smallest one known. Passes without history.
bool passes_delay_ratio(const DelayLimits& limits, const SourceView& source, UtcTime at,
                        double delay_s);

/// Test C: the increase of the delay against the deviation of the offsets; passes too when the
/// offset is off by more than the delay explains, so that a real change is not mistaken for
/// queueing.
bool passes_delay_deviation(const DelayLimits& limits, const SourceView& source, UtcTime at,
                            double offset_s, double delay_s);

/// Everything about one reply. Written for every reply that was processed, good or not.
struct ReplyRecord {
    UtcTime at;  ///< the measurement's time, or the time of reception
    SocketAddress remote;
    NtpHeader header;
    double root_delay_s = 0.0;  ///< as the server says, in the finest form it says it
    double root_dispersion_s = 0.0;
    TestBits tests;
    double offset_s = 0.0;  ///< > 0: our clock is behind; `offset` option included
    double peer_delay_s = 0.0;
    double peer_dispersion_s = 0.0;
    double response_time_s = 0.0;
    bool interleaved = false;
    bool authenticated = false;
    TimestampSource tx_source = TimestampSource::Daemon;
    TimestampSource rx_source = TimestampSource::Daemon;
    int local_poll = 0;  ///< this and the score: after the measurement was accumulated
    double poll_score = 0.0;
};

}  // namespace gnomon
