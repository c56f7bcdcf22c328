#include "mgmt/command/protocol.h"

#include <array>

namespace gnomon::command {

namespace {

constexpr auto kLocal = Access::LocalOnly;
constexpr auto kOpen = Access::Monitoring;
constexpr auto kNull = ReplyType::Null;

// Request sizes by shape: header and body, without padding.
constexpr std::uint16_t kEmpty = 20;
constexpr std::uint16_t kOneWord = 24;
constexpr std::uint16_t kTwoWords = 28;
constexpr std::uint16_t kAddress = 40;
constexpr std::uint16_t kAddressAndWord = 44;
constexpr std::uint16_t kAddressAndTwoWords = 48;
constexpr std::uint16_t kMaskAndAddress = 60;

constexpr CommandInfo kCommands[] = {
    {Command::Online, kLocal, kMaskAndAddress, kNull},
    {Command::Offline, kLocal, kMaskAndAddress, kNull},
    {Command::Burst, kLocal, 68, kNull},
    {Command::ModifyMinpoll, kLocal, kAddressAndWord, kNull},
    {Command::ModifyMaxpoll, kLocal, kAddressAndWord, kNull},
    {Command::Dump, kLocal, kOneWord, kNull},
    {Command::ModifyMaxdelay, kLocal, kAddressAndWord, kNull},
    {Command::ModifyMaxdelayratio, kLocal, kAddressAndWord, kNull},
    {Command::ModifyMaxupdateskew, kLocal, kOneWord, kNull},
    {Command::Settime, kLocal, 32, ReplyType::ManualTimestamp},
    {Command::Manual, kLocal, kOneWord, kNull},
    {Command::SourceCount, kOpen, kEmpty, ReplyType::SourceCount},
    {Command::SourceData, kOpen, kOneWord, ReplyType::SourceData},
    {Command::Rekey, kLocal, kEmpty, kNull},
    {Command::Allow, kLocal, kAddressAndWord, kNull},
    {Command::AllowAll, kLocal, kAddressAndWord, kNull},
    {Command::Deny, kLocal, kAddressAndWord, kNull},
    {Command::DenyAll, kLocal, kAddressAndWord, kNull},
    {Command::CmdAllow, kLocal, kAddressAndWord, kNull},
    {Command::CmdAllowAll, kLocal, kAddressAndWord, kNull},
    {Command::CmdDeny, kLocal, kAddressAndWord, kNull},
    {Command::CmdDenyAll, kLocal, kAddressAndWord, kNull},
    {Command::Accheck, kLocal, kAddress, kNull},
    {Command::CmdAccheck, kLocal, kAddress, kNull},
    {Command::DeleteSource, kLocal, kAddress, kNull},
    {Command::WriteRtc, kLocal, kEmpty, kNull},
    {Command::Dfreq, kLocal, kOneWord, kNull},
    {Command::Tracking, kOpen, kEmpty, ReplyType::Tracking},
    {Command::SourceStats, kOpen, kOneWord, ReplyType::SourceStats},
    {Command::RtcReport, kOpen, kEmpty, ReplyType::Rtc},
    {Command::TrimRtc, kLocal, kEmpty, kNull},
    {Command::CycleLogs, kLocal, kEmpty, kNull},
    {Command::ManualList, kOpen, kEmpty, ReplyType::ManualList},
    {Command::ManualDelete, kLocal, kOneWord, kNull},
    {Command::Makestep, kLocal, kEmpty, kNull},
    {Command::Activity, kOpen, kEmpty, ReplyType::Activity},
    {Command::ModifyMinstratum, kLocal, kAddressAndWord, kNull},
    {Command::ModifyPolltarget, kLocal, kAddressAndWord, kNull},
    {Command::ModifyMaxdelaydevratio, kLocal, kAddressAndWord, kNull},
    {Command::Reselect, kLocal, kEmpty, kNull},
    {Command::ReselectDistance, kLocal, kOneWord, kNull},
    {Command::ModifyMakestep, kLocal, kTwoWords, kNull},
    {Command::Smoothing, kOpen, kEmpty, ReplyType::Smoothing},
    {Command::Smoothtime, kLocal, kOneWord, kNull},
    {Command::Refresh, kLocal, kEmpty, kNull},
    {Command::ServerStats, kOpen, kEmpty, ReplyType::ServerStats},
    {Command::NtpData, kOpen, kAddress, ReplyType::NtpData},
    {Command::Shutdown, kLocal, kEmpty, kNull},
    {Command::Onoffline, kLocal, kEmpty, kNull},
    {Command::AddSource, kLocal, 372, kNull},
    {Command::NtpSourceName, kOpen, kAddress, ReplyType::NtpSourceName},
    {Command::ResetSources, kLocal, kEmpty, kNull},
    {Command::AuthData, kOpen, kAddress, ReplyType::AuthData},
    {Command::ClientAccesses, kOpen, 36, ReplyType::ClientAccesses},
    {Command::SelectData, kOpen, kOneWord, ReplyType::SelectData},
    {Command::ReloadSources, kLocal, kEmpty, kNull},
    {Command::Doffset, kLocal, kOneWord, kNull},
    {Command::ModifySelectopts, kLocal, 52, kNull},
    {Command::ModifyOffset, kLocal, kAddressAndTwoWords, kNull},
    {Command::Local, kLocal, 48, kNull},
    {Command::ServoData, kOpen, kOneWord, ReplyType::ServoData},
    {Command::DataplaneData, kOpen, 36, ReplyType::DataplaneData},
    {Command::CaptureStart, kLocal, 352, ReplyType::CaptureStatus},
    {Command::CaptureStop, kLocal, kEmpty, ReplyType::CaptureStatus},
    {Command::CaptureStatus, kLocal, kEmpty, ReplyType::CaptureStatus},
    {Command::ClientTop, kOpen, kOneWord, ReplyType::ClientTop},
    {Command::Analytics, kOpen, kEmpty, ReplyType::Analytics},
    {Command::State, kOpen, kEmpty, ReplyType::State},
};
static_assert(sizeof(kCommands) / sizeof(kCommands[0]) == 68);

constexpr auto make_index() {
    std::array<const CommandInfo*, kCommandCodes> index{};
    for (const CommandInfo& info : kCommands) index[static_cast<std::size_t>(info.command)] = &info;
    return index;
}
constexpr auto kIndex = make_index();

struct OpenReport {
    std::string_view name;
    Command command;
    bool needs_count;  ///< clients walk the sources by index
};

constexpr OpenReport kOpenReports[] = {
    {"activity", Command::Activity, false},
    {"authdata", Command::AuthData, true},
    {"clients", Command::ClientAccesses, false},
    {"dataplane", Command::DataplaneData, false},
    {"manual", Command::ManualList, false},
    {"ntpdata", Command::NtpData, true},
    {"rtcdata", Command::RtcReport, false},
    {"selectdata", Command::SelectData, true},
    {"serverstats", Command::ServerStats, false},
    {"servos", Command::ServoData, true},
    {"smoothing", Command::Smoothing, false},
    {"sourcename", Command::NtpSourceName, false},
    {"sources", Command::SourceData, true},
    {"sourcestats", Command::SourceStats, true},
    {"state", Command::State, false},
    {"tracking", Command::Tracking, false},
};

bool equal_ignoring_case(std::string_view a, std::string_view b) noexcept {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const char c = a[i] >= 'A' && a[i] <= 'Z' ? static_cast<char>(a[i] - 'A' + 'a') : a[i];
        if (c != b[i]) return false;
    }
    return true;
}

}  // namespace

const CommandInfo* find_command(std::uint16_t code) noexcept {
    return code < kIndex.size() ? kIndex[code] : nullptr;
}

std::size_t reply_size(std::uint16_t type) noexcept {
    switch (static_cast<ReplyType>(type)) {
        case ReplyType::Null: return 28;
        case ReplyType::SourceCount: return 32;
        case ReplyType::SourceData: return 76;
        case ReplyType::Tracking: return 104;
        case ReplyType::SourceStats: return 84;
        case ReplyType::Rtc: return 56;
        case ReplyType::Activity: return 48;
        case ReplyType::Smoothing: return 52;
        case ReplyType::ManualTimestamp: return 40;
        case ReplyType::ManualList: return 416;
        case ReplyType::NtpSourceName: return 284;
        case ReplyType::AuthData: return 52;
        case ReplyType::ClientAccesses: return 520;
        case ReplyType::SelectData: return 76;
        case ReplyType::LegacyServerStats: return 72;
        case ReplyType::LegacyNtpData: return 152;
        case ReplyType::ServerStats: return 196;
        case ReplyType::NtpData: return 172;
        case ReplyType::ServoData: return 408;
        case ReplyType::DataplaneData: return 440;
        case ReplyType::CaptureStatus: return 404;
        case ReplyType::ClientTop: return 504;
        case ReplyType::Analytics: return 396;
        case ReplyType::State: return 68;
    }
    return 0;
}

std::size_t padding_size(const CommandInfo& info) noexcept {
    const std::size_t reply = reply_size(static_cast<std::uint16_t>(info.reply));
    return reply > info.request_size ? reply - info.request_size : 0;
}

ReplyType legacy_reply(Command command) noexcept {
    switch (command) {
        case Command::ServerStats: return ReplyType::LegacyServerStats;
        case Command::NtpData: return ReplyType::LegacyNtpData;
        default: return ReplyType::Null;
    }
}

bool CommandSet::add_report(std::string_view name) noexcept {
    for (const OpenReport& report : kOpenReports) {
        if (!equal_ignoring_case(name, report.name)) continue;
        add(report.command);
        if (report.needs_count) add(Command::SourceCount);
        return true;
    }
    return false;
}

CommandSet CommandSet::defaults() noexcept {
    CommandSet set;
    for (const char* name : {"activity", "manual", "rtcdata", "smoothing", "sourcename", "sources",
                             "sourcestats", "tracking"}) {
        set.add_report(name);
    }
    return set;
}

}  // namespace gnomon::command
