#pragma once

/// What the engine needs from the world around it. The engine owns no socket, file, clock or
/// thread: the runtime implements these interfaces over the operating system, the simulator over
/// virtual time. All of them are called from the engine's thread only and outlive it; none of them
/// calls back into the engine before it returns.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/port/port.h"
#include "dataplane/wire/address.h"
#include "mgmt/config/files.h"
#include "mgmt/engine/events.h"
#include "refclock/decode/raw_sample.h"
#include "servo/actuator/clock_driver.h"
#include "servo/units/measurement.h"
#include "servo/units/random_source.h"
#include "servo/units/result.h"
#include "servo/units/time_point.h"

namespace gnomon {

/// The time of one turn of the loop: both clocks read once, together, before anything is handled.
struct Now {
    MonoTime mono;
    SystemTime system;
};

/// A UDP end point that the network opened for the engine. `kServerSocket` stands for all of the
/// server's sockets together; client handles are never 0 and never that value.
using SocketHandle = std::uint32_t;
inline constexpr SocketHandle kNoSocket = 0;
inline constexpr SocketHandle kServerSocket = 0xffff'ffff;

/// Datagrams out. What comes in is handed to `Engine::handle_datagram` with the handle it arrived
/// on. Bind addresses, devices, DSCP, the acquisition port and timestamping are the
/// implementation's own business: it reads them from the same configuration.
class Network {
public:
    virtual ~Network() = default;

    /// A way to send requests to `remote` and to hear its replies: usually a fresh socket connected
    /// to it with a random port; with `acquisitionport` a shared one. The engine closes what it
    /// opened.
    virtual SysResult<SocketHandle> open_client(const SocketAddress& remote) = 0;
    virtual void close(SocketHandle handle) = 0;

    /// False when it could not be sent. `datagram.cookie` comes back with the transmit stamp if
    /// `want_stamp` is set, through `Engine::handle_transmit_stamp`.
    virtual bool send(SocketHandle handle, const TxDatagram& datagram) = 0;
    /// From the server's port: replies, and everything that goes to peers.
    virtual bool send_from_server(const TxDatagram& datagram) = 0;

    /// Opens or closes the server's sockets of one family (SRV-04). Opening what is open is a
    /// no-op. An error is reported once as ServerSocketFailed and not retried.
    virtual SysResult<void> open_server(IpAddress::Family family) = 0;
    virtual void close_server(IpAddress::Family family) = 0;

    /// Whether there is a route to `remote` (`onoffline`, and before an address is taken into use).
    virtual bool is_connectable(const SocketAddress& remote) = 0;
};

/// Looks up names without blocking.
class NameResolver {
public:
    using QueryId = std::uint32_t;
    virtual ~NameResolver() = default;

    /// The answer comes as `Engine::handle_resolved(query, …)`, never from within this call. At
    /// most one query of the engine is under way. `family` Unspecified: both, in the system's
    /// order.
    virtual void request(QueryId query, const std::string& name, IpAddress::Family family) = 0;
};

/// The answer to a name query.
struct ResolvedName {
    enum class Status : std::uint8_t {
        Found,
        TryAgain,  ///< temporary: no network, no answer
        NotAName,  ///< permanent: asking again is pointless
    };
    Status status = Status::TryAgain;
    std::vector<IpAddress> addresses;  ///< empty unless Found; more than 32 are not looked at
};

/// Small files: drift, dump, keys, leap seconds. Whole files at once.
class Storage {
public:
    virtual ~Storage() = default;

    virtual SysResult<std::string> read(const std::string& path) = 0;
    /// Replaces the file or leaves it as it was (a temporary file, then rename). `mode` as in
    /// chmod.
    virtual SysResult<void> write(const std::string& path, std::string_view text,
                                  std::uint32_t mode) = 0;
    virtual SysResult<void> remove(const std::string& path) = 0;
    /// The TZif file of a zone of the system's time zone database ("right/UTC", `leapsectz`).
    virtual SysResult<std::string> read_time_zone(const std::string& zone) {
        return read("/usr/share/zoneinfo/" + zone);
    }
};

/// Takes what the engine has to tell: log lines, log files, the event stream. Must not block.
class EventSink {
public:
    virtual ~EventSink() = default;
    virtual void on_event(const Event& event) = 0;
};

/// The drivers of `Config::refclocks`, by position. Those that are not polled hand their samples to
/// `Engine::handle_refclock_samples`.
class RefclockReaders {
public:
    virtual ~RefclockReaders() = default;
    virtual bool is_polled(std::size_t index) const = 0;
    /// Appends readings taken now.
    virtual void poll(std::size_t index, std::vector<RawRefclockSample>& samples) = 0;
};

/// Holds times on the NTP clock outside of the engine.
class ClockObserver {
public:
    virtual ~ClockObserver() = default;
    /// Every adjustment, after it is in force.
    virtual void on_adjustment(const ClockAdjustment& adjustment) = 0;
    /// A measurement of the source that steers the clock.
    virtual void on_measurement(SourceId source, const Measurement& measurement) = 0;
};

class ServerWorkers;
class PolledPortReports;

/// Everything together, as handed to the engine.
struct Services {
    ClockDriver& clock;
    RandomSource& random;
    Network& network;
    NameResolver& resolver;
    Storage& storage;
    ConfigFiles& files;  ///< `sourcedir` directories, at start and at `reload sources`
    EventSink& events;
    ServerWorkers* workers = nullptr;           ///< null: the engine answers every request itself
    RefclockReaders* refclocks = nullptr;       ///< null: no reference clock has samples
    ClockObserver* observer = nullptr;          ///< null: nobody
    PolledPortReports* polled_ports = nullptr;  ///< null: there are none
};

}  // namespace gnomon
