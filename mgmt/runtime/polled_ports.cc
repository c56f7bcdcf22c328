#include "mgmt/runtime/polled_ports.h"

#include <algorithm>
#include <utility>

#include "mgmt/runtime/exit_watchdog.h"
#include "mgmt/runtime/vlan_interfaces.h"
#include "servo/units/assert.h"

namespace gnomon {

namespace {

constexpr std::size_t kForwardBatch = 32;
// The line over the processor's counter is right to nanoseconds between two of these.
constexpr Duration kLineInterval = Duration::from_ms(50);
constexpr Duration kCheckInterval = Duration::from_ms(100);
constexpr Duration kInterfaceInterval = Duration::from_s(5);
constexpr Duration kReportInterval = Duration::from_ms(500);
constexpr Duration kLongestEnd = Duration::from_s(5);

/// The system clock itself has been told to go another way. Its lead is served time only.
bool is_clock_corrected(const ClockLine& before, const ClockLine& after) {
    return before.offset != after.offset || before.rate != after.rate;
}

bool is_copying_driver(const std::string& device) {
    return device.find("af_packet") != std::string::npos;
}

}  // namespace

PolledPorts::PolledPorts(const DataplaneConfig& config, Surroundings surroundings)
    : config_(config),
      around_(std::move(surroundings)),
      tables_(std::make_shared<const ServerTables>()),
      forwarded_(kForwardBatch) {}

PolledPorts::~PolledPorts() { close(); }

void PolledPorts::begin(ClientLog& log, TimestampStore& store) {
    log_ = &log;
    store_ = &store;
}

SysResult<void> PolledPorts::open(const DataplaneModule& module) {
    GNOMON_ASSERT(log_ != nullptr && store_ != nullptr && sink_ != nullptr);
    auto opened = module.open(config_, *log_, *store_, around_.random);
    if (!opened) return Unexpected(opened.error());
    dataplane_ = std::move(*opened);
    if (around_.taps != nullptr) dataplane_->attach(*around_.taps);
    const std::size_t count = dataplane_->port_count();
    supervisor_ = DataplaneSupervisor(count);
    health_.assign(count, PortHealth::Starting);
    dataplane_->publish(around_.measure_counter(true));
    dataplane_->publish(state_);
    dataplane_->publish(tables_);
    around_.loop.watch(dataplane_->forward_fd(), EventLoop::kReadable,
                       [this](EventLoop::Events) { on_forwarded(); });
    return {};
}

void PolledPorts::close() {
    if (!dataplane_) return;
    around_.loop.unwatch(dataplane_->forward_fd());
    const DataplaneSupervisor last = std::exchange(supervisor_, DataplaneSupervisor(0));
    update_ignored_interfaces();
    for (std::size_t i = 0; i < last.size(); ++i) {
        if (last.is_taking(i)) dataplane_->set_taking(i, false);
    }
    const ExitWatchdog watchdog(kLongestEnd, "The dataplane");
    dataplane_.reset();
}

void PolledPorts::publish(const ServerState& state) {
    const bool corrected = is_clock_corrected(state_.clock, state.clock);
    state_ = state;
    if (!dataplane_) return;
    // Both belong together: a worker that reads one of them new and the other one old is wrong by the
    // correction. The shorter that is possible the better.
    if (corrected) {
        const CounterLine line = around_.measure_counter(true);
        dataplane_->publish(line);
    }
    dataplane_->publish(state_);
}

void PolledPorts::publish(std::shared_ptr<const ServerTables> tables) {
    tables_ = std::move(tables);
    if (dataplane_) dataplane_->publish(tables_);
}

void PolledPorts::add_to(ServerStats& stats) const {
    if (dataplane_) dataplane_->add_to(stats);
}

void PolledPorts::add_to(AnalyticsSnapshot& snapshot, SystemTime now) const {
    if (dataplane_) dataplane_->add_to(snapshot, now);
}

const std::vector<PolledPortState>& PolledPorts::polled_ports() {
    if (!dataplane_) {
        reports_.clear();
        return reports_;
    }
    if (reported_at_ && now_ - *reported_at_ < kReportInterval) return reports_;
    reported_at_ = now_;
    reports_.clear();
    for (DataplanePortReport& report : dataplane_->report()) {
        const std::size_t i = reports_.size();
        PolledPortState state;
        state.report = std::move(report);
        if (i < supervisor_.size()) {
            state.serving = supervisor_.is_taking(i);
            state.kernel_under = dataplane_->interface_index(i) > 0;
            state.report.takeovers = supervisor_.takeovers(i);
        }
        reports_.push_back(std::move(state));
    }
    return reports_;
}

void PolledPorts::handle_timeout(MonoTime now) {
    if (!dataplane_) return;
    now_ = now;
    if (now < next_look_) return;
    next_look_ = now + kLineInterval;
    dataplane_->publish(around_.measure_counter(false));
    if (now >= next_check_) {
        next_check_ = now + kCheckInterval;
        check(now);
    }
    if (now >= next_interfaces_) {
        next_interfaces_ = now + kInterfaceInterval;
        update_ignored_interfaces();
    }
}

void PolledPorts::check(MonoTime now) {
    dataplane_->check(now, health_);
    for (const DataplaneSupervisor::Change& change : supervisor_.update(now, health_)) {
        apply(change);
    }
}

void PolledPorts::apply(const DataplaneSupervisor::Change& change) {
    if (change.taking_changed) {
        // Never nobody in between: who takes over comes first. Two answers to one request do no harm.
        if (change.taking) {
            dataplane_->set_taking(change.port, true);
            update_ignored_interfaces();
        } else {
            update_ignored_interfaces();
            // Without an interface of the kernel under it nobody else could have its packets.
            if (dataplane_->interface_index(change.port) > 0) {
                dataplane_->set_taking(change.port, false);
            }
        }
    }
    PolledPortChanged event;
    event.device = config_.ports[change.port].device;
    event.health = change.health;
    event.serving = change.taking;
    event.kernel_under = dataplane_->interface_index(change.port) > 0;
    event.has_failed = supervisor_.takeovers(change.port) > 0;
    around_.events.on_event(event);
}

bool PolledPorts::kernel_sees_copies(std::size_t port) const {
    return is_copying_driver(config_.ports[port].device) && dataplane_->interface_index(port) > 0;
}

void PolledPorts::update_ignored_interfaces() {
    std::vector<int> ignored;
    for (std::size_t i = 0; i < supervisor_.size(); ++i) {
        if (!supervisor_.is_taking(i) || !kernel_sees_copies(i)) continue;
        for (const int index : with_vlan_interfaces(dataplane_->interface_index(i))) {
            ignored.push_back(index);
        }
    }
    if (ignored == ignored_) return;
    ignored_ = ignored;
    if (const auto told = around_.ignore_interfaces(std::move(ignored)); !told) {
        around_.events.on_event(ServerSocketFailed{told.error().message()});
    }
}

bool PolledPorts::reaches(const IpAddress& remote) const {
    return dataplane_ && supervisor_.is_any_taking() && dataplane_->reaches(remote);
}

bool PolledPorts::send(const TxDatagram& datagram, std::uint16_t local_port) {
    return dataplane_ && supervisor_.is_any_taking() && dataplane_->send(datagram, local_port);
}

bool PolledPorts::listen(std::uint16_t local_port) {
    return dataplane_ && dataplane_->listen(local_port);
}

void PolledPorts::unlisten(std::uint16_t local_port) {
    if (dataplane_) dataplane_->unlisten(local_port);
}

void PolledPorts::on_forwarded() {
    const std::size_t count = dataplane_->take_forwarded(forwarded_);
    for (std::size_t i = 0; i < count; ++i) {
        Forwarded& item = forwarded_[i];
        const std::span<const std::uint8_t> bytes(item.bytes.data(), item.size);
        if (item.kind == Forwarded::Kind::TransmitStamp) {
            item.report.payload = bytes;
            sink_->on_polled_stamp(item.local_port, item.report);
        } else {
            item.datagram.payload = bytes;
            sink_->on_polled_datagram(item.local_port, item.datagram);
        }
    }
}

}  // namespace gnomon
