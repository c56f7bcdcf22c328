#include "mgmt/command/packer.h"
#include "mgmt/command/wire.h"

namespace gnomon::command {

namespace {

constexpr std::uint8_t kRequestPacket = 1;

// Flags of ADD_SOURCE; the options of MODIFY_SELECTOPTS reuse those of selection.
constexpr std::uint32_t kOnline = 0x1;
constexpr std::uint32_t kAutoOffline = 0x2;
constexpr std::uint32_t kIburst = 0x4;
constexpr std::uint32_t kPrefer = 0x8;
constexpr std::uint32_t kNoselect = 0x10;
constexpr std::uint32_t kTrust = 0x20;
constexpr std::uint32_t kRequire = 0x40;
constexpr std::uint32_t kInterleaved = 0x80;
constexpr std::uint32_t kBurst = 0x100;
constexpr std::uint32_t kNts = 0x200;
constexpr std::uint32_t kCopy = 0x400;
constexpr std::uint32_t kExpMonoRoot = 0x800;
constexpr std::uint32_t kNetCorrection = 0x1000;
constexpr std::uint32_t kIpv4 = 0x2000;
constexpr std::uint32_t kIpv6 = 0x4000;

struct SelectBits {
    std::uint32_t noselect, prefer, trust, require;
};
constexpr SelectBits kSourceFlagBits{kNoselect, kPrefer, kTrust, kRequire};
// The mask of MODIFY_SELECTOPTS travels in the encoding of SELECT_DATA, unlike its options.
constexpr SelectBits kReportBits{0x1, 0x2, 0x4, 0x8};

std::uint32_t to_bits(const SelectOptions& options, const SelectBits& bits) noexcept {
    return (options.noselect ? bits.noselect : 0) | (options.prefer ? bits.prefer : 0) |
           (options.trust ? bits.trust : 0) | (options.require ? bits.require : 0);
}

SelectOptions from_bits(std::uint32_t value, const SelectBits& bits) noexcept {
    return SelectOptions{(value & bits.noselect) != 0, (value & bits.prefer) != 0,
                         (value & bits.trust) != 0, (value & bits.require) != 0};
}

void select_options(Packer& p, const SelectOptions& options, const SelectBits& bits) noexcept {
    p.number(to_bits(options, bits));
}
void select_options(Unpacker& p, SelectOptions& options, const SelectBits& bits) noexcept {
    options = from_bits(p.take<std::uint32_t>(), bits);
}

struct SourceFlag {
    std::uint32_t bit;
    bool AddSourceRequest::*field;
};
constexpr SourceFlag kSourceFlags[] = {
    {kOnline, &AddSourceRequest::online},
    {kAutoOffline, &AddSourceRequest::auto_offline},
    {kIburst, &AddSourceRequest::iburst},
    {kInterleaved, &AddSourceRequest::interleaved},
    {kBurst, &AddSourceRequest::burst},
    {kNts, &AddSourceRequest::nts},
    {kCopy, &AddSourceRequest::copy},
    {kExpMonoRoot, &AddSourceRequest::ef_exp_mono_root},
    {kNetCorrection, &AddSourceRequest::ef_net_correction},
    {kIpv4, &AddSourceRequest::ipv4_only},
    {kIpv6, &AddSourceRequest::ipv6_only},
};

void source_flags(Packer& p, const AddSourceRequest& r) noexcept {
    std::uint32_t flags = to_bits(r.select, kSourceFlagBits);
    for (const SourceFlag& flag : kSourceFlags) {
        if (r.*flag.field) flags |= flag.bit;
    }
    p.number(flags);
}
void source_flags(Unpacker& p, AddSourceRequest& r) noexcept {
    const auto flags = p.take<std::uint32_t>();
    r.select = from_bits(flags, kSourceFlagBits);
    for (const SourceFlag& flag : kSourceFlags) r.*flag.field = (flags & flag.bit) != 0;
}

template <typename P>
void fields(P&, typename P::template Ref<NoArguments>) {}

template <typename P>
void fields(P& p, typename P::template Ref<SourceRange> r) {
    p.address(r.mask);
    p.address(r.address);
}

template <typename P>
void fields(P& p, typename P::template Ref<BurstRequest> r) {
    fields(p, r.range);
    p.number(r.good_samples);
    p.number(r.total_samples);
}

template <typename P>
void fields(P& p, typename P::template Ref<SourceInteger> r) {
    p.address(r.address);
    p.number(r.value);
}

template <typename P>
void fields(P& p, typename P::template Ref<SourceNumber> r) {
    p.address(r.address);
    p.real(r.value);
}

template <typename P>
void fields(P& p, typename P::template Ref<NumberArgument> r) {
    p.real(r.value);
}

template <typename P>
void fields(P& p, typename P::template Ref<IntegerArgument> r) {
    p.number(r.value);
}

template <typename P>
void fields(P& p, typename P::template Ref<AddressArgument> r) {
    p.address(r.address);
}

template <typename P>
void fields(P& p, typename P::template Ref<MakestepLimits> r) {
    p.number(r.limit);
    p.real(r.threshold_s);
}

template <typename P>
void fields(P& p, typename P::template Ref<TimeArgument> r) {
    p.time(r.time);
}

template <typename P>
void fields(P& p, typename P::template Ref<LocalRequest> r) {
    p.flag(r.enabled);
    p.number(r.stratum);
    p.real(r.distance_s);
    p.flag(r.orphan);
    p.real(r.activate_s);
    p.real(r.wait_synced_s);
    p.real(r.wait_unsynced_s);
}

template <typename P>
void fields(P& p, typename P::template Ref<AccessRule> r) {
    p.address(r.address);
    p.number(r.bits);
}

template <typename P>
void fields(P& p, typename P::template Ref<ClientRange> r) {
    p.number(r.first_index);
    p.number(r.count);
    p.number(r.min_hits);
    p.flag(r.reset);
}

template <typename P>
void fields(P& p, typename P::template Ref<DataplaneQuery> r) {
    p.code(r.part);
    p.number(r.port);
    p.number(r.worker);
    p.number(r.first);
}

template <typename P>
void fields(P& p, typename P::template Ref<SelectOptionsRequest> r) {
    p.address(r.address);
    p.ref_id(r.ref_id);
    select_options(p, r.mask, kReportBits);
    select_options(p, r.options, kSourceFlagBits);
}

template <typename P>
void fields(P& p, typename P::template Ref<SourceOffsetRequest> r) {
    p.address(r.address);
    p.ref_id(r.ref_id);
    p.real(r.offset_s);
}

template <typename P>
void fields(P& p, typename P::template Ref<AddSourceRequest> r) {
    p.code(r.kind);
    p.name(r.name);
    p.number(r.port);
    p.number(r.minpoll);
    p.number(r.maxpoll);
    p.number(r.presend_minpoll);
    p.number(r.min_stratum);
    p.number(r.poll_target);
    p.number(r.version);
    p.number(r.max_sources);
    p.number(r.min_samples);
    p.number(r.max_samples);
    p.number(r.key_id);
    p.number(r.nts_port);
    p.real(r.max_delay_s);
    p.real(r.max_delay_ratio);
    p.real(r.max_delay_dev_ratio);
    p.real(r.min_delay_s);
    p.real(r.asymmetry);
    p.real(r.offset_s);
    source_flags(p, r);
    p.number(r.filter_length);
    p.number(r.cert_set);
    p.real(r.max_delay_quantile);
    p.number(r.max_unreach);
}

template <typename P>
void fields(P& p, typename P::template Ref<CaptureRequest> r) {
    p.name(r.file);
    p.name(r.port, kPortNameSize);
    p.number(r.limit_mb);
    p.number(r.limit_s);
    p.number(r.limit_packets);
}

/// An empty body of the shape that a command takes.
RequestBody shape_of(Command command) {
    switch (command) {
        case Command::Online:
        case Command::Offline: return SourceRange{};
        case Command::Burst: return BurstRequest{};
        case Command::ModifyMinpoll:
        case Command::ModifyMaxpoll:
        case Command::ModifyMinstratum:
        case Command::ModifyPolltarget: return SourceInteger{};
        case Command::ModifyMaxdelay:
        case Command::ModifyMaxdelayratio:
        case Command::ModifyMaxdelaydevratio: return SourceNumber{};
        case Command::ModifyMaxupdateskew:
        case Command::Dfreq:
        case Command::Doffset:
        case Command::ReselectDistance: return NumberArgument{};
        case Command::Manual:
        case Command::ManualDelete:
        case Command::SourceData:
        case Command::SourceStats:
        case Command::SelectData:
        case Command::ServoData:
        case Command::ClientTop:
        case Command::Smoothtime: return IntegerArgument{};
        case Command::Accheck:
        case Command::CmdAccheck:
        case Command::DeleteSource:
        case Command::NtpData:
        case Command::NtpSourceName:
        case Command::AuthData: return AddressArgument{};
        case Command::ModifyMakestep: return MakestepLimits{};
        case Command::Settime: return TimeArgument{};
        case Command::Local: return LocalRequest{};
        case Command::Allow:
        case Command::AllowAll:
        case Command::Deny:
        case Command::DenyAll:
        case Command::CmdAllow:
        case Command::CmdAllowAll:
        case Command::CmdDeny:
        case Command::CmdDenyAll: return AccessRule{};
        case Command::ClientAccesses: return ClientRange{};
        case Command::DataplaneData: return DataplaneQuery{};
        case Command::ModifySelectopts: return SelectOptionsRequest{};
        case Command::ModifyOffset: return SourceOffsetRequest{};
        case Command::AddSource: return AddSourceRequest{};
        case Command::CaptureStart: return CaptureRequest{};
        default: return NoArguments{};
    }
}

}  // namespace

Result<RequestHeader, ParseError> decode_request_header(
    std::span<const std::uint8_t> packet) noexcept {
    // A reply is never shorter than its header, so a shorter request cannot be answered at all.
    if (packet.size() < kReplyHeaderSize) return Unexpected(ParseError::TooShort);
    if (packet.size() > kMaxRequestSize) return Unexpected(ParseError::TooLong);
    Unpacker p(packet);
    RequestHeader header;
    p.number(header.version);
    const auto type = p.take<std::uint8_t>();
    const auto reserved = p.take<std::uint16_t>();
    if (type != kRequestPacket || reserved != 0) return Unexpected(ParseError::NotThisType);
    p.number(header.command);
    p.number(header.attempt);
    p.number(header.sequence);
    return header;
}

Result<RequestBody, ParseError> decode_request_body(const CommandInfo& info,
                                                    std::span<const std::uint8_t> packet) {
    if (packet.size() < info.request_size) return Unexpected(ParseError::TooShort);
    RequestBody body = shape_of(info.command);
    Unpacker p(packet.subspan(kRequestHeaderSize));
    std::visit([&p](auto& arguments) { fields(p, arguments); }, body);
    if (!p.ok()) return Unexpected(ParseError::TooShort);
    if (p.unterminated_name()) return Unexpected(ParseError::InvalidName);
    return body;
}

std::size_t encode_request(const RequestHeader& header, const RequestBody& body,
                           std::span<std::uint8_t> out) {
    const CommandInfo* info = find_command(header.command);
    if (info == nullptr) return 0;
    if (body.index() != shape_of(info->command).index()) return 0;
    Packer p(out);
    p.number(header.version);
    p.number(kRequestPacket);
    p.number(std::uint16_t{0});
    p.number(header.command);
    p.number(header.attempt);
    p.number(header.sequence);
    p.fill(8);
    std::visit([&p](const auto& arguments) { fields(p, arguments); }, body);
    // DUMP has a body of zeros.
    if (p.size() < info->request_size) p.fill(info->request_size - p.size());
    if (header.version >= kProtocolVersion) p.fill(padding_size(*info));
    return p.ok() ? p.size() : 0;
}

}  // namespace gnomon::command
