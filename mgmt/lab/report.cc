#include "mgmt/lab/report.h"

#include <algorithm>

#include <fmt/format.h>

#include "mgmt/cli/format.h"
#include "mgmt/engine/analytics_report.h"

namespace gnomon {

namespace {

void add(std::string& text, const std::string& name, std::uint64_t value) {
    if (value != 0) text += fmt::format("{:<28}{}\n", name, value);
}

}  // namespace

std::string counts_text(const ReplayResult& result) {
    std::string text;
    add(text, "packets", result.port.packets);
    add(text, "requests", result.port.requests);
    add(text, "replies", result.server.replies);
    add(text, "interleaved", result.interleaved);
    add(text, "authenticated", result.authenticated);
    for (std::size_t i = 0; i < result.server.drops.size(); ++i) {
        const auto reason = static_cast<Drop>(i);
        add(text, std::string("dropped ") + to_string(reason), result.server.drops[i]);
    }
    add(text, "replies of then", result.port.outgoing);
    add(text, "interleaved translated", result.port.translated);
    add(text, "other ports", result.port.other_port);
    add(text, "too long", result.port.too_long);
    for (std::size_t i = 0; i < result.port.skipped.size(); ++i) {
        const auto reason = static_cast<FrameSkip>(i);
        add(text, std::string("skipped ") + to_string(reason), result.port.skipped[i]);
    }
    return text;
}

std::string summary_text(const ReplayResult& result, std::uint32_t clients) {
    const command::TopReport top = to_top_report(result.analytics, 0);
    std::string text = cli::top_summary(top) + cli::top_header(0) + "\n";
    const std::size_t count = std::min<std::size_t>(clients, result.analytics.clients.size());
    for (std::size_t i = 0; i < count; ++i) {
        const HeavyClient& client = result.analytics.clients[i];
        text += cli::top_record(to_report(client), client.address.to_string(), top.total_rate, 0)
                    .text();
    }
    text += "\n" + std::string(cli::kAnalyticsHeader) + "\n";
    for (const cli::Record& record : cli::analytics_records(to_report(result.analytics))) {
        text += record.text();
    }
    return text;
}

}  // namespace gnomon
