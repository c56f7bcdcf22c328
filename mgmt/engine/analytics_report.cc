#include "mgmt/engine/analytics_report.h"

#include "mgmt/command/protocol.h"

namespace gnomon {

command::TopClient to_report(const HeavyClient& heavy) {
    command::TopClient client;
    client.address = heavy.address;
    client.rate = heavy.rate;
    client.error = heavy.error;
    client.noise_sd = heavy.noise_sd;
    client.kissed = heavy.kissed;
    client.limited = heavy.limited;
    client.dropped = heavy.dropped;
    client.abuse = heavy.abuse;
    client.version = heavy.version;
    client.mode = static_cast<std::uint8_t>(heavy.mode);
    client.poll = heavy.poll;
    client.has_mac = heavy.has_mac;
    client.has_nts = heavy.has_nts;
    client.interleaved = heavy.interleaved;
    client.port = heavy.port;
    return client;
}

command::TopReport to_top_report(const AnalyticsSnapshot& snapshot, std::size_t first) {
    command::TopReport report;
    report.known = static_cast<std::uint32_t>(snapshot.clients.size());
    report.window_s = snapshot.window_s;
    report.total_rate = snapshot.profile.total;
    report.others_rate = snapshot.others_rate;
    report.sampling = std::uint32_t{1} << snapshot.sampling_log2;
    for (std::size_t i = first; i < snapshot.clients.size(); ++i) {
        if (report.clients.size() == command::kMaxHeavyClientsPerReply) break;
        report.clients.push_back(to_report(snapshot.clients[i]));
    }
    return report;
}

command::AnalyticsReport to_report(const AnalyticsSnapshot& snapshot) {
    using Report = command::AnalyticsReport;
    static_assert(Report::kPolls == RequestProfile::kPolls);
    static_assert(Report::kFirstPoll == RequestProfile::kFirstPoll);
    static_assert(Report::kSizes == RequestProfile::kSizes.size() + 1);
    const RequestProfile& profile = snapshot.profile;
    Report report;
    report.window_s = snapshot.window_s;
    report.sampling = std::uint32_t{1} << snapshot.sampling_log2;
    report.observed = snapshot.observed;
    report.skipped = snapshot.skipped;
    report.total = profile.total;
    report.version = profile.version;
    report.mode = profile.mode;
    report.poll = profile.poll;
    report.size = profile.size;
    report.outcome = profile.outcome;
    report.ipv6 = profile.ipv6;
    report.ntp_port = profile.ntp_port;
    report.mac = profile.mac;
    report.nts = profile.nts;
    report.interleaved = profile.interleaved;
    return report;
}

}  // namespace gnomon
