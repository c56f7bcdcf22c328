#include "mgmt/runtime/capture_writer.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <system_error>

#include "dataplane/capture/pcapng.h"
#include "servo/actuator/clock_reader.h"

namespace gnomon {

namespace {

constexpr mode_t kFileMode = 0640;
constexpr std::size_t kBufferSize = 256 * 1024;
/// A ring holds the packets of this time at more than a million a second.
constexpr std::chrono::milliseconds kIdle{1};
/// Packets of one tap before the others and the limits are looked at.
constexpr int kTurn = 256;
constexpr char kApplication[] = "gnomond";

CaptureEnd end_by_error(int code) noexcept {
    return code == ENOSPC || code == EDQUOT || code == EFBIG ? CaptureEnd::DiskFull
                                                             : CaptureEnd::Error;
}

}  // namespace

const char* to_string(CaptureEnd end) noexcept {
    switch (end) {
        case CaptureEnd::Running: return "running";
        case CaptureEnd::Stopped: return "stopped";
        case CaptureEnd::Size: return "size limit";
        case CaptureEnd::Duration: return "time limit";
        case CaptureEnd::Packets: return "packet limit";
        case CaptureEnd::DiskFull: return "disk full";
        case CaptureEnd::Error: return "write error";
    }
    return "?";
}

/// Whole blocks into a buffer, the buffer into the file.
class CaptureWriter::File {
public:
    File(int fd, std::atomic<std::uint64_t>& bytes) : fd_(fd), bytes_(bytes) {
        buffer_.resize(kBufferSize);
    }

    /// Room for one block.
    std::span<std::uint8_t> room() {
        if (buffer_.size() - used_ < CaptureSlot::kSnapLength + kPcapngOverhead) flush();
        return std::span(buffer_).subspan(used_);
    }
    /// After an error nothing is taken any more.
    void commit(std::size_t size) {
        if (error_ != 0) return;
        used_ += size;
        bytes_.store(written_ + used_, std::memory_order_relaxed);
    }
    /// What the file has when all is written.
    std::uint64_t size() const noexcept { return written_ + used_; }
    int error() const noexcept { return error_; }

    void flush() {
        std::size_t done = 0;
        while (done < used_ && error_ == 0) {
            const ssize_t size = write(fd_, buffer_.data() + done, used_ - done);
            if (size < 0 && errno == EINTR) continue;
            if (size <= 0) {
                error_ = size == 0 ? ENOSPC : errno;
                break;
            }
            done += static_cast<std::size_t>(size);
        }
        if (error_ != 0) {
            // Half a block at the end would make the whole file suspect.
            done = whole_blocks(done);
            [[maybe_unused]] const int cut = ftruncate(fd_, static_cast<off_t>(written_ + done));
        }
        written_ += done;
        used_ = 0;
        bytes_.store(written_, std::memory_order_relaxed);
    }

private:
    /// Bytes of the blocks in the buffer that end before `limit`.
    std::size_t whole_blocks(std::size_t limit) const noexcept {
        std::size_t at = 0;
        while (at < used_) {
            const std::uint8_t* length = buffer_.data() + at + 4;
            const std::size_t size = length[0] | length[1] << 8 | length[2] << 16;
            if (at + size > limit) break;
            at += size;
        }
        return at;
    }

    int fd_;
    std::atomic<std::uint64_t>& bytes_;
    std::vector<std::uint8_t> buffer_;
    std::size_t used_ = 0;
    std::uint64_t written_ = 0;
    int error_ = 0;
};

CaptureWriter::CaptureWriter(CaptureTaps& taps, std::string directory)
    : taps_(taps), directory_(std::move(directory)) {}

CaptureWriter::~CaptureWriter() { static_cast<void>(stop()); }

SysResult<std::string> CaptureWriter::resolve(const std::string& name) const {
    const bool absolute = !name.empty() && name.front() == '/';
    const bool plain = !name.empty() && name.find('/') == std::string::npos && name.front() != '.';
    if (absolute) return name;
    if (!plain || directory_.empty()) return Unexpected(SysError{"capture file " + name, EINVAL});
    return directory_ + "/" + name;
}

SysResult<void> CaptureWriter::start(const std::string& name, const CaptureLimits& limits,
                                     const std::string& port) {
    if (end_.load() == CaptureEnd::Running) return Unexpected(SysError{"capture", EBUSY});
    if (thread_.joinable()) thread_.join();
    auto path = resolve(name);
    if (!path) return Unexpected(path.error());
    std::vector<CaptureTap*> taps = taps_.select(port);
    if (taps.empty()) return Unexpected(SysError{"capture port " + port, ENODEV});

    const int fd =
        open(path->c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, kFileMode);
    if (fd < 0) return Unexpected(SysError::last(*path));
    fd_ = FileDescriptor(fd);
    open_taps_ = std::move(taps);
    path_ = std::move(*path);
    port_ = port;
    limits_ = limits;
    started_ = read_mono_clock();
    started_system_ = read_system_clock();
    tap_packets_.assign(open_taps_.size(), 0);
    packets_ = 0;
    bytes_ = 0;
    lost_ = 0;
    error_ = 0;
    stop_requested_ = false;
    ever_started_ = true;
    reported_ = false;
    end_ = CaptureEnd::Running;
    try {
        for (CaptureTap* tap : open_taps_) tap->open();
        // Signals are the control loop's.
        sigset_t all;
        sigset_t before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        try {
            thread_ = std::thread([this] { run(); });
        } catch (...) {
            pthread_sigmask(SIG_SETMASK, &before, nullptr);
            throw;
        }
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
    } catch (const std::exception&) {
        for (CaptureTap* tap : open_taps_) tap->close();
        end_ = CaptureEnd::Error;
        error_ = ENOMEM;
        reported_ = true;
        fd_ = FileDescriptor();
        return Unexpected(SysError{"capture thread", ENOMEM});
    }
    return {};
}

SysResult<void> CaptureWriter::stop() {
    const bool running = end_.load() == CaptureEnd::Running;
    {
        const std::lock_guard guard(mutex_);
        stop_requested_ = true;
    }
    wake_.notify_one();
    if (thread_.joinable()) thread_.join();
    if (!running) return Unexpected(SysError{"capture", ESRCH});
    reported_ = true;
    return {};
}

CaptureStatus CaptureWriter::status() const {
    CaptureStatus status;
    status.ever_started = ever_started_;
    status.end = end_.load();
    status.error = error_.load();
    status.path = path_;
    status.port = port_;
    status.taps = static_cast<std::uint32_t>(open_taps_.size());
    status.packets = packets_.load();
    status.bytes = bytes_.load();
    status.lost = lost_.load();
    if (ever_started_) {
        status.elapsed = status.end == CaptureEnd::Running ? read_mono_clock() - started_
                                                           : Duration::from_ns(ended_after_ns_);
    }
    status.limits = limits_;
    return status;
}

bool CaptureWriter::take_ended() {
    if (reported_ || end_.load() == CaptureEnd::Running) return false;
    reported_ = true;
    return true;
}

void CaptureWriter::run() {
    prctl(PR_SET_NAME, "capture");
    File file(fd_.get(), bytes_);
    CaptureEnd end = write_headers(file) ? CaptureEnd::Running : CaptureEnd::Error;
    while (end == CaptureEnd::Running) {
        const bool stopping = stop_requested_.load();
        if (stopping) {
            for (CaptureTap* tap : open_taps_) tap->close();
        }
        const std::uint64_t before = packets_.load(std::memory_order_relaxed);
        end = drain(file, stopping ? static_cast<int>(CaptureTap::kSlots) : kTurn);
        if (end == CaptureEnd::Running && stopping) end = CaptureEnd::Stopped;
        const bool idle = packets_.load(std::memory_order_relaxed) == before;
        if (end != CaptureEnd::Running || !idle) continue;
        // What there is should be readable in the file.
        file.flush();
        std::unique_lock lock(mutex_);
        wake_.wait_for(lock, kIdle, [this] { return stop_requested_.load(); });
    }
    finish(file, end, file.error());
}

bool CaptureWriter::write_headers(File& file) {
    file.commit(encode_pcapng_section(kApplication, file.room()));
    for (const CaptureTap* tap : open_taps_) {
        PcapngInterface interface;
        interface.name = tap->name();
        interface.description = tap->description();
        interface.link =
            tap->link() == CaptureLink::Ethernet ? link_type::kEthernet : link_type::kRaw;
        interface.snap_length = CaptureSlot::kSnapLength;
        file.commit(encode_pcapng_interface(interface, file.room()));
    }
    file.flush();
    return file.error() == 0;
}

/// At most `most` packets of every tap. Running: go on.
CaptureEnd CaptureWriter::drain(File& file, int most) {
    std::uint64_t lost = 0;
    for (std::size_t i = 0; i < open_taps_.size(); ++i) {
        const CaptureEnd end = drain_tap(*open_taps_[i], static_cast<std::uint32_t>(i), most, file);
        if (end != CaptureEnd::Running) return end;
        lost += open_taps_[i]->lost();
    }
    lost_.store(lost, std::memory_order_relaxed);
    if (file.error() != 0) return end_by_error(file.error());
    return read_mono_clock() - started_ >= limits_.duration ? CaptureEnd::Duration
                                                            : CaptureEnd::Running;
}

CaptureEnd CaptureWriter::drain_tap(CaptureTap& tap, std::uint32_t id, int most, File& file) {
    for (int i = 0; i < most; ++i) {
        const CaptureSlot* slot = tap.front();
        if (slot == nullptr) break;
        PcapngPacket packet;
        packet.interface_id = id;
        packet.stamp.time = slot->time;
        packet.stamp.source = slot->source;
        packet.stamp.variance_s2 = slot->variance_s2;
        packet.stamp.error_s = slot->error_s;
        packet.outgoing = slot->direction == CaptureDirection::Out;
        packet.length = slot->length;
        packet.bytes = {slot->bytes.data(), slot->captured};
        const std::size_t size = encode_pcapng_packet(packet, file.room());
        if (limits_.bytes != 0 && file.size() + size > limits_.bytes) return CaptureEnd::Size;
        file.commit(size);
        tap.pop();
        ++tap_packets_[id];
        const std::uint64_t total = packets_.load(std::memory_order_relaxed) + 1;
        packets_.store(total, std::memory_order_relaxed);
        if (limits_.packets != 0 && total >= limits_.packets) return CaptureEnd::Packets;
        if (file.error() != 0) return end_by_error(file.error());
    }
    return CaptureEnd::Running;
}

bool CaptureWriter::write_statistics(File& file) {
    const SystemTime now = read_system_clock();
    for (std::size_t i = 0; i < open_taps_.size(); ++i) {
        PcapngStatistics statistics;
        statistics.interface_id = static_cast<std::uint32_t>(i);
        statistics.start = started_system_;
        statistics.end = now;
        statistics.dropped = open_taps_[i]->lost();
        statistics.received = tap_packets_[i] + statistics.dropped;
        file.commit(encode_pcapng_statistics(statistics, file.room()));
    }
    file.flush();
    return file.error() == 0;
}

void CaptureWriter::finish(File& file, CaptureEnd end, int error) {
    for (CaptureTap* tap : open_taps_) tap->close();
    if (error == 0 && !write_statistics(file)) error = file.error();
    if (error != 0) end = end_by_error(error);
    fd_ = FileDescriptor();
    std::uint64_t lost = 0;
    for (const CaptureTap* tap : open_taps_) lost += tap->lost();
    lost_ = lost;
    error_ = error;
    ended_after_ns_ = (read_mono_clock() - started_).ns();
    end_ = end;
}

}  // namespace gnomon
