#pragma once

/// `TelemetryServer`: tells programs on this machine how the daemon does (mgmt/telemetry), through a
/// SOCK_SEQPACKET socket. Whoever may reach the socket may read; nothing is ever taken from a reader.
///
/// It never waits for a reader: a frame for which a reader has no room is dropped and counted, and a
/// reader without room for kPatience is disconnected. The kernel's socket buffer, of kBufferSize, is all
/// that is kept for one. Without readers nothing is encoded.

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "mgmt/runtime/event_loop.h"
#include "mgmt/telemetry/codec.h"
#include "servo/units/result.h"

namespace gnomon {

class TelemetryServer {
public:
    static constexpr std::size_t kMaxReaders = 8;
    static constexpr std::size_t kKeptEvents = 256;
    static constexpr int kBufferSize = 256 * 1024;
    static constexpr Duration kPatience = Duration::from_s(30);

    TelemetryServer(EventLoop& loop, std::string path);
    ~TelemetryServer();
    TelemetryServer(const TelemetryServer&) = delete;
    TelemetryServer& operator=(const TelemetryServer&) = delete;

    /// An empty path: nothing to do. The socket is removed again by the destructor.
    SysResult<void> open();
    bool is_open() const noexcept { return listener_ >= 0; }

    void set_hello(telemetry::Hello hello) { hello_ = std::move(hello); }

    bool has_readers() const noexcept { return !readers_.empty(); }
    /// Kept for readers to come, and sent.
    void add_event(telemetry::Event event, MonoTime now);
    void add_measurement(const telemetry::Measurement& measurement, MonoTime now);
    /// `snapshot.number` and `stream` are filled in here.
    void publish(telemetry::Snapshot& snapshot, MonoTime now);

    const telemetry::StreamReport& report() const noexcept { return report_; }

private:
    struct Reader {
        int fd = -1;
        /// Since when nothing has gone through; nothing: the last frame did.
        std::optional<MonoTime> stuck_since;
        bool gone = false;
    };

    void accept_reader();
    void on_reader(int fd);
    void send(Reader& reader, const telemetry::Frame& frame, MonoTime now);
    void send_all(const telemetry::Frame& frame, MonoTime now);
    void close_reader(int fd);
    void sweep();

    EventLoop& loop_;
    std::string path_;
    int listener_ = -1;
    telemetry::Hello hello_;
    telemetry::FrameWriter writer_;
    telemetry::StreamReport report_;
    std::deque<telemetry::Event> events_;
    std::uint64_t next_event_ = 1;
    std::uint64_t next_snapshot_ = 1;
    std::vector<Reader> readers_;
};

/// Makes the directory of the socket, mode 02750: its group is that of those who may read. An existing
/// one is left as it is.
SysResult<void> prepare_telemetry_directory(const std::string& socket_path, uid_t owner,
                                            gid_t daemon_group);

}  // namespace gnomon
