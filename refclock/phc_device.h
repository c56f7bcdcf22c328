#pragma once

/// `PhcDevice`: a PTP hardware clock (/dev/ptpN) and what is asked of it.

#include <optional>
#include <string>
#include <vector>

#include "refclock/decode/phc_sampler.h"
#include "servo/units/result.h"

namespace gnomon {

class PhcDevice {
public:
    /// `name`: a path, or a network interface whose clock it is. `writable` is needed for external
    /// timestamps.
    static SysResult<PhcDevice> open(const std::string& name, bool writable);
    PhcDevice(PhcDevice&& other) noexcept;
    PhcDevice& operator=(PhcDevice&&) = delete;
    PhcDevice(const PhcDevice&) = delete;
    ~PhcDevice();

    int fd() const noexcept { return fd_; }
    /// Equal for descriptors of the same clock.
    unsigned index() const noexcept { return index_; }

    /// Readings taken now, by the best of the kernel's ways that works; that is found out once.
    /// Empty: it failed.
    std::vector<PhcReading> read(bool cross_timestamps);

    struct ExternalEvent {
        PhcTime at;
        int channel = 0;
    };
    /// `pin` < 0: its function is left as it is.
    SysResult<void> enable_external(int pin, int channel, bool falling_edge);
    void disable_external(int pin, int channel);
    /// Empty if there is none; does not block.
    std::optional<ExternalEvent> read_external();

private:
    enum class Way { Unknown, Precise, Extended, Plain };
    PhcDevice(int fd, unsigned index) : fd_(fd), index_(index) {}

    std::vector<PhcReading> read_precise() const;
    std::vector<PhcReading> read_extended() const;
    std::vector<PhcReading> read_plain() const;

    int fd_;
    unsigned index_;
    Way way_ = Way::Unknown;
};

}  // namespace gnomon
