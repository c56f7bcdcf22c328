#pragma once

/// `CaptureWriter`: `capture start FILE`: a thread that takes what the taps are shown and writes it to
/// a pcapng file, until it is told to stop or a limit is met. One capture at a time.
///
/// All calls from the control loop's thread. The thread exists only while something is captured. The
/// file is made anew (an existing one is never touched, links are not followed), mode 0640. A disk
/// that is full ends the capture; what was written before remains a valid file.

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "dataplane/capture/capture_tap.h"
#include "dataplane/socket/udp_socket.h"
#include "servo/units/duration.h"
#include "servo/units/result.h"
#include "servo/units/time_point.h"

namespace gnomon {

struct CaptureLimits {
    static constexpr std::uint64_t kDefaultBytes = 100'000'000;
    static constexpr std::int64_t kDefaultSeconds = 300;

    std::uint64_t bytes = kDefaultBytes;
    Duration duration = Duration::from_s(kDefaultSeconds);
    std::uint64_t packets = 0;  ///< 0: any number
};

/// Why a capture ended.
enum class CaptureEnd : std::uint8_t { Running, Stopped, Size, Duration, Packets, DiskFull, Error };

struct CaptureStatus {
    bool ever_started = false;
    CaptureEnd end = CaptureEnd::Stopped;
    int error = 0;  ///< errno, with DiskFull and Error
    std::string path;
    std::string port;  ///< as asked for; empty: all
    std::uint32_t taps = 0;
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;  ///< of the file
    std::uint64_t lost = 0;   ///< packets that did not fit into a ring
    Duration elapsed;
    CaptureLimits limits;
};

/// "running", "stopped", "size limit", …
const char* to_string(CaptureEnd end) noexcept;

class CaptureWriter {
public:
    /// `taps` outlive the writer. Names without a slash are files in `directory`; empty: there is no
    /// such directory, and only absolute paths will do.
    CaptureWriter(CaptureTaps& taps, std::string directory);
    ~CaptureWriter();
    CaptureWriter(const CaptureWriter&) = delete;
    CaptureWriter& operator=(const CaptureWriter&) = delete;

    /// EBUSY while one runs; EINVAL for a name that is neither plain nor absolute; ENODEV when no tap
    /// is of `port`; whatever opening the file says.
    SysResult<void> start(const std::string& name, const CaptureLimits& limits,
                          const std::string& port);
    /// Returns when the file is complete. ESRCH when nothing runs.
    SysResult<void> stop();
    CaptureStatus status() const;

    /// True once after a capture has ended by itself: time to say so.
    bool take_ended();

private:
    class File;

    void run();
    CaptureEnd drain(File& file, int most);
    CaptureEnd drain_tap(CaptureTap& tap, std::uint32_t id, int most, File& file);
    void finish(File& file, CaptureEnd end, int error);
    bool write_headers(File& file);
    bool write_statistics(File& file);
    SysResult<std::string> resolve(const std::string& name) const;

    CaptureTaps& taps_;
    std::string directory_;

    // Fixed while a capture runs.
    std::vector<CaptureTap*> open_taps_;
    std::string path_;
    std::string port_;
    CaptureLimits limits_;
    FileDescriptor fd_;
    MonoTime started_;
    SystemTime started_system_;

    std::thread thread_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::atomic<bool> stop_requested_{false};  ///< set under `mutex_`, so that no wake-up is missed

    std::vector<std::uint64_t> tap_packets_;  ///< the thread's own
    std::atomic<std::uint64_t> packets_{0};
    std::atomic<std::uint64_t> bytes_{0};
    std::atomic<std::uint64_t> lost_{0};
    std::atomic<std::int64_t> ended_after_ns_{0};
    std::atomic<int> error_{0};
    std::atomic<CaptureEnd> end_{CaptureEnd::Stopped};
    bool ever_started_ = false;
    bool reported_ = true;
};

}  // namespace gnomon
