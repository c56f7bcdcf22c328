#pragma once

/// `TelemetryClient`: hears gnomond. Connects again whenever there is nobody to hear: gnomond may
/// start later, be restarted or upgraded.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "mgmt/mgmtd/model.h"
#include "mgmt/telemetry/codec.h"

namespace gnomon::mgmtd {

class TelemetryClient {
public:
    static constexpr std::chrono::milliseconds kRetry{1000};
    /// Frames that are taken per call, so that HTTP has its turn.
    static constexpr int kFramesPerTurn = 64;

    using OnMessage = std::function<void(telemetry::Message&& message)>;
    using OnDisconnect = std::function<void()>;

    TelemetryClient(std::string path, OnMessage on_message, OnDisconnect on_disconnect);
    ~TelemetryClient();
    TelemetryClient(const TelemetryClient&) = delete;
    TelemetryClient& operator=(const TelemetryClient&) = delete;

    /// -1 while there is nobody.
    int fd() const noexcept { return fd_; }
    /// Tries to connect when it is time to.
    void handle_timeout(MonoClock::time_point now);
    MonoClock::time_point next_timeout() const noexcept { return next_try_; }
    /// `fd()` is readable.
    void receive(MonoClock::time_point now);

    std::uint64_t bad_frames() const noexcept { return bad_frames_ + reader_->bad_frames(); }

private:
    void disconnect(MonoClock::time_point now);

    std::string path_;
    OnMessage on_message_;
    OnDisconnect on_disconnect_;
    int fd_ = -1;
    int last_error_ = 0;
    MonoClock::time_point next_try_{};
    std::unique_ptr<telemetry::FrameReader> reader_;
    std::uint64_t bad_frames_ = 0;
    std::vector<std::uint8_t> buffer_;
};

}  // namespace gnomon::mgmtd
