#pragma once

/// One appliance in the simulated world: an `Engine` with the simulator's clock, network, resolver
/// and storage for services.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "mgmt/engine/engine.h"
#include "mgmt/engine/services.h"
#include "tests/sim/sim_clock.h"
#include "tests/sim/world.h"

namespace gnomon::sim {

class SimNode final : private Network, private NameResolver, private Storage, private EventSink {
public:
    SimNode(World& world, int index, NodeModel model, std::uint64_t seed);
    ~SimNode() override;

    void boot();
    void shutdown();
    void wake();
    void receive(const SocketAddress& source, const SocketAddress& destination,
                 const std::vector<std::uint8_t>& payload);

    const NodeModel& model() const noexcept { return model_; }
    int index() const noexcept { return index_; }
    bool is_up() const noexcept { return engine_ != nullptr && !asleep_; }
    /// The machine is suspended: it hears, does and serves nothing until `resume`.
    void suspend();
    /// `error_s`: what the clock that ran meanwhile went wrong by.
    void resume(double error_s);
    /// What it serves has gone wrong (or was from the start); the truth for the invariants.
    void become_false() noexcept { honest_ = false; }
    bool honest() const noexcept { return honest_; }
    /// How often the daemon has been started.
    int boots() const noexcept { return boots_; }
    Engine& engine() { return *engine_; }
    SimClock& clock() noexcept { return clock_; }
    const std::vector<Event>& events() const noexcept { return events_; }
    void forget_events() { events_.clear(); }
    const std::map<std::string, std::string>& files() const noexcept { return files_; }

    /// The node's estimate of UTC minus true UTC, s. What the appliance serves is this wrong.
    double ntp_error_s();
    /// Rate error of that estimate, s/s, > 0: gains.
    double ntp_rate_error();
    /// The NTP clock as a client would read it now.
    UtcTime ntp_time();
    /// Root distance that the node advertises now, s; what its error must not exceed.
    double advertised_bound_s();
    std::uint64_t packets_sent() const noexcept { return packets_sent_; }

private:
    SysResult<SocketHandle> open_client(const SocketAddress& remote) override;
    void close(SocketHandle handle) override;
    bool send(SocketHandle handle, const TxDatagram& datagram) override;
    bool send_from_server(const TxDatagram& datagram) override;
    SysResult<void> open_server(IpAddress::Family family) override;
    void close_server(IpAddress::Family family) override;
    bool is_connectable(const SocketAddress& remote) override;

    void request(QueryId query, const std::string& name, IpAddress::Family family) override;

    SysResult<std::string> read(const std::string& path) override;
    SysResult<void> write(const std::string& path, std::string_view text,
                          std::uint32_t mode) override;
    SysResult<void> remove(const std::string& path) override;

    void on_event(const Event& event) override { events_.push_back(event); }

    /// A simulated node's configuration is one text; it includes nothing.
    class OneFile final : public ConfigFiles {
    public:
        explicit OneFile(std::string text) : text_(std::move(text)) {}
        std::optional<std::string> read(const std::string&) override { return text_; }
        std::vector<std::string> glob(const std::string&) override { return {}; }
        std::vector<std::string> list_dir(const std::string&, const std::string&) override {
            return {};
        }

    private:
        std::string text_;
    };

    Now read_clocks();
    Stamp stamp();
    bool transmit(SocketHandle handle, std::uint16_t source_port, const TxDatagram& datagram);
    void reschedule();

    World& world_;
    int index_;
    NodeModel model_;
    SimRandom random_;
    SimClock clock_;
    std::map<SocketHandle, std::uint16_t> client_ports_;
    SocketHandle next_handle_ = 1;
    bool server_open_ = false;
    std::map<std::string, std::string> files_;
    OneFile config_file_;
    std::vector<Event> events_;
    std::uint64_t packets_sent_ = 0;
    int boots_ = 0;
    bool honest_;
    bool asleep_ = false;
    TrueTime asleep_since_ = 0;
    TrueTime wake_at_ = 0;
    std::unique_ptr<Engine> engine_;
};

}  // namespace gnomon::sim
