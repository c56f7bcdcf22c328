#pragma once

/// `ShmDriver`: samples from a System V shared memory segment (refclock/decode/shm_layout.h).

#include <cstdint>
#include <memory>

#include "refclock/driver.h"
#include "servo/units/result.h"

namespace gnomon {

class ShmDriver final : public RefclockDriver {
public:
    /// Creates the segment with permissions `mode` if there is none.
    static SysResult<std::unique_ptr<ShmDriver>> open(int unit, std::uint32_t mode);
    ~ShmDriver() override;
    ShmDriver(const ShmDriver&) = delete;
    ShmDriver& operator=(const ShmDriver&) = delete;

    bool is_polled() const override { return true; }
    void poll(std::vector<RawRefclockSample>& samples) override;

private:
    explicit ShmDriver(void* segment) : segment_(segment) {}

    void* segment_;
};

}  // namespace gnomon
