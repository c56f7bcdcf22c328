#include <string>

#include <fmt/format.h>

#include "mgmt/cli/format.h"

namespace gnomon::cli {

namespace {

/// Name columns before the widening.
constexpr int kNarrowName = 25;
constexpr int kBroadName = 27;

std::string blanks(int count) { return std::string(static_cast<std::size_t>(count), ' '); }

/// The lines, each with '\1' where the widening goes.
std::string widened(std::string_view lines, int extra) {
    std::string text;
    for (const char c : lines) {
        if (c == '\1') {
            text += blanks(extra);
        } else {
            text += c;
        }
    }
    return text;
}

std::string sources_legend(int extra) {
    return widened(
        "\n"
        "  .-- Source mode  '^' = server, '=' = peer, '#' = local clock.\n"
        " / .- Source state '*' = current best, '+' = combined, '-' = not combined,\n"
        "| /             'x' = may be in error, '~' = too variable, '?' = unusable.\n"
        "||  \1                                               .- xxxx [ yyyy ] +/- zzzz\n"
        "||  \1    Reachability register (octal) -.           |  xxxx = adjusted offset,\n"
        "||  \1    Log2(Polling interval) --.      |          |  yyyy = measured offset,\n"
        "||  \1                              \\     |          |  zzzz = estimated error.\n"
        "||  \1                               |    |           \\\n",
        extra);
}

std::string source_stats_legend(int extra) {
    return widened(
        "\1                             .- Number of sample points in measurement set.\n"
        "\1                            /    .- Number of residual runs with same sign.\n"
        "\1                           |    /    .- Length of measurement set (time).\n"
        "\1                           |   |    /      .- Est. clock freq error (ppm).\n"
        "\1                           |   |   |      /           .- Est. error in freq.\n"
        "\1                           |   |   |     |           /         .- Est. offset.\n"
        "\1                           |   |   |     |          |          |   On the -.\n"
        "\1                           |   |   |     |          |          |   samples. \\\n"
        "\1                           |   |   |     |          |          |             |\n",
        extra);
}

std::string select_legend(int extra) {
    return widened(
        "  . State: N - noselect, s - unsynchronised, M - missing samples, r - stratum\n"
        " /         d/D - large distance, ~ - jittery, w/W - waits for others,\n"
        "|          S - stale, O - orphan, T - not trusted, P - not preferred,\n"
        "|          U - waits for update, x - falseticker, + - combined, * - best.\n"
        "|\1   Effective options   ---------.  (N - noselect, P - prefer\n"
        "|\1   Configured options  ----.     \\  T - trust, R - require)\n"
        "|\1   Auth. enabled (Y/N) -.   \\     \\     Offset interval --.\n"
        "|\1                        |    |     |                       |\n",
        extra);
}

std::string servos_legend(int extra) {
    return widened(
        "  .- * steers the clock, blank: runs in its shadow\n"
        " /\1                                 What it says of our clock:\n"
        "|\1                                 offset now, one sigma, frequency, one sigma\n"
        "|\1                                 Measurements it predicted (N) and by how\n"
        "|\1                                 much it missed them (RMS, slow ones count less)\n",
        extra);
}

std::string auth_legend(int extra) {
    return widened(
        "\1                             .- Auth. mechanism (NTS, SK - symmetric key)\n"
        "\1                            |   Key length -.  Cookie length (bytes) -.\n"
        "\1                            |       (bits)  |  Num. of cookies --.    |\n"
        "\1                            |               |  Key est. attempts  |   |\n"
        "\1                            |               |           |         |   |\n",
        extra);
}

char mode_char(command::SourceMode mode) {
    switch (mode) {
        case command::SourceMode::Client: return '^';
        case command::SourceMode::Peer: return '=';
        case command::SourceMode::ReferenceClock: return '#';
    }
    return ' ';
}

char state_char(command::SourceState state) {
    switch (state) {
        case command::SourceState::Selected: return '*';
        case command::SourceState::NonSelectable: return '?';
        case command::SourceState::Falseticker: return 'x';
        case command::SourceState::Jittery: return '~';
        case command::SourceState::Combined: return '+';
        case command::SourceState::Selectable: return '-';
    }
    return ' ';
}

const char* auth_mode_text(command::AuthMode mode) {
    switch (mode) {
        case command::AuthMode::None: return "-";
        case command::AuthMode::Symmetric: return "SK";
        case command::AuthMode::Nts: return "NTS";
    }
    return "?";
}

void add_options(Record& record, const char* key, const command::SelectOptions& options) {
    record.flag_letter(options.noselect ? 'N' : '-')
        .flag_letter(options.prefer ? 'P' : '-')
        .flag_letter(options.trust ? 'T' : '-')
        .flag_letter(options.require ? 'R' : '-')
        .flag_letter('-');
    nlohmann::ordered_json names = nlohmann::ordered_json::array();
    if (options.noselect) names.push_back("noselect");
    if (options.prefer) names.push_back("prefer");
    if (options.trust) names.push_back("trust");
    if (options.require) names.push_back("require");
    record.json_only(key, std::move(names));
}

}  // namespace

const TableHead kSourcesHead{
    "MS Name/IP address         Stratum Poll Reach LastRx Last sample               ",
    "MS Name/IP address                       Stratum Poll Reach LastRx Last sample               ",
    sources_legend};
const TableHead kSourceStatsHead{
    "Name/IP Address            NP  NR  Span  Frequency  Freq Skew  Offset  Std Dev",
    "Name/IP Address                          NP  NR  Span  Frequency  Freq Skew  Offset  Std Dev",
    source_stats_legend};
const TableHead kSelectHead{
    "S Name/IP Address        Auth COpts EOpts Last Score     Interval  Leap",
    "S Name/IP Address                      Auth COpts EOpts Last Score     Interval  Leap",
    select_legend};
const TableHead kServosHead{
    "S Name/IP Address          Servo       Offset  Std Dev  Frequency  Freq SD      N  Missed",
    "S Name/IP Address                        Servo       Offset  Std Dev  Frequency  Freq SD      "
    "N  Missed",
    servos_legend};
const TableHead kAuthHead{
    "Name/IP address             Mode KeyID Type KLen Last Atmp  NAK Cook CLen",
    "Name/IP address                           Mode KeyID Type KLen Last Atmp  NAK Cook CLen",
    auth_legend};

std::string clients_header(bool nts_ke, int extra) {
    return fmt::format("Hostname {} NTP   Drop Int IntL Last  {:>6}   Drop Int  Last",
                       blanks(20 + extra), nts_ke ? "NTS-KE" : "Cmd");
}

Record source_record(const command::SourceReport& r, std::string_view name, int extra) {
    Record record;
    record.character("mode", mode_char(r.mode))
        .character("state", state_char(r.state))
        .literal(" ")
        .string("name", name, -kBroadName - extra)
        .literal("  ")
        .whole("stratum", r.stratum, 2)
        .literal("  ")
        .integer("poll_log2_s", r.poll, 2)
        .literal("   ")
        .octal("reach", r.reach, 3)
        .literal("  ")
        .ago("last_rx_ago_s", r.last_sample_ago_s)
        .literal("  ")
        .signed_span("adjusted_offset_s", ahead(r.adjusted_offset_s))
        .literal("[")
        .signed_span("measured_offset_s", ahead(r.measured_offset_s))
        .literal("] +/- ")
        .span("error_s", r.error_s)
        .literal("\n");
    return record;
}

Record source_stats_record(const command::SourceStatsReport& r, std::string_view name, int extra) {
    Record record;
    record.string("name", name, -kNarrowName - extra)
        .literal(" ")
        .whole("samples", r.samples, 3)
        .literal(" ")
        .whole("runs", r.runs, 3)
        .literal("  ")
        .ago("span_s", r.span_s)
        .literal(" ")
        .signed_ppm("residual_frequency_ppm", r.residual_frequency_ppm)
        .literal(" ")
        .ppm("skew_ppm", r.skew_ppm)
        .literal("  ")
        .signed_span("offset_s", ahead(r.offset_s))
        .literal("  ")
        .span("standard_deviation_s", r.standard_deviation_s)
        .literal("\n");
    return record;
}

Record servo_record(const command::ServoReport& s, bool steers, std::string_view name, int extra) {
    Record record;
    record.character("steering", steers ? '*' : ' ')
        .literal(" ")
        .string("name", name, -kNarrowName - extra)
        .string("servo", s.name, -11)
        .signed_span("offset_s", ahead(s.offset_s))
        .literal("  ")
        .span("offset_sd_s", s.offset_sd_s)
        .literal(" ")
        .signed_ppm("frequency_ppm", s.frequency_ppm)
        .literal(" ")
        .ppm("frequency_sd_ppm", s.frequency_sd_ppm)
        .literal(" ")
        .whole("predictions", s.predictions, 6)
        .literal("  ")
        .span("prediction_error_s", s.prediction_error_s)
        .json_only("has_estimate", s.known)
        .literal("\n");
    return record;
}

Record select_record(const command::SelectReport& r, std::string_view name, int extra) {
    Record record;
    record.character("state", r.state)
        .literal(" ")
        .string("name", name, -kNarrowName - extra)
        .literal(" ")
        .flag_letter(r.authenticated ? 'Y' : 'N')
        .json_only("authenticated", r.authenticated)
        .literal(" ");
    add_options(record, "configured_options", r.configured);
    record.literal(" ");
    add_options(record, "effective_options", r.effective);
    record.literal(" ")
        .ago("last_sample_ago_s", r.last_sample_ago_s)
        .literal(" ")
        .real("score", r.score, {1, false, 5})
        .literal(" ")
        .signed_span("offset_low_s", ahead(r.offset_high_s))
        .literal(" ")
        .signed_span("offset_high_s", ahead(r.offset_low_s))
        .literal("  ")
        .leap_letter("leap", r.leap)
        .literal("\n");
    return record;
}

Record auth_record(const command::AuthReport& r, std::string_view name, int extra) {
    Record record;
    record.string("name", name, -kBroadName - extra)
        .literal(" ")
        .string("mode", auth_mode_text(r.mode), 4)
        .literal(" ")
        .whole("key_id", r.key_id, 5)
        .literal(" ")
        .whole("key_type", r.key_type, 4)
        .literal(" ")
        .whole("key_length_bits", r.key_length_bits, 4)
        .literal(" ")
        .ago("last_ke_ago_s", r.last_ke_ago_s)
        .literal(" ")
        .whole("ke_attempts", r.ke_attempts, 4)
        .literal(" ")
        .whole("nak", r.nak, 4)
        .literal(" ")
        .whole("cookies", r.cookies, 4)
        .literal(" ")
        .whole("cookie_length_bytes", r.cookie_length, 4)
        .literal("\n");
    return record;
}

Record client_record(const command::ClientAccess& c, std::string_view name, bool nts_ke,
                     int extra) {
    Record record;
    record.string("name", name, -kNarrowName - extra)
        .literal("  ")
        .whole("ntp_packets", c.ntp_hits, 6)
        .literal("  ")
        .whole("ntp_drops", c.ntp_drops, 5)
        .literal("  ")
        .interval("ntp_interval_log2_s", c.ntp_interval)
        .literal("  ")
        .interval("ntp_limited_interval_log2_s", c.ntp_limited_interval)
        .literal("  ")
        .ago("ntp_last_ago_s", c.last_ntp_hit_ago_s)
        .literal("  ")
        .whole(nts_ke ? "nts_ke_connections" : "command_packets", nts_ke ? c.nke_hits : c.cmd_hits,
               6)
        .literal("  ")
        .whole(nts_ke ? "nts_ke_drops" : "command_drops", nts_ke ? c.nke_drops : c.cmd_drops, 5)
        .literal("  ")
        .interval(nts_ke ? "nts_ke_interval_log2_s" : "command_interval_log2_s",
                  nts_ke ? c.nke_interval : c.cmd_interval)
        .literal("  ")
        .ago(nts_ke ? "nts_ke_last_ago_s" : "command_last_ago_s",
             nts_ke ? c.last_nke_hit_ago_s : c.last_cmd_hit_ago_s)
        .literal("\n");
    return record;
}

Record manual_record(const command::ManualSample& s, int index) {
    Record record;
    record.integer("index", index, 2)
        .literal(" ")
        .log_date("time_s", s.at)
        .literal(" ")
        .real("slewed_offset_s", ahead(s.slewed_offset_s), {2, false, 10})
        .literal(" ")
        .real("original_offset_s", ahead(s.original_offset_s), {2, false, 10})
        .literal(" ")
        .real("residual_s", ahead(s.residual_s), {2, false, 10})
        .literal("\n");
    return record;
}

}  // namespace gnomon::cli
