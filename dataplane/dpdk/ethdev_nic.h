#pragma once

/// `EthdevNic`: a device of DPDK's ethdev library as a `NicDevice`.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/dpdk/device_spec.h"
#include "dataplane/dpdk/nic_device.h"
#include "dataplane/dpdk/packet_socket.h"
#include "servo/units/result.h"

struct rte_mempool;

namespace gnomon {

class EalLog;
class XdpControl;

struct EthdevOptions {
    unsigned queues = 1;
    unsigned ring_size = 1024;
    unsigned buffers = 8192;
    unsigned number = 0;  ///< makes the pool's name unique
    bool offloads = true;
    /// Given to the device, where it takes one; zero: the device keeps its own.
    MacAddress mac{};
    /// Take frames of all group addresses, for neighbour discovery.
    bool all_groups = false;
};

class EthdevNic final : public NicDevice {
public:
    /// Makes, configures and starts the device. `log` explains failures.
    static SysResult<std::unique_ptr<EthdevNic>> open(const DeviceSpec& spec,
                                                      const EthdevOptions& options, EalLog& log);
    ~EthdevNic() override;

    const NicCapabilities& capabilities() const noexcept override { return capabilities_; }
    MacAddress mac() const noexcept override { return mac_; }
    std::size_t receive(unsigned queue, std::span<Frame> frames,
                        std::span<NicBuffer> buffers) noexcept override;
    std::size_t send(unsigned queue, std::span<const Frame> frames,
                     std::span<const NicBuffer> buffers) noexcept override;
    void release(const NicBuffer& buffer) noexcept override;
    bool allocate(unsigned queue, Frame& frame, NicBuffer& buffer) noexcept override;
    void arm_transmit_stamp(unsigned queue, const NicBuffer& buffer) noexcept override;
    bool take_transmit_stamp(unsigned queue, NicTransmitStamp& out) noexcept override;
    NicLink link() noexcept override;
    NicCounters counters() noexcept override;
    bool lost() noexcept override;
    std::size_t free_buffers() noexcept override;
    void set_taking(bool taking) noexcept override;
    std::optional<std::int64_t> read_clock() noexcept override;

    const std::string& driver() const noexcept { return driver_; }
    /// Our XDP program, when the device uses it; else null.
    XdpControl* xdp() noexcept { return xdp_.get(); }
    /// Index of the kernel's interface under the device, 0: none.
    int interface_index() const noexcept { return interface_index_; }

private:
    EthdevNic();
    std::optional<SysError> configure(const EthdevOptions& options);
    std::optional<SysError> set_up_queues(const EthdevOptions& options);
    std::optional<SysError> failed(const char* what, int code) const;
    void find_capabilities();
    void find_packet_sockets(const EthdevOptions& options);

    DeviceSpec spec_;
    std::uint16_t port_ = 0;
    bool open_ = false;
    bool started_ = false;
    rte_mempool* pool_ = nullptr;
    std::string driver_;
    int interface_index_ = 0;
    int control_socket_ = -1;  ///< for the flags of the kernel's interface
    std::uint64_t rx_offloads_ = 0;
    std::uint64_t tx_offloads_ = 0;
    int stamp_offset_ = -1;  ///< of the receive stamp in a buffer's dynamic fields
    std::uint64_t stamp_flag_ = 0;
    std::unique_ptr<XdpControl> xdp_;
    std::vector<PacketSocket> sockets_;  ///< per queue; empty: not known
    std::uint64_t socket_drops_ = 0;
    NicCapabilities capabilities_;
    MacAddress mac_{};
};

}  // namespace gnomon
