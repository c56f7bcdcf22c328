#include "mgmt/engine/server_agent.h"

#include <algorithm>

#include "mgmt/engine/server_workers.h"

namespace gnomon {
namespace {

/// The engine answers alone only where little is asked; its sketch need not be unpredictable, and a
/// random number more would change every simulation.
constexpr std::uint64_t kAnalyticsSeed = 0x9e3779b97f4a7c15ULL;

RateLimit limit_of(const RateLimitConfig& config) {
    RateLimit limit;
    limit.enabled = config.enabled;
    limit.interval = config.interval_log2_s;
    limit.burst = config.burst;
    limit.leak = config.leak;
    limit.kod = config.kod;
    return limit;
}

command::ClientAccess access_of(const ClientRecordView& view) {
    constexpr auto kNtp = static_cast<std::size_t>(Service::Ntp);
    constexpr auto kKe = static_cast<std::size_t>(Service::NtsKe);
    constexpr auto kCommand = static_cast<std::size_t>(Service::Command);
    command::ClientAccess access;
    access.address = view.address;
    access.ntp_hits = view.hits[kNtp];
    access.nke_hits = view.hits[kKe];
    access.cmd_hits = view.hits[kCommand];
    access.ntp_drops = view.drops[kNtp];
    access.nke_drops = view.drops[kKe];
    access.cmd_drops = view.drops[kCommand];
    access.ntp_interval = view.interval[kNtp];
    access.nke_interval = view.interval[kKe];
    access.cmd_interval = view.interval[kCommand];
    access.ntp_limited_interval = view.ntp_limited_interval;
    access.last_ntp_hit_ago_s = view.last_hit_ago_s[kNtp];
    access.last_nke_hit_ago_s = view.last_hit_ago_s[kKe];
    access.last_cmd_hit_ago_s = view.last_hit_ago_s[kCommand];
    return access;
}

}  // namespace

ClientLogConfig client_log_config(const Config& config) {
    ClientLogConfig log;
    log.enabled = config.server.client_log;
    log.memory_limit = config.server.client_log_limit_bytes;
    log.limits[static_cast<std::size_t>(Service::Ntp)] = limit_of(config.server.rate_limit);
    log.limits[static_cast<std::size_t>(Service::Command)] = limit_of(config.command.rate_limit);
    return log;
}

ServerAgent::ServerAgent(const Config& config, const Services& services, IpAddress::Family family)
    : config_(config.server),
      command_config_(config.command),
      services_(services),
      family_(family),
      log_(client_log_config(config), services.random.next()),
      store_(config.server.client_log ? client_log_config(config).capacity() : 0),
      analytics_(kAnalyticsSeed),
      responder_(log_, store_, services.random) {
    responder_.set_analytics(&analytics_);
}

void ServerAgent::start() {
    const auto apply = [this](const std::vector<AccessRule>& rules, Port port) {
        for (const AccessRule& rule : rules) {
            if (!rule.host.empty()) {
                host_rules_.push_back(HostRule{rule, port, false});
                continue;
            }
            rule.allow ? table(port).allow(rule.subnet, rule.all)
                       : table(port).deny(rule.subnet, rule.all);
        }
    };
    apply(config_.access, Port::Ntp);
    apply(command_config_.access, Port::Command);
    ++access_version_;
    running_ = true;
    update_sockets();
}

void ServerAgent::shutdown() {
    running_ = false;
    update_sockets();
}

void ServerAgent::apply_host_rule(std::size_t index, const IpAddress& address) {
    if (index >= host_rules_.size() || host_rules_[index].applied) return;
    host_rules_[index].applied = true;
    const AccessRule& rule = host_rules_[index].rule;
    const Port port = host_rules_[index].port;
    const Subnet host{
        address, static_cast<std::uint8_t>(address.family() == IpAddress::Family::V4 ? 32 : 128)};
    rule.allow ? table(port).allow(host, rule.all) : table(port).deny(host, rule.all);
    ++access_version_;
    update_sockets();
}

void ServerAgent::handle_request(const RxDatagram& request, const ServerState& state,
                                 const KeyTable& keys) {
    if (compiled_version_ != access_version_) {
        compiled_version_ = access_version_;
        tables_.access = AccessIndex(ntp_access_);
        tables_.keys = std::shared_ptr<const KeyTable>(std::shared_ptr<const KeyTable>(), &keys);
    }
    Drop verdict = Drop::None;
    responder_.prepare_burst({&request, 1}, state, tables_, reply_.all(), {&verdict, 1});
    if (verdict != Drop::None) return;
    if (!services_.network.send_from_server(reply_[0].datagram(request))) {
        responder_.count_send_failure();
    }
}

void ServerAgent::add_user(IpAddress::Family family) {
    ++(family == IpAddress::Family::V6 ? v6_users_ : v4_users_);
    update_sockets();
}

void ServerAgent::remove_user(IpAddress::Family family) {
    --(family == IpAddress::Family::V6 ? v6_users_ : v4_users_);
    update_sockets();
}

void ServerAgent::update_sockets() {
    update_socket(IpAddress::Family::V4, v4_open_, v4_users_);
    update_socket(IpAddress::Family::V6, v6_open_, v6_users_);
}

void ServerAgent::update_socket(IpAddress::Family family, bool& open, int users) {
    const bool family_enabled = family_ == IpAddress::Family::Unspecified || family_ == family;
    const bool needed = running_ && config_.port != 0 && family_enabled &&
                        (users > 0 || ntp_access_.is_any_allowed(family));
    if (needed == open) return;
    open = needed;
    if (!needed) {
        services_.network.close_server(family);
        return;
    }
    if (const auto opened = services_.network.open_server(family); !opened) {
        services_.events.on_event(ServerSocketFailed{opened.error().message()});
    }
}

bool ServerAgent::accept_command(const IpAddress& client, const Now& now) {
    const bool local = !client.is_ip() || client.is_loopback();
    if (!local && !command_access_.is_allowed(client)) return false;
    const Verdict verdict = log_.account(Service::Command, client, now.system, services_.random);
    return local || verdict == Verdict::Pass;
}

command::Status ServerAgent::set_rule(Port port, const command::AccessRule& rule, bool allow,
                                      bool all) {
    if (rule.bits < 0 || rule.bits > 128) return command::Status::BadSubnet;
    if (rule.address.family() == IpAddress::Family::Id) return command::Status::BadSubnet;
    const Subnet subnet{rule.address, static_cast<std::uint8_t>(rule.bits)};
    const bool ok = allow ? table(port).allow(subnet, all) : table(port).deny(subnet, all);
    if (!ok) return command::Status::BadSubnet;
    ++access_version_;
    update_sockets();
    return command::Status::Success;
}

command::Status ServerAgent::allow(Port port, const command::AccessRule& rule, bool all) {
    return set_rule(port, rule, true, all);
}

command::Status ServerAgent::deny(Port port, const command::AccessRule& rule, bool all) {
    return set_rule(port, rule, false, all);
}

bool ServerAgent::is_allowed(Port port, const IpAddress& address) {
    if (port == Port::Command && address.is_loopback()) return true;
    return table(port).is_allowed(address);
}

command::ServerStatsReport ServerAgent::stats() const {
    ServerStats sum;
    sum.add(responder_.counters());
    if (services_.workers != nullptr) services_.workers->add_to(sum);
    add_shared(sum, log_, store_);

    command::ServerStatsReport report;
    report.ntp_hits = sum.ntp_hits;
    report.nke_hits = sum.nke_hits;
    report.cmd_hits = sum.command_hits;
    report.ntp_drops = sum.ntp_drops;
    report.nke_drops = sum.nke_drops;
    report.cmd_drops = sum.command_drops;
    report.log_drops = sum.log_drops;
    report.ntp_auth_hits = sum.ntp_auth_hits;
    report.ntp_interleaved_hits = sum.ntp_interleaved_hits;
    report.ntp_timestamps = sum.ntp_timestamps;
    report.ntp_span_s = sum.ntp_timestamp_span_s;
    report.ntp_daemon_rx_timestamps = sum.ntp_rx_stamps[0];
    report.ntp_daemon_tx_timestamps = sum.ntp_tx_stamps[0];
    report.ntp_kernel_rx_timestamps = sum.ntp_rx_stamps[1];
    report.ntp_kernel_tx_timestamps = sum.ntp_tx_stamps[1];
    report.ntp_hardware_rx_timestamps = sum.ntp_rx_stamps[2];
    report.ntp_hardware_tx_timestamps = sum.ntp_tx_stamps[2];
    return report;
}

command::ReportResult<command::ClientAccessReport> ServerAgent::clients(
    const command::ClientRange& range, SystemTime now) {
    if (!log_.enabled()) return Unexpected(command::Status::Inactive);
    command::ClientAccessReport report;
    report.indices = static_cast<std::uint32_t>(log_.index_count());
    std::uint32_t index = range.first_index;
    const std::uint32_t end = index < report.indices && report.indices - index > range.max_places
                                  ? index + range.max_places
                                  : report.indices;
    for (; index < end && report.clients.size() < range.count; ++index) {
        if (const auto view = log_.report(index, range.min_hits, range.reset, now)) {
            report.clients.push_back(access_of(*view));
        }
    }
    report.next_index = index;
    return report;
}

AnalyticsSnapshot ServerAgent::analytics(SystemTime now) const {
    AnalyticsSnapshot snapshot = analytics_.snapshot(now);
    if (services_.workers != nullptr) services_.workers->add_to(snapshot, now);
    return snapshot;
}

std::array<double, RequestProfile::kPolls> ServerAgent::measured_intervals(SystemTime now) {
    // Enough for shares to one percent, few enough to be looked at between two packets.
    constexpr std::size_t kSample = 4096;
    constexpr auto kNtp = static_cast<std::size_t>(Service::Ntp);
    constexpr int kLast = RequestProfile::kFirstPoll + static_cast<int>(RequestProfile::kPolls) - 1;
    std::array<double, RequestProfile::kPolls> clients{};
    const std::size_t stride = std::max<std::size_t>(log_.index_count() / kSample, 1);
    for (std::size_t index = 0; index < log_.index_count(); index += stride) {
        const auto view = log_.report(index, 1, false, now);
        if (!view || view->hits[kNtp] == 0) continue;
        const int interval = view->interval[kNtp];
        if (interval == command::ClientAccess::kUnknownInterval) continue;
        const int bucket = std::clamp(interval, RequestProfile::kFirstPoll, kLast);
        clients[static_cast<std::size_t>(bucket - RequestProfile::kFirstPoll)] +=
            static_cast<double>(stride);
    }
    return clients;
}

}  // namespace gnomon
