#pragma once

/// Why a packet was not used. One counter each: nothing disappears silently.

#include <array>
#include <cstddef>
#include <cstdint>

namespace gnomon {

enum class Drop : std::uint8_t {
    None,
    TooShort,
    TooLong,
    BadVersion,
    BadMode,
    BadFraming,  ///< extension fields or MAC do not add up
    AccessDenied,
    RateLimited,
    BadAuthentication,  ///< MAC missing, unknown key or wrong digest
    NotSolicited,       ///< a reply to nothing we asked, or from the wrong address
    Duplicate,
    BadPort,   ///< from port 0, to which nothing can be sent
    NoServer,  ///< a request on a port that only the client side uses
    SendFailed,
    Count,
};

/// "too-short", "access-denied", … for reports and metrics.
const char* to_string(Drop reason) noexcept;

class DropCounters {
public:
    void count(Drop reason) noexcept { ++counts_[static_cast<std::size_t>(reason)]; }
    std::uint64_t operator[](Drop reason) const noexcept {
        return counts_[static_cast<std::size_t>(reason)];
    }
    void add(const DropCounters& other) noexcept {
        for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
    }

private:
    std::array<std::uint64_t, static_cast<std::size_t>(Drop::Count)> counts_{};
};

}  // namespace gnomon
