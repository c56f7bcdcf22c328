#pragma once

/// `SockDriver`: samples that gpsd and others send to a Unix datagram socket of ours
/// (refclock/decode/sock_sample.h).

#include <memory>
#include <string>

#include "refclock/driver.h"
#include "servo/units/result.h"

namespace gnomon {

class SockDriver final : public RefclockDriver {
public:
    /// Creates the socket; a file that is in the way is removed if it is a socket. Everybody who
    /// can reach it may write to it.
    static SysResult<std::unique_ptr<SockDriver>> open(const std::string& path);
    ~SockDriver() override;
    SockDriver(const SockDriver&) = delete;
    SockDriver& operator=(const SockDriver&) = delete;

    bool is_polled() const override { return false; }
    void poll(std::vector<RawRefclockSample>&) override {}
    int fd() const override { return fd_; }
    void receive(std::vector<RawRefclockSample>& samples) override;

private:
    SockDriver(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}

    int fd_;
    std::string path_;
};

}  // namespace gnomon
