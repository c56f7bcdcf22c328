#pragma once

/// `Engine`: the appliance itself, without an operating system. It composes the associations,
/// estimators, selection, discipline, the responder and the reports, and owns no socket, file,
/// clock or thread: whoever drives it (the daemon's poll loop, the simulator's event queue) hands
/// in what arrives and calls `handle_timeout` when `next_timeout` is reached.
///
///     Engine engine(config, options, services);
///     engine.start(now);
///     loop: wait for input or engine.next_timeout(); now = both clocks; one of the handle_… calls
///     engine.shutdown(now);
///
/// One thread. Every call takes the time of its loop turn; calls with nothing to do are harmless.
/// The `TimePoint`s of one run never go back on the monotonic clock; the system clock may do
/// anything.

#include <memory>
#include <optional>
#include <span>

#include "dataplane/port/port.h"
#include "mgmt/command/handlers.h"
#include "mgmt/config/config.h"
#include "mgmt/engine/services.h"
#include "servo/units/server_state.h"

namespace gnomon {

/// What the command line says about the whole run.
struct EngineOptions {
    enum class Mode : std::uint8_t {
        Normal,
        SetOnce,    ///< -q: correct the clock once, then ask to exit
        PrintOnce,  ///< -Q: report the offset (ClockWrong), touch nothing, then ask to exit
    };
    Mode mode = Mode::Normal;
    /// -R: `makestep` with a positive limit is ignored.
    bool restarted = false;
    /// -r: sample histories are read from `dumpdir`.
    bool reload_samples = false;
    /// -4 or -6; Unspecified: both.
    IpAddress::Family family = IpAddress::Family::Unspecified;
    /// How finely the system clock can be read, s, as measured at start (clock_reader.h);
    /// `clockprecision` overrides it.
    double measured_precision_s = 1e-6;
};

/// Where a command came from.
struct CommandClient {
    /// Unspecified: the Unix socket, which may do everything.
    IpAddress address;
    bool is_unix() const noexcept { return !address.is_ip(); }
};

class Engine {
public:
    /// Nothing happens before `start`. The configuration is copied; services outlive the engine.
    /// `process` takes the commands that concern the process (`cyclelogs`, `shutdown`; refused when
    /// null) and outlives it too; `dump` and `rekey` are the engine's own.
    Engine(const Config& config, const Services& services, const EngineOptions& options = {},
           command::DaemonCommands* process = nullptr);
    ~Engine();
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    /// Reads drift file, keys and leap seconds, adds the configured sources, opens the server's
    /// sockets if anybody is allowed, begins to resolve names.
    void start(const Now& now);

    /// A datagram on a client's socket or on the server's (`kServerSocket`).
    void handle_datagram(SocketHandle socket, const RxDatagram& datagram, const Now& now);
    /// The true time at which an earlier datagram left.
    void handle_transmit_stamp(SocketHandle socket, const TxStampReport& report, const Now& now);
    /// Sending or receiving failed on a client's socket (ICMP unreachable): `auto_offline`.
    void handle_socket_error(SocketHandle socket, const Now& now);
    /// Samples of the reference clock configured `index`th that came on their own.
    void handle_refclock_samples(std::size_t index, std::span<const RawRefclockSample> samples,
                                 const Now& now);
    /// A steadier oscillator shows what ours has wandered since its last reading: the clock is put
    /// forward by `offset_s` and runs faster by `frequency`, and nobody's times move, because that only
    /// makes good what the clock should not have done. False: not now.
    bool follow_oscillator(double offset_s, double frequency, const Now& now);
    void handle_timeout(const Now& now);
    /// `max()`: nothing to wait for.
    MonoTime next_timeout() const;
    void handle_resolved(NameResolver::QueryId query, const ResolvedName& answer, const Now& now);

    /// One request of the command protocol: access, rate limit and counting included. Returns the
    /// length of the answer in `reply` (at least command::kMaxReplySize bytes), 0 for none.
    std::size_t handle_command(std::span<const std::uint8_t> request, const CommandClient& client,
                               const Now& now, std::span<std::uint8_t> reply);

    /// What a responder needs to answer, as of the last call; for workers, through a seqlock. It
    /// changes with every update of the clock and with time (slews end, the local reference comes
    /// and goes), so publish it after each call. Valid until the next one.
    const ServerState& server_state() const;

    /// The NTP clock.
    UtcTime utc(SystemTime system) const;

    /// The reports and actions behind the command protocol, for other front ends. Actions use the
    /// time of the engine's last call.
    command::CommandHandlers handlers();

    /// Set when the engine has nothing more to do (SetOnce, PrintOnce) or gives up (`maxchange`):
    /// the exit status that the program should end with.
    std::optional<int> exit_status() const;

    /// Orderly end: drift file, dump files, leap status; closes every socket. Call once, last.
    void shutdown(const Now& now);

private:
    class Parts;
    std::unique_ptr<Parts> parts_;
};

}  // namespace gnomon
