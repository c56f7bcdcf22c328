#pragma once

/// `PpsDriver`: pulses that the kernel stamped (RFC 2783, linux/pps.h).

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "refclock/driver.h"
#include "servo/units/result.h"

namespace gnomon {

class PpsDriver final : public RefclockDriver {
public:
    /// `clear_edge`: falling edges instead of rising ones.
    static SysResult<std::unique_ptr<PpsDriver>> open(const std::string& path, bool clear_edge);
    ~PpsDriver() override;
    PpsDriver(const PpsDriver&) = delete;
    PpsDriver& operator=(const PpsDriver&) = delete;

    bool is_polled() const override { return true; }
    /// The last pulse, if it is a new one.
    void poll(std::vector<RawRefclockSample>& samples) override;

private:
    PpsDriver(int fd, bool clear_edge) : fd_(fd), clear_edge_(clear_edge) {}

    int fd_;
    bool clear_edge_;
    std::uint32_t last_sequence_ = 0;
};

}  // namespace gnomon
