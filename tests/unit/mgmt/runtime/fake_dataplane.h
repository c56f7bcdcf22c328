#pragma once

/// A polled dataplane that does nothing but remember, and the module that opens it.

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "dataplane/port/dataplane.h"

namespace gnomon {

/// What a test sees of the dataplane and tells it; outlives it.
struct FakeDataplaneWorld {
    std::vector<PortHealth> health{PortHealth::Healthy};
    std::vector<int> interfaces{0};
    std::vector<std::string> calls;  ///< "take 0", "give 0", in order
    std::set<std::uint16_t> listened;
    std::vector<std::pair<std::uint16_t, std::uint64_t>> sent;  ///< local port and cookie
    bool accepts = true;
    bool reaches = true;
    int counter_lines = 0;
    int states = 0;
    bool alive = false;
    std::deque<Forwarded> forwarded;
    int event = -1;

    void forward(const Forwarded& item) {
        forwarded.push_back(item);
        eventfd_write(event, 1);
    }
};

class FakeDataplane final : public PolledDataplane {
public:
    explicit FakeDataplane(FakeDataplaneWorld& world) : world_(world) {
        world_.event = eventfd(0, EFD_NONBLOCK);
        world_.alive = true;
    }
    ~FakeDataplane() override {
        close(world_.event);
        world_.alive = false;
        world_.calls.push_back("end");
    }

    void publish(const ServerState&) noexcept override { ++world_.states; }
    void publish(std::shared_ptr<const ServerTables>) override {}
    void publish(const CounterLine&) noexcept override { ++world_.counter_lines; }
    int forward_fd() const noexcept override { return world_.event; }
    std::size_t take_forwarded(std::span<Forwarded> out) override {
        eventfd_t count = 0;
        eventfd_read(world_.event, &count);
        std::size_t taken = 0;
        while (taken < out.size() && !world_.forwarded.empty()) {
            out[taken++] = world_.forwarded.front();
            world_.forwarded.pop_front();
        }
        return taken;
    }
    bool reaches(const IpAddress&) const override { return world_.reaches; }
    bool send(const TxDatagram& datagram, std::uint16_t local_port) override {
        if (world_.accepts) world_.sent.emplace_back(local_port, datagram.cookie);
        return world_.accepts;
    }
    bool listen(std::uint16_t local_port) override {
        return world_.listened.insert(local_port).second;
    }
    void unlisten(std::uint16_t local_port) override { world_.listened.erase(local_port); }
    void add_to(ServerStats& stats) const override { stats.ntp_hits += 7; }
    std::vector<DataplanePortReport> report() const override {
        std::vector<DataplanePortReport> reports(world_.health.size());
        for (std::size_t i = 0; i < reports.size(); ++i) {
            reports[i].device = "fake" + std::to_string(i);
            reports[i].health = world_.health[i];
            reports[i].workers.resize(2);
            for (int d = 0; d < 30; ++d) {
                reports[i].workers[1].drops.emplace_back("reason-" + std::to_string(d), d + 1);
            }
        }
        return reports;
    }
    void check(MonoTime, std::span<PortHealth> out) override {
        std::copy_n(world_.health.begin(), out.size(), out.begin());
    }
    std::size_t port_count() const noexcept override { return world_.health.size(); }
    int interface_index(std::size_t port) const noexcept override {
        return world_.interfaces[port];
    }
    void set_taking(std::size_t port, bool taking) override {
        world_.calls.push_back((taking ? "take " : "give ") + std::to_string(port));
    }

private:
    FakeDataplaneWorld& world_;
};

/// The one that the module below opens: a module's entry knows nothing but its arguments.
inline FakeDataplaneWorld*& fake_world() {
    static FakeDataplaneWorld* world = nullptr;
    return world;
}

inline const DataplaneModule kFakeModule{
    kDataplaneAbi,
    [](const DataplaneConfig&, ClientLog&, TimestampStore&,
       RandomSource&) -> SysResult<std::unique_ptr<PolledDataplane>> {
        return std::unique_ptr<PolledDataplane>(std::make_unique<FakeDataplane>(*fake_world()));
    }};

}  // namespace gnomon
