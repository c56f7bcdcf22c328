#include <algorithm>

#include "mgmt/command/packer.h"
#include "mgmt/command/wire.h"
#include "mgmt/command/wire_dataplane.h"

namespace gnomon::command {

namespace {

constexpr std::uint8_t kReplyPacket = 2;

constexpr std::uint16_t kNoselectBit = 0x1;
constexpr std::uint16_t kPreferBit = 0x2;
constexpr std::uint16_t kTrustBit = 0x4;
constexpr std::uint16_t kRequireBit = 0x8;

constexpr std::uint16_t kNtpTestsMask = 0x3ff;
constexpr std::uint16_t kNtpInterleaved = 0x4000;
constexpr std::uint16_t kNtpAuthenticated = 0x8000;

constexpr std::uint32_t kSmoothingActive = 0x1;
constexpr std::uint32_t kSmoothingLeapOnly = 0x2;

constexpr std::uint32_t kStateInSpec = 0x1;
constexpr std::uint32_t kStateBoundKnown = 0x2;

void select_options(Packer& p, const SelectOptions& o) noexcept {
    p.number(static_cast<std::uint16_t>((o.noselect ? kNoselectBit : 0) |
                                        (o.prefer ? kPreferBit : 0) | (o.trust ? kTrustBit : 0) |
                                        (o.require ? kRequireBit : 0)));
}
void select_options(Unpacker& p, SelectOptions& o) noexcept {
    const auto bits = p.take<std::uint16_t>();
    o = SelectOptions{(bits & kNoselectBit) != 0, (bits & kPreferBit) != 0, (bits & kTrustBit) != 0,
                      (bits & kRequireBit) != 0};
}

void ntp_flags(Packer& p, const NtpReport& r) noexcept {
    p.number(static_cast<std::uint16_t>((r.tests & kNtpTestsMask) |
                                        (r.interleaved ? kNtpInterleaved : 0) |
                                        (r.authenticated ? kNtpAuthenticated : 0)));
}
void ntp_flags(Unpacker& p, NtpReport& r) noexcept {
    const auto bits = p.take<std::uint16_t>();
    r.tests = bits & kNtpTestsMask;
    r.interleaved = (bits & kNtpInterleaved) != 0;
    r.authenticated = (bits & kNtpAuthenticated) != 0;
}

void smoothing_flags(Packer& p, const SmoothingReport& r) noexcept {
    p.number((r.active ? kSmoothingActive : 0) | (r.leap_only ? kSmoothingLeapOnly : 0));
}
void smoothing_flags(Unpacker& p, SmoothingReport& r) noexcept {
    const auto bits = p.take<std::uint32_t>();
    r.active = (bits & kSmoothingActive) != 0;
    r.leap_only = (bits & kSmoothingLeapOnly) != 0;
}

/// `authentication` is a byte of its own, not a word.
void flag8(Packer& p, bool value) noexcept { p.number(std::uint8_t{value}); }
void flag8(Unpacker& p, bool& value) noexcept { value = p.take<std::uint8_t>() != 0; }

template <typename P>
void fields(P&, typename P::template Ref<NoArguments>) {}

template <typename P>
void fields(P& p, typename P::template Ref<SourceCountReport> r) {
    p.number(r.count);
}

template <typename P>
void fields(P& p, typename P::template Ref<SourceReport> r) {
    p.address(r.address);
    p.number(r.poll);
    p.number(r.stratum);
    p.code(r.state);
    p.code(r.mode);
    p.fill(2);
    p.number(r.reach);
    p.number(r.last_sample_ago_s);
    p.negated(r.measured_offset_s);
    p.negated(r.adjusted_offset_s);
    p.real(r.error_s);
}

template <typename P>
void fields(P& p, typename P::template Ref<TrackingReport> r) {
    p.ref_id(r.ref_id);
    p.address(r.address);
    p.number(r.stratum);
    p.leap16(r.leap);
    p.time(r.reference_time);
    p.real(r.system_offset_s);
    p.negated(r.last_offset_s);
    p.real(r.rms_offset_s);
    p.real(r.frequency_ppm);
    p.real(r.residual_frequency_ppm);
    p.real(r.skew_ppm);
    p.real(r.root_delay_s);
    p.real(r.root_dispersion_s);
    p.real(r.update_interval_s);
}

template <typename P>
void fields(P& p, typename P::template Ref<SourceStatsReport> r) {
    p.ref_id(r.ref_id);
    p.address(r.address);
    p.number(r.samples);
    p.number(r.runs);
    p.number(r.span_s);
    p.real(r.standard_deviation_s);
    p.real(r.residual_frequency_ppm);
    p.real(r.skew_ppm);
    p.negated(r.offset_s);
    p.real(r.offset_error_s);
}

template <typename P>
void fields(P& p, typename P::template Ref<ServoReport> r) {
    p.name(r.name, kServoNameSize);
    p.flag(r.known);
    p.real(r.offset_s);
    p.real(r.offset_sd_s);
    p.real(r.frequency_ppm);
    p.real(r.frequency_sd_ppm);
    p.number(r.predictions);
    p.real(r.prediction_error_s);
}

template <typename P>
void fields(P& p, typename P::template Ref<RtcReport> r) {
    p.time(r.reference_time);
    p.number(r.samples);
    p.number(r.runs);
    p.number(r.span_s);
    p.real(r.rtc_fast_s);
    p.real(r.rtc_gain_rate_ppm);
}

template <typename P>
void fields(P& p, typename P::template Ref<ActivityReport> r) {
    p.number(r.online);
    p.number(r.offline);
    p.number(r.burst_online);
    p.number(r.burst_offline);
    p.number(r.unresolved);
}

template <typename P>
void fields(P& p, typename P::template Ref<SmoothingReport> r) {
    smoothing_flags(p, r);
    p.real(r.offset_s);
    p.real(r.frequency_ppm);
    p.real(r.wander_ppm_per_s);
    p.real(r.last_update_ago_s);
    p.real(r.remaining_s);
}

template <typename P>
void fields(P& p, typename P::template Ref<SettimeReport> r) {
    p.negated(r.offset_s);
    p.real(r.frequency_change_ppm);
    p.real(r.frequency_ppm);
}

template <typename P>
void fields(P& p, typename P::template Ref<ManualSample> r) {
    p.time(r.at);
    p.negated(r.slewed_offset_s);
    p.negated(r.original_offset_s);
    p.negated(r.residual_s);
}

template <typename P>
void fields(P& p, typename P::template Ref<ClientAccess> r) {
    p.address(r.address);
    p.number(r.ntp_hits);
    p.number(r.nke_hits);
    p.number(r.cmd_hits);
    p.number(r.ntp_drops);
    p.number(r.nke_drops);
    p.number(r.cmd_drops);
    p.number(r.ntp_interval);
    p.number(r.nke_interval);
    p.number(r.cmd_interval);
    p.number(r.ntp_limited_interval);
    p.number(r.last_ntp_hit_ago_s);
    p.number(r.last_nke_hit_ago_s);
    p.number(r.last_cmd_hit_ago_s);
}

constexpr std::uint8_t kClientMac = 0x1;
constexpr std::uint8_t kClientNts = 0x2;
constexpr std::uint8_t kClientInterleaved = 0x4;

void client_flags(Packer& p, const TopClient& c) noexcept {
    p.number(static_cast<std::uint8_t>((c.has_mac ? kClientMac : 0) | (c.has_nts ? kClientNts : 0) |
                                       (c.interleaved ? kClientInterleaved : 0)));
}
void client_flags(Unpacker& p, TopClient& c) noexcept {
    const auto bits = p.take<std::uint8_t>();
    c.has_mac = (bits & kClientMac) != 0;
    c.has_nts = (bits & kClientNts) != 0;
    c.interleaved = (bits & kClientInterleaved) != 0;
}

template <typename P>
void fields(P& p, typename P::template Ref<TopClient> r) {
    p.address(r.address);
    p.real(r.rate);
    p.real(r.error);
    p.real(r.noise_sd);
    p.real(r.kissed);
    p.real(r.limited);
    p.real(r.dropped);
    p.real(r.abuse);
    p.number(r.version);
    p.number(r.mode);
    p.number(r.poll);
    client_flags(p, r);
    p.number(r.port);
    p.fill(2);
}

template <typename P>
void fields(P& p, typename P::template Ref<DataplaneDrop> r) {
    p.name(r.reason, kDropNameSize);
    p.number(r.count);
}

/// A counted array in a field of constant size. A count beyond the array is cut on both sides.
template <typename Item>
void counted(Packer& p, const std::vector<Item>& items, std::size_t capacity, std::size_t size) {
    const std::size_t count = std::min(items.size(), capacity);
    p.number(static_cast<std::uint32_t>(count));
    for (std::size_t i = 0; i < count; ++i) fields(p, items[i]);
    p.fill((capacity - count) * size);
}
template <typename Item>
void counted(Unpacker& p, std::vector<Item>& items, std::size_t capacity, std::size_t) {
    items.resize(std::min<std::size_t>(p.take<std::uint32_t>(), capacity));
    for (Item& item : items) fields(p, item);
}

template <typename P>
void fields(P& p, typename P::template Ref<ManualReport> r) {
    counted(p, r.samples, kMaxManualSamples, 24);
}

template <typename P>
void fields(P& p, typename P::template Ref<ServosReport> r) {
    p.ref_id(r.ref_id);
    p.address(r.address);
    counted(p, r.servos, kMaxServos, 44);
}

void state_flags(Packer& p, const StateReport& r) noexcept {
    p.number((r.in_spec ? kStateInSpec : 0) | (r.bound_known ? kStateBoundKnown : 0));
}
void state_flags(Unpacker& p, StateReport& r) noexcept {
    const auto bits = p.take<std::uint32_t>();
    r.in_spec = (bits & kStateInSpec) != 0;
    r.bound_known = (bits & kStateBoundKnown) != 0;
}

template <typename P>
void fields(P& p, typename P::template Ref<StateReport> r) {
    p.code(r.kind);
    p.code(r.reason);
    p.fill(2);
    state_flags(p, r);
    p.time(r.since);
    p.number(r.since_ago_s);
    p.real(r.bound_s);
    p.real(r.bound_growth_ppm);
    p.real(r.limit_s);
    p.real(r.breach_in_s);
}

template <typename P>
void fields(P& p, typename P::template Ref<DataplaneReport> r) {
    p.code(r.part);
    p.number(r.ports);
    p.number(r.workers);
    p.number(r.drops);
    switch (r.part) {
        case DataplanePart::Port:
            fields(p, r.port);
            p.fill(kPartSize - kPortSize);
            return;
        case DataplanePart::Worker:
            fields(p, r.worker);
            p.fill(kPartSize - kWorkerSize);
            return;
        case DataplanePart::Drops:
            counted(p, r.dropped, kMaxDropsPerReply, kDropSize);
            p.fill(kPartSize - kDropsSize);
            return;
    }
    p.fill(kPartSize);
}

template <typename P>
void fields(P& p, typename P::template Ref<SourceNameReport> r) {
    p.name(r.name);
}

template <typename P>
void fields(P& p, typename P::template Ref<AuthReport> r) {
    p.code(r.mode);
    p.number(r.key_type);
    p.number(r.key_id);
    p.number(r.key_length_bits);
    p.number(r.ke_attempts);
    p.number(r.last_ke_ago_s);
    p.number(r.cookies);
    p.number(r.cookie_length);
    p.number(r.nak);
    p.fill(2);
}

template <typename P>
void fields(P& p, typename P::template Ref<ClientAccessReport> r) {
    p.number(r.indices);
    p.number(r.next_index);
    counted(p, r.clients, kMaxClientsPerReply, 60);
}

template <typename P>
void fields(P& p, typename P::template Ref<SelectReport> r) {
    p.ref_id(r.ref_id);
    p.address(r.address);
    p.character(r.state);
    flag8(p, r.authenticated);
    p.leap8(r.leap);
    p.fill(1);
    select_options(p, r.configured);
    select_options(p, r.effective);
    p.number(r.last_sample_ago_s);
    p.real(r.score);
    p.negated(r.offset_high_s);
    p.negated(r.offset_low_s);
}

template <typename P>
void fields(P& p, typename P::template Ref<ServerStatsReport> r) {
    p.number(r.ntp_hits);
    p.number(r.nke_hits);
    p.number(r.cmd_hits);
    p.number(r.ntp_drops);
    p.number(r.nke_drops);
    p.number(r.cmd_drops);
    p.number(r.log_drops);
    p.number(r.ntp_auth_hits);
    p.number(r.ntp_interleaved_hits);
    p.number(r.ntp_timestamps);
    p.number(r.ntp_span_s);
    p.number(r.ntp_daemon_rx_timestamps);
    p.number(r.ntp_daemon_tx_timestamps);
    p.number(r.ntp_kernel_rx_timestamps);
    p.number(r.ntp_kernel_tx_timestamps);
    p.number(r.ntp_hardware_rx_timestamps);
    p.number(r.ntp_hardware_tx_timestamps);
    p.fill(32, 0xff);
}

/// A counter of 32 bits that stops at its end.
void counter32(Packer& p, std::uint64_t value) noexcept {
    p.number(static_cast<std::uint32_t>(std::min<std::uint64_t>(value, 0xffff'ffffU)));
}
void counter32(Unpacker& p, std::uint64_t& value) noexcept { value = p.take<std::uint32_t>(); }

template <typename P>
void fields(P& p, typename P::template Ref<LegacyServerStats> legacy) {
    auto& r = legacy.report;
    counter32(p, r.ntp_hits);
    counter32(p, r.nke_hits);
    counter32(p, r.cmd_hits);
    counter32(p, r.ntp_drops);
    counter32(p, r.nke_drops);
    counter32(p, r.cmd_drops);
    counter32(p, r.log_drops);
    counter32(p, r.ntp_auth_hits);
    counter32(p, r.ntp_interleaved_hits);
    counter32(p, r.ntp_timestamps);
    counter32(p, r.ntp_span_s);
}

/// What old and new layout of ntpdata begin with.
template <typename P>
void common_ntp_fields(P& p, typename P::template Ref<NtpReport> r) {
    p.address(r.remote_address);
    p.address(r.local_address);
    p.number(r.remote_port);
    p.leap8(r.leap);
    p.number(r.version);
    p.number(r.mode);
    p.number(r.stratum);
    p.number(r.poll);
    p.number(r.precision);
    p.real(r.root_delay_s);
    p.real(r.root_dispersion_s);
    p.ref_id(r.ref_id);
    p.time(r.reference_time);
    p.real(r.offset_s);
    p.real(r.peer_delay_s);
    p.real(r.peer_dispersion_s);
    p.real(r.response_time_s);
    p.real(r.jitter_asymmetry);
    ntp_flags(p, r);
    p.character(r.tx_timestamp_source);
    p.character(r.rx_timestamp_source);
    p.number(r.total_tx);
    p.number(r.total_rx);
    p.number(r.total_valid_rx);
    p.number(r.total_good_rx);
}

template <typename P>
void fields(P& p, typename P::template Ref<LegacyNtpData> legacy) {
    common_ntp_fields(p, legacy.report);
    p.fill(12, 0xff);
}

template <typename P>
void fields(P& p, typename P::template Ref<NtpReport> r) {
    common_ntp_fields(p, r);
    p.number(r.total_kernel_tx_timestamps);
    p.number(r.total_kernel_rx_timestamps);
    p.number(r.total_hardware_tx_timestamps);
    p.number(r.total_hardware_rx_timestamps);
    p.fill(16, 0xff);
}

template <typename P>
void fields(P& p, typename P::template Ref<CaptureReport> r) {
    p.code(r.state);
    p.number(r.refused);
    p.number(r.error);
    p.number(r.taps);
    p.number(r.packets);
    p.number(r.bytes);
    p.number(r.lost);
    p.real(r.elapsed_s);
    p.number(r.limit_mb);
    p.number(r.limit_s);
    p.number(r.limit_packets);
    p.name(r.path);
    p.name(r.port, kPortNameSize);
}

template <typename P>
void fields(P& p, typename P::template Ref<TopReport> r) {
    p.number(r.known);
    p.real(r.window_s);
    p.real(r.total_rate);
    p.real(r.others_rate);
    p.number(r.sampling);
    p.fill(4);
    counted(p, r.clients, kMaxHeavyClientsPerReply, 56);
}

template <typename P, typename Values>
void reals(P& p, Values& values) {
    for (auto& value : values) p.real(value);
}

template <typename P>
void fields(P& p, typename P::template Ref<AnalyticsReport> r) {
    p.real(r.window_s);
    p.number(r.sampling);
    p.number(r.observed);
    p.number(r.skipped);
    p.real(r.total);
    reals(p, r.version);
    reals(p, r.mode);
    reals(p, r.poll);
    reals(p, r.size);
    reals(p, r.outcome);
    p.real(r.ipv6);
    p.real(r.ntp_port);
    p.real(r.mac);
    p.real(r.nts);
    p.real(r.interleaved);
    reals(p, r.measured);
}

Result<ReplyBody, ParseError> empty_body(std::uint16_t type) {
    switch (static_cast<ReplyType>(type)) {
        case ReplyType::Null: return ReplyBody(NoArguments{});
        case ReplyType::SourceCount: return ReplyBody(SourceCountReport{});
        case ReplyType::SourceData: return ReplyBody(SourceReport{});
        case ReplyType::Tracking: return ReplyBody(TrackingReport{});
        case ReplyType::SourceStats: return ReplyBody(SourceStatsReport{});
        case ReplyType::Rtc: return ReplyBody(RtcReport{});
        case ReplyType::Activity: return ReplyBody(ActivityReport{});
        case ReplyType::Smoothing: return ReplyBody(SmoothingReport{});
        case ReplyType::ManualTimestamp: return ReplyBody(SettimeReport{});
        case ReplyType::ManualList: return ReplyBody(ManualReport{});
        case ReplyType::NtpSourceName: return ReplyBody(SourceNameReport{});
        case ReplyType::AuthData: return ReplyBody(AuthReport{});
        case ReplyType::ClientAccesses: return ReplyBody(ClientAccessReport{});
        case ReplyType::SelectData: return ReplyBody(SelectReport{});
        case ReplyType::LegacyServerStats: return ReplyBody(LegacyServerStats{});
        case ReplyType::LegacyNtpData: return ReplyBody(LegacyNtpData{});
        case ReplyType::ServerStats: return ReplyBody(ServerStatsReport{});
        case ReplyType::NtpData: return ReplyBody(NtpReport{});
        case ReplyType::ServoData: return ReplyBody(ServosReport{});
        case ReplyType::CaptureStatus: return ReplyBody(CaptureReport{});
        case ReplyType::State: return ReplyBody(StateReport{});
        case ReplyType::ClientTop: return ReplyBody(TopReport{});
        case ReplyType::Analytics: return ReplyBody(AnalyticsReport{});
        case ReplyType::DataplaneData: return ReplyBody(DataplaneReport{});
    }
    return Unexpected(ParseError::UnknownCommand);
}

// In the order of the alternatives of ReplyBody.
constexpr ReplyType kBodyTypes[] = {
    ReplyType::Null,           ReplyType::SourceCount,       ReplyType::SourceData,
    ReplyType::Tracking,       ReplyType::SourceStats,       ReplyType::Rtc,
    ReplyType::Activity,       ReplyType::Smoothing,         ReplyType::ManualTimestamp,
    ReplyType::ManualList,     ReplyType::NtpSourceName,     ReplyType::AuthData,
    ReplyType::ClientAccesses, ReplyType::SelectData,        ReplyType::ServerStats,
    ReplyType::NtpData,        ReplyType::LegacyServerStats, ReplyType::LegacyNtpData,
    ReplyType::ServoData,      ReplyType::CaptureStatus,     ReplyType::State,
    ReplyType::ClientTop,      ReplyType::Analytics,         ReplyType::DataplaneData,
};
static_assert(std::size(kBodyTypes) == std::variant_size_v<ReplyBody>);

}  // namespace

ReplyType reply_type(const ReplyBody& body) noexcept { return kBodyTypes[body.index()]; }

Result<ReplyHeader, ParseError> decode_reply_header(std::span<const std::uint8_t> packet) noexcept {
    if (packet.size() < kReplyHeaderSize) return Unexpected(ParseError::TooShort);
    Unpacker p(packet);
    ReplyHeader header;
    p.number(header.version);
    const auto type = p.take<std::uint8_t>();
    const auto reserved = p.take<std::uint16_t>();
    if (type != kReplyPacket || reserved != 0) return Unexpected(ParseError::NotThisType);
    p.number(header.command);
    p.number(header.type);
    p.code(header.status);
    p.fill(6);
    p.number(header.sequence);
    return header;
}

Result<ReplyBody, ParseError> decode_reply_body(const ReplyHeader& header,
                                                std::span<const std::uint8_t> packet) {
    auto body = empty_body(header.type);
    if (!body) return body;
    if (packet.size() < reply_size(header.type)) return Unexpected(ParseError::TooShort);
    Unpacker p(packet.subspan(kReplyHeaderSize));
    std::visit([&p](auto& report) { fields(p, report); }, *body);
    if (p.unterminated_name()) return Unexpected(ParseError::InvalidName);
    return body;
}

std::size_t encode_reply(const ReplyHeader& header, const ReplyBody& body,
                         std::span<std::uint8_t> out) {
    Packer p(out);
    p.number(header.version);
    p.number(kReplyPacket);
    p.number(std::uint16_t{0});
    p.number(header.command);
    p.code(reply_type(body));
    p.code(header.status);
    p.fill(6);
    p.number(header.sequence);
    p.fill(8);
    std::visit([&p](const auto& report) { fields(p, report); }, body);
    return p.ok() ? p.size() : 0;
}

}  // namespace gnomon::command
