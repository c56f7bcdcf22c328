#pragma once

/// `XdpControl`: a hold on our XDP program once DPDK has attached it to an interface.

#include <cstdint>
#include <memory>
#include <string>

#include "servo/units/result.h"

struct gnomon_xdp_control;

namespace gnomon {

class XdpControl {
public:
    /// The interface must have the program. Where DPDK's socket copies frames (no driver memory is
    /// involved), the program's attachment is replaced by one that ends with this process, however it
    /// ends.
    static SysResult<std::unique_ptr<XdpControl>> open(int interface_index);
    ~XdpControl();
    XdpControl(const XdpControl&) = delete;
    XdpControl& operator=(const XdpControl&) = delete;

    /// Nothing is redirected before the first call with true. `all`: every frame, not only NTP.
    void set_taking(bool taking, bool all) noexcept;
    void set_ntp_port(std::uint16_t port) noexcept;
    void set_listened(std::uint16_t port, bool listened) noexcept;

    /// The attachment ends with the process.
    bool is_linked() const noexcept { return link_ >= 0; }

private:
    XdpControl() = default;

    gnomon_xdp_control* control_ = nullptr;
    std::size_t mapped_ = 0;
    int program_ = -1;
    int link_ = -1;
};

}  // namespace gnomon
