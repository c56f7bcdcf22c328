#include "dataplane/proto/server_stats.h"

#include "dataplane/proto/client_log.h"
#include "dataplane/proto/timestamp_store.h"

namespace gnomon {

void ServerStats::add(const ServerCounters& counters) noexcept {
    requests += counters.requests.get();
    replies += counters.replies.get();
    // The log counts only what others than responders account.
    ntp_hits += counters.logged.get();
    ntp_drops += counters.drops[static_cast<std::size_t>(Drop::RateLimited)].get();
    log_drops += counters.records_replaced.get();
    ntp_auth_hits += counters.authenticated.get();
    ntp_interleaved_hits += counters.interleaved.get();
    for (std::size_t i = 0; i < kTimestampSources; ++i) {
        ntp_rx_stamps[i] += counters.receive_stamps[i].get();
        ntp_tx_stamps[i] += counters.transmit_stamps[i].get();
    }
    for (std::size_t i = 0; i < drops.size(); ++i) drops[i] += counters.drops[i].get();
}

void ServerStats::add(const ServerStats& other) noexcept {
    ntp_hits += other.ntp_hits;
    nke_hits += other.nke_hits;
    command_hits += other.command_hits;
    ntp_drops += other.ntp_drops;
    nke_drops += other.nke_drops;
    command_drops += other.command_drops;
    log_drops += other.log_drops;
    ntp_auth_hits += other.ntp_auth_hits;
    ntp_interleaved_hits += other.ntp_interleaved_hits;
    ntp_timestamps += other.ntp_timestamps;
    ntp_timestamp_span_s += other.ntp_timestamp_span_s;
    for (std::size_t i = 0; i < kTimestampSources; ++i) {
        ntp_rx_stamps[i] += other.ntp_rx_stamps[i];
        ntp_tx_stamps[i] += other.ntp_tx_stamps[i];
    }
    for (std::size_t i = 0; i < drops.size(); ++i) drops[i] += other.drops[i];
    requests += other.requests;
    replies += other.replies;
}

void add_shared(ServerStats& stats, const ClientLog& log, const TimestampStore& store) noexcept {
    const ClientLog::Totals totals = log.totals();
    const auto of = [](const auto& values, Service service) {
        return values[static_cast<std::size_t>(service)];
    };
    stats.ntp_hits += of(totals.hits, Service::Ntp);
    stats.nke_hits += of(totals.hits, Service::NtsKe);
    stats.command_hits += of(totals.hits, Service::Command);
    stats.ntp_drops += of(totals.drops, Service::Ntp);
    stats.nke_drops += of(totals.drops, Service::NtsKe);
    stats.command_drops += of(totals.drops, Service::Command);
    stats.log_drops += totals.record_drops;
    const TimestampStore::Held held = store.held();
    stats.ntp_timestamps += held.count;
    stats.ntp_timestamp_span_s += held.span_s;
}

}  // namespace gnomon
