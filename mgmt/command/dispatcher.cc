#include "mgmt/command/dispatcher.h"

#include <algorithm>
#include <utility>

#include "mgmt/command/wire.h"

namespace gnomon::command {

namespace {

struct Answer {
    Status status = Status::Success;
    ReplyBody body;
};

struct Call {
    Command command;
    const RequestBody& body;
    UtcTime now;
    const CommandHandlers& handlers;

    /// The codec chose the alternative by the command, so a mismatch is a mistake of our tables.
    template <typename T>
    const T& as() const {
        const T* arguments = std::get_if<T>(&body);
        GNOMON_ASSERT(arguments != nullptr);
        return *arguments;
    }
    std::uint32_t index() const { return static_cast<std::uint32_t>(as<IntegerArgument>().value); }
    const IpAddress& address() const { return as<AddressArgument>().address; }
};

Answer answer(Status status) { return Answer{status, NoArguments{}}; }

template <typename Report>
Answer answer(ReportResult<Report> result) {
    if (!result) return answer(result.error());
    return Answer{Status::Success, std::move(result).value()};
}

Answer answer_name(ReportResult<std::string> result) {
    if (!result) return answer(result.error());
    return Answer{Status::Success, SourceNameReport{std::move(result).value()}};
}

Answer answer_clients(const Call& call) {
    ClientRange range = call.as<ClientRange>();
    range.count = std::min<std::uint32_t>(range.count, kMaxClientsPerReply);
    return answer(call.handlers.monitoring.clients(range, call.now));
}

Answer answer_access(bool allowed) {
    return answer(allowed ? Status::AccessAllowed : Status::AccessDenied);
}

Answer monitoring(const Call& call) {
    MonitoringReports& m = call.handlers.monitoring;
    switch (call.command) {
        case Command::Tracking: return answer(m.tracking(call.now));
        case Command::SourceCount:
            return Answer{Status::Success, SourceCountReport{m.source_count()}};
        case Command::SourceData: return answer(m.source(call.index(), call.now));
        case Command::SourceStats: return answer(m.source_stats(call.index(), call.now));
        case Command::SelectData: return answer(m.select(call.index(), call.now));
        case Command::State: return answer(m.state());
        case Command::ServoData: return answer(m.servos(call.index(), call.now));
        case Command::NtpData: return answer(m.ntp(call.address()));
        case Command::AuthData: return answer(m.auth(call.address(), call.now));
        case Command::NtpSourceName: return answer_name(m.source_name(call.address()));
        case Command::Activity: return answer(m.activity());
        case Command::ServerStats: return answer(m.server_stats());
        case Command::RtcReport: return answer(m.rtc());
        case Command::Smoothing: return answer(m.smoothing(call.now));
        case Command::ManualList: return answer(m.manual_samples());
        case Command::ClientAccesses: return answer_clients(call);
        case Command::ClientTop: return answer(m.top_clients(call.index()));
        case Command::Analytics: return answer(m.analytics());
        case Command::DataplaneData: return answer(m.dataplane(call.as<DataplaneQuery>()));
        default: return answer(Status::Invalid);
    }
}

Status modify_source(const Call& call) {
    SourceCommands& s = call.handlers.sources;
    switch (call.command) {
        case Command::ModifyMaxdelay:
        case Command::ModifyMaxdelayratio:
        case Command::ModifyMaxdelaydevratio: {
            const auto& [address, value] = call.as<SourceNumber>();
            if (call.command == Command::ModifyMaxdelay) return s.modify_maxdelay(address, value);
            if (call.command == Command::ModifyMaxdelayratio) {
                return s.modify_maxdelayratio(address, value);
            }
            return s.modify_maxdelaydevratio(address, value);
        }
        case Command::ModifyMinpoll:
        case Command::ModifyMaxpoll:
        case Command::ModifyMinstratum:
        case Command::ModifyPolltarget: {
            const auto& [address, value] = call.as<SourceInteger>();
            if (call.command == Command::ModifyMinpoll) return s.modify_minpoll(address, value);
            if (call.command == Command::ModifyMaxpoll) return s.modify_maxpoll(address, value);
            if (call.command == Command::ModifyMinstratum) {
                return s.modify_minstratum(address, value);
            }
            return s.modify_polltarget(address, value);
        }
        default: return Status::Invalid;
    }
}

Status add_source(const Call& call) {
    const auto& request = call.as<AddSourceRequest>();
    const auto kind = static_cast<std::uint32_t>(request.kind);
    if (kind < 1 || kind > 3) return Status::Invalid;
    return call.handlers.sources.add_source(request);
}

Answer sources(const Call& call) {
    SourceCommands& s = call.handlers.sources;
    switch (call.command) {
        case Command::AddSource: return answer(add_source(call));
        case Command::DeleteSource: return answer(s.delete_source(call.address()));
        case Command::Online: return answer(s.set_online(call.as<SourceRange>()));
        case Command::Offline: return answer(s.set_offline(call.as<SourceRange>()));
        case Command::Onoffline: return answer(s.set_online_by_route());
        case Command::Burst: return answer(s.burst(call.as<BurstRequest>()));
        case Command::ModifySelectopts:
            return answer(s.modify_select_options(call.as<SelectOptionsRequest>()));
        case Command::ModifyOffset: return answer(s.modify_offset(call.as<SourceOffsetRequest>()));
        case Command::Reselect: return answer(s.reselect());
        case Command::ReselectDistance:
            return answer(s.set_reselect_distance(call.as<NumberArgument>().value));
        case Command::ResetSources: return answer(s.reset_sources(call.now));
        case Command::Refresh: return answer(s.refresh_addresses());
        case Command::ReloadSources: return answer(s.reload_sources());
        default: return answer(modify_source(call));
    }
}

Status manual_option(const Call& call) {
    ClockCommands& c = call.handlers.clock;
    switch (call.as<IntegerArgument>().value) {
        case 0: return c.manual_disable();
        case 1: return c.manual_enable();
        case 2: return c.manual_reset();
        default: return Status::Invalid;
    }
}

Status smoothtime_option(const Call& call) {
    ClockCommands& c = call.handlers.clock;
    switch (call.as<IntegerArgument>().value) {
        case 0: return c.smoothing_reset(call.now);
        case 1: return c.smoothing_activate(call.now);
        default: return Status::Invalid;
    }
}

Answer clock(const Call& call) {
    ClockCommands& c = call.handlers.clock;
    switch (call.command) {
        case Command::Makestep: return answer(c.make_step());
        case Command::ModifyMakestep: return answer(c.modify_makestep(call.as<MakestepLimits>()));
        case Command::ModifyMaxupdateskew:
            return answer(c.modify_maxupdateskew(call.as<NumberArgument>().value));
        case Command::Doffset: return answer(c.adjust_offset(-call.as<NumberArgument>().value));
        case Command::Dfreq: return answer(c.adjust_frequency(call.as<NumberArgument>().value));
        case Command::Local: return answer(c.set_local(call.as<LocalRequest>()));
        case Command::Smoothtime: return answer(smoothtime_option(call));
        case Command::Manual: return answer(manual_option(call));
        case Command::ManualDelete:
            return answer(c.manual_delete(call.as<IntegerArgument>().value));
        case Command::Settime: return answer(c.set_time(call.as<TimeArgument>().time, call.now));
        case Command::TrimRtc: return answer(c.trim_rtc());
        case Command::WriteRtc: return answer(c.write_rtc());
        default: return answer(Status::Invalid);
    }
}

Answer access(const Call& call) {
    using Port = AccessCommands::Port;
    AccessCommands& a = call.handlers.access;
    switch (call.command) {
        case Command::Accheck: return answer_access(a.is_allowed(Port::Ntp, call.address()));
        case Command::CmdAccheck: return answer_access(a.is_allowed(Port::Command, call.address()));
        case Command::Allow: return answer(a.allow(Port::Ntp, call.as<AccessRule>(), false));
        case Command::AllowAll: return answer(a.allow(Port::Ntp, call.as<AccessRule>(), true));
        case Command::Deny: return answer(a.deny(Port::Ntp, call.as<AccessRule>(), false));
        case Command::DenyAll: return answer(a.deny(Port::Ntp, call.as<AccessRule>(), true));
        case Command::CmdAllow: return answer(a.allow(Port::Command, call.as<AccessRule>(), false));
        case Command::CmdAllowAll:
            return answer(a.allow(Port::Command, call.as<AccessRule>(), true));
        case Command::CmdDeny: return answer(a.deny(Port::Command, call.as<AccessRule>(), false));
        case Command::CmdDenyAll: return answer(a.deny(Port::Command, call.as<AccessRule>(), true));
        default: return answer(Status::Invalid);
    }
}

Answer daemon(const Call& call) {
    DaemonCommands& d = call.handlers.daemon;
    switch (call.command) {
        case Command::CycleLogs: return answer(d.cycle_logs());
        case Command::Dump: return answer(d.dump());
        case Command::Rekey: return answer(d.rekey());
        case Command::Shutdown: return answer(d.shutdown());
        case Command::CaptureStart: return answer(d.capture_start(call.as<CaptureRequest>()));
        case Command::CaptureStop: return answer(d.capture_stop());
        case Command::CaptureStatus: return answer(d.capture_status());
        default: return answer(Status::Invalid);
    }
}

Answer dispatch(const Call& call) {
    switch (call.command) {
        case Command::CycleLogs:
        case Command::Dump:
        case Command::Rekey:
        case Command::Shutdown:
        case Command::CaptureStart:
        case Command::CaptureStop:
        case Command::CaptureStatus: return daemon(call);
        case Command::Accheck:
        case Command::CmdAccheck:
        case Command::Allow:
        case Command::AllowAll:
        case Command::Deny:
        case Command::DenyAll:
        case Command::CmdAllow:
        case Command::CmdAllowAll:
        case Command::CmdDeny:
        case Command::CmdDenyAll: return access(call);
        case Command::Makestep:
        case Command::ModifyMakestep:
        case Command::ModifyMaxupdateskew:
        case Command::Doffset:
        case Command::Dfreq:
        case Command::Local:
        case Command::Smoothtime:
        case Command::Manual:
        case Command::ManualDelete:
        case Command::Settime:
        case Command::TrimRtc:
        case Command::WriteRtc: return clock(call);
        default: break;
    }
    const CommandInfo* info = find_command(static_cast<std::uint16_t>(call.command));
    return info->access == Access::Monitoring ? monitoring(call) : sources(call);
}

CommandDrop to_drop(ParseError error) {
    switch (error) {
        case ParseError::TooShort: return CommandDrop::TooShort;
        case ParseError::TooLong: return CommandDrop::TooLong;
        default: return CommandDrop::NotARequest;
    }
}

bool is_legacy_request(const CommandInfo& info, std::span<const std::uint8_t> request) {
    const ReplyType reply = legacy_reply(info.command);
    return reply != ReplyType::Null && request.size() >= info.request_size &&
           request.size() >= reply_size(static_cast<std::uint16_t>(reply));
}

Answer to_legacy(const Answer& current) {
    if (const auto* stats = std::get_if<ServerStatsReport>(&current.body)) {
        return Answer{current.status, LegacyServerStats{*stats}};
    }
    if (const auto* data = std::get_if<NtpReport>(&current.body)) {
        return Answer{current.status, LegacyNtpData{*data}};
    }
    return current;
}

Answer process(const RequestHeader& header, std::span<const std::uint8_t> request, Origin origin,
               const CommandSet& open, UtcTime now, const CommandHandlers& handlers) {
    if (header.version != kProtocolVersion) return answer(Status::BadPacketVersion);
    const CommandInfo* info = find_command(header.command);
    if (info == nullptr) return answer(Status::Invalid);
    const bool legacy = request.size() < info->request_size + padding_size(*info);
    if (legacy && !is_legacy_request(*info, request)) return answer(Status::BadPacketLength);
    const bool permitted = origin == Origin::UnixSocket ||
                           (info->access == Access::Monitoring && open.contains(info->command));
    if (!permitted) return answer(Status::Unauthorised);
    const auto body = decode_request_body(*info, request);
    if (!body) {
        return answer(body.error() == ParseError::InvalidName ? Status::InvalidName
                                                              : Status::BadPacketLength);
    }
    const Answer current = dispatch(Call{info->command, *body, now, handlers});
    return legacy ? to_legacy(current) : current;
}

}  // namespace

Result<std::size_t, CommandDrop> handle_command(std::span<const std::uint8_t> request,
                                                Origin origin, const CommandSet& open, UtcTime now,
                                                const CommandHandlers& handlers,
                                                std::span<std::uint8_t> reply) {
    if (origin == Origin::OtherHost) return Unexpected(CommandDrop::NotAllowed);
    const auto header = decode_request_header(request);
    if (!header) return Unexpected(to_drop(header.error()));
    if ((*header).version < kOldestRequestVersion) return Unexpected(CommandDrop::UnknownVersion);

    const Answer result = process(*header, request, origin, open, now, handlers);
    ReplyHeader out;
    out.command = (*header).command;
    out.status = result.status;
    out.sequence = (*header).sequence;
    const std::size_t size = encode_reply(out, result.body, reply);
    if (size == 0 || size > request.size()) return Unexpected(CommandDrop::ReplyTooLong);
    return size;
}

}  // namespace gnomon::command
