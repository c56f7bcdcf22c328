#pragma once

/// `DpdkDataplane`: the `PolledDataplane` over DPDK.

#include <memory>
#include <vector>

#include "dataplane/dpdk/dpdk_port.h"
#include "dataplane/dpdk/eal.h"
#include "dataplane/port/dataplane.h"

namespace gnomon {

class DpdkDataplane final : public PolledDataplane {
public:
    /// `directory`: where the module and its XDP program lie.
    static SysResult<std::unique_ptr<PolledDataplane>> open(const DataplaneConfig& config,
                                                            ClientLog& log, TimestampStore& store,
                                                            RandomSource& seed,
                                                            const std::string& directory);
    ~DpdkDataplane() override;

    void publish(const ServerState& state) noexcept override;
    void publish(std::shared_ptr<const ServerTables> tables) override;
    void publish(const CounterLine& line) noexcept override;
    int forward_fd() const noexcept override;
    std::size_t take_forwarded(std::span<Forwarded> out) override;
    bool reaches(const IpAddress& remote) const override;
    bool send(const TxDatagram& datagram, std::uint16_t local_port) override;
    bool listen(std::uint16_t local_port) override;
    void unlisten(std::uint16_t local_port) override;
    void add_to(ServerStats& stats) const override;
    void add_to(AnalyticsSnapshot& snapshot, SystemTime now) const override;
    std::vector<DataplanePortReport> report() const override;
    void check(MonoTime now, std::span<PortHealth> out) override;
    std::size_t port_count() const noexcept override { return ports_.size(); }
    int interface_index(std::size_t port) const noexcept override;
    void set_taking(std::size_t port, bool taking) override;
    void attach(CaptureTaps& taps) override;

private:
    explicit DpdkDataplane(const DataplaneConfig& config);
    void follow_mono_clock() noexcept;

    DataplaneConfig config_;
    std::unique_ptr<Eal> eal_;
    WorkerContext context_;
    ListenedPorts listened_;
    std::size_t listened_count_ = 0;
    std::vector<std::unique_ptr<DpdkPort>> ports_;
};

}  // namespace gnomon
