#include <array>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "mgmt/cli/format.h"

namespace gnomon::cli {

namespace {

constexpr int kNameColumns = 25;
constexpr const char* kModes[] = {"none",   "active",    "passive", "client",
                                  "server", "broadcast", "control", "private"};
constexpr const char* kSizes[] = {"48",      "49-68",   "69-72",    "73-100",
                                  "101-228", "229-512", "513-1024", "longer"};
constexpr const char* kOutcomes[] = {"answered", "kissed", "limited", "dropped"};

double share(double part, double whole) { return whole > 0.0 ? 100.0 * part / whole : 0.0; }

std::string poll_name(std::size_t bucket) {
    const int poll = command::AnalyticsReport::kFirstPoll + static_cast<int>(bucket);
    if (bucket == 0) return fmt::format("<={}", poll);
    if (bucket + 1 == command::AnalyticsReport::kPolls) return fmt::format(">={}", poll);
    return std::to_string(poll);
}

std::string sampling_text(std::uint32_t sampling) {
    return sampling <= 1 ? "all requests" : fmt::format("one request in {}", sampling);
}

class Rows {
public:
    void add(const char* property, const std::string& value, double amount, double whole) {
        if (amount <= 0.0) return;
        Record record;
        record.string("property", property, -12).literal(" ");
        record.string("value", value, -10).literal(" ");
        record.real("amount", amount, {3, false, 14}).literal(" ");
        record.real("share_percent", share(amount, whole), {1, false, 7}).literal("%\n");
        rows_.push_back(std::move(record));
    }
    template <std::size_t N, typename NameOf>
    void add_all(const char* property, const std::array<double, N>& amounts, NameOf name_of) {
        double whole = 0.0;
        for (const double amount : amounts) whole += amount;
        for (std::size_t i = 0; i < N; ++i) add(property, name_of(i), amounts[i], whole);
    }
    std::vector<Record> take() { return std::move(rows_); }

private:
    std::vector<Record> rows_;
};

}  // namespace

std::string top_summary(const command::TopReport& r) {
    return fmt::format("{:.1f} requests/s, mean of {:.0f} s, {} looked at; others below {:.3f}/s\n",
                       r.total_rate, r.window_s, sampling_text(r.sampling), r.others_rate);
}

std::string top_header(int extra) {
    return fmt::format("{:<{}} {:>10} {:>9} {:>6} {:>3} {:<9} {:>4} {:<3} {:>9} {:>9} {:>5}",
                       "Client", kNameColumns + extra, "Rate/s", "+/-", "Share", "Ver", "Mode",
                       "Poll", "Flg", "Limited/s", "Dropped/s", "Abuse");
}

Record top_record(const command::TopClient& client, std::string_view name, double total,
                  int extra) {
    const std::string flags{client.has_mac ? 'M' : '-', client.has_nts ? 'N' : '-',
                            client.interleaved ? 'I' : '-'};
    Record record;
    record.string("address", name, -(kNameColumns + extra)).literal(" ");
    record.real("rate", client.rate, {3, false, 10}).literal(" ");
    // Two deviations beside what is certain.
    record.real("error", client.error + 2.0 * client.noise_sd, {3, false, 9}).literal(" ");
    record.real("share_percent", share(client.rate, total), {1, false, 5}).literal("% ");
    record.whole("version", client.version, 3).literal(" ");
    record.string("mode", kModes[client.mode & 7U], -9).literal(" ");
    record.integer("poll", client.poll, 4).literal(" ");
    record.string("flags", flags).literal(" ");
    record.real("limited", client.kissed + client.limited, {3, false, 9}).literal(" ");
    record.real("dropped", client.dropped, {3, false, 9}).literal(" ");
    record.real("abuse", client.abuse, {0, false, 5}).literal("\n");
    return record;
}

std::string analytics_summary(const command::AnalyticsReport& r) {
    return fmt::format("{:.1f} requests/s, mean of {:.0f} s, {} looked at\n", r.total, r.window_s,
                       sampling_text(r.sampling));
}

std::vector<Record> analytics_records(const command::AnalyticsReport& r) {
    Rows rows;
    rows.add("requests", "all", r.total, r.total);
    rows.add_all("version", r.version, [](std::size_t i) { return std::to_string(i); });
    rows.add_all("mode", r.mode, [](std::size_t i) { return std::string(kModes[i]); });
    rows.add_all("poll", r.poll, poll_name);
    rows.add_all("size", r.size, [](std::size_t i) { return std::string(kSizes[i]); });
    rows.add_all("outcome", r.outcome, [](std::size_t i) { return std::string(kOutcomes[i]); });
    rows.add("uses", "ipv6", r.ipv6, r.total);
    rows.add("uses", "port123", r.ntp_port, r.total);
    rows.add("uses", "mac", r.mac, r.total);
    rows.add("uses", "nts", r.nts, r.total);
    rows.add("uses", "interleaved", r.interleaved, r.total);
    rows.add_all("clients-poll", r.measured, poll_name);
    return rows.take();
}

}  // namespace gnomon::cli
