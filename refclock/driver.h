#pragma once

/// What a reference clock driver is to the daemon: something that is asked for readings, or a file
/// descriptor that says when there are some. One thread.

#include <vector>

#include "refclock/decode/raw_sample.h"

namespace gnomon {

class RefclockDriver {
public:
    virtual ~RefclockDriver() = default;

    /// True: `poll` brings the samples. False: only the descriptor does.
    virtual bool is_polled() const = 0;
    /// Appends what there is to be read now.
    virtual void poll(std::vector<RawRefclockSample>& samples) = 0;

    /// To be watched for input; −1: none. Stays the driver's.
    virtual int fd() const { return -1; }
    /// The descriptor is readable: reads once.
    virtual void receive(std::vector<RawRefclockSample>&) {}
};

}  // namespace gnomon
