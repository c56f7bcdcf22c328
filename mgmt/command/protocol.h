#pragma once

/// The vocabulary of the command protocol ("cmdmon", version 6): codes, limits and packet lengths.
///
/// One request datagram, one reply datagram, over UDP port 323 or a Unix datagram socket, all big
/// endian. A request is zero-padded so that it is never shorter than its reply: the port cannot be
/// used to amplify traffic. The numbers are the protocol's own and never change meaning; retired
/// codes are absent here and answered with `Status::Invalid`.

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace gnomon::command {

inline constexpr std::uint8_t kProtocolVersion = 6;
/// The oldest version of a request that is told about the mismatch, and of a reply that may tell.
inline constexpr std::uint8_t kOldestRequestVersion = 5;
inline constexpr std::uint8_t kOldestReplyVersion = 4;
inline constexpr std::uint16_t kDefaultPort = 323;

inline constexpr std::size_t kRequestHeaderSize = 20;
inline constexpr std::size_t kReplyHeaderSize = 28;
/// Longer datagrams are not requests of any version.
inline constexpr std::size_t kMaxRequestSize = 860;
inline constexpr std::size_t kMaxReplySize = 520;
inline constexpr std::size_t kNameSize = 256;  ///< with the terminating NUL
inline constexpr std::size_t kMaxClientsPerReply = 8;
inline constexpr std::size_t kMaxHeavyClientsPerReply = 8;
inline constexpr std::size_t kMaxManualSamples = 16;
inline constexpr std::size_t kMaxServos = 8;
inline constexpr std::size_t kServoNameSize = 16;  ///< NUL-padded
inline constexpr std::size_t kPortNameSize = 64;   ///< NUL-padded
inline constexpr std::size_t kMaxDropsPerReply = 12;
inline constexpr std::size_t kDropNameSize = 24;
inline constexpr std::size_t kLatencyBuckets = 32;

enum class Command : std::uint16_t {
    Online = 1,
    Offline = 2,
    Burst = 3,
    ModifyMinpoll = 4,
    ModifyMaxpoll = 5,
    Dump = 6,
    ModifyMaxdelay = 7,
    ModifyMaxdelayratio = 8,
    ModifyMaxupdateskew = 9,
    Settime = 11,
    Manual = 13,
    SourceCount = 14,
    SourceData = 15,
    Rekey = 16,
    Allow = 17,
    AllowAll = 18,
    Deny = 19,
    DenyAll = 20,
    CmdAllow = 21,
    CmdAllowAll = 22,
    CmdDeny = 23,
    CmdDenyAll = 24,
    Accheck = 25,
    CmdAccheck = 26,
    DeleteSource = 29,
    WriteRtc = 30,
    Dfreq = 31,
    Tracking = 33,
    SourceStats = 34,
    RtcReport = 35,
    TrimRtc = 36,
    CycleLogs = 37,
    ManualList = 41,
    ManualDelete = 42,
    Makestep = 43,
    Activity = 44,
    ModifyMinstratum = 45,
    ModifyPolltarget = 46,
    ModifyMaxdelaydevratio = 47,
    Reselect = 48,
    ReselectDistance = 49,
    ModifyMakestep = 50,
    Smoothing = 51,
    Smoothtime = 52,
    Refresh = 53,
    ServerStats = 54,
    NtpData = 57,
    Shutdown = 62,
    Onoffline = 63,
    AddSource = 64,
    NtpSourceName = 65,
    ResetSources = 66,
    AuthData = 67,
    ClientAccesses = 68,
    SelectData = 69,
    ReloadSources = 70,
    Doffset = 71,
    ModifySelectopts = 72,
    ModifyOffset = 73,
    Local = 74,
    // Of gnomon, far from what chrony may ever use.
    ServoData = 192,
    DataplaneData = 193,
    CaptureStart = 194,
    CaptureStop = 195,
    CaptureStatus = 196,
    ClientTop = 197,
    Analytics = 198,
    State = 200,
};
inline constexpr std::size_t kCommandCodes = 201;

enum class ReplyType : std::uint16_t {
    Null = 1,
    SourceCount = 2,
    SourceData = 3,
    Tracking = 5,
    SourceStats = 6,
    Rtc = 7,
    Activity = 12,
    Smoothing = 13,
    ManualTimestamp = 17,
    ManualList = 18,
    NtpSourceName = 19,
    AuthData = 20,
    ClientAccesses = 21,
    SelectData = 23,
    LegacyServerStats = 24,  ///< of clients before chrony 4.4
    LegacyNtpData = 16,      ///< of clients before chrony 4.6
    ServerStats = 25,
    NtpData = 26,
    ServoData = 192,
    DataplaneData = 193,
    CaptureStatus = 196,
    ClientTop = 197,
    Analytics = 198,
    State = 200,
};

enum class Status : std::uint16_t {
    Success = 0,
    Failed = 1,
    Unauthorised = 2,
    Invalid = 3,
    NoSuchSource = 4,
    InvalidTimestamp = 5,
    NotEnabled = 6,
    BadSubnet = 7,
    AccessAllowed = 8,
    AccessDenied = 9,
    NoHostAccess = 10,
    SourceAlreadyKnown = 11,
    TooManySources = 12,
    NoRtc = 13,
    BadRtcFile = 14,
    Inactive = 15,
    BadSample = 16,
    InvalidAddressFamily = 17,
    BadPacketVersion = 18,
    BadPacketLength = 19,
    InvalidName = 21,
};

/// What may be asked and by whom.
enum class Access : std::uint8_t {
    Monitoring,  ///< anybody, where `opencommands` names it; always over the Unix socket
    LocalOnly,   ///< the Unix socket only
};

/// The fixed facts of one command. `request_size` is without padding.
struct CommandInfo {
    Command command;
    Access access;
    std::uint16_t request_size;
    ReplyType reply;
};

/// Nothing for unknown and retired codes.
const CommandInfo* find_command(std::uint16_t code) noexcept;

/// Bytes of a reply of this type; 0 for unknown and retired types.
std::size_t reply_size(std::uint16_t type) noexcept;

/// Zero bytes after the body of a request, so that the request is as long as its reply.
std::size_t padding_size(const CommandInfo& info) noexcept;

/// The reply that an older client expects of the same command; `Null` if there is no such thing. It is
/// told from a present one by its shorter request, which is padded to its shorter reply.
ReplyType legacy_reply(Command command) noexcept;

/// A set of commands: what `opencommands` opens to the network.
class CommandSet {
public:
    bool contains(Command command) const noexcept {
        return set_[static_cast<std::size_t>(command)];
    }
    void add(Command command) noexcept { set_[static_cast<std::size_t>(command)] = true; }
    /// Adds what the named report of `opencommands` needs (case-insensitive: "sources", "tracking",
    /// …). False, and nothing added, for a name that cannot be opened.
    bool add_report(std::string_view name) noexcept;
    /// The default of `opencommands`.
    static CommandSet defaults() noexcept;

private:
    std::bitset<kCommandCodes> set_;
};

}  // namespace gnomon::command
