#pragma once

/// `ReplayPort`: a capture file as a `Port`. Requests to the server's port come out as they were
/// received, with the capture's stamps; replies are finished at a made-up time a little later and
/// handed to the owner. Nothing depends on the present time: the same file gives the same run.
///
/// What the server sent (packets marked outgoing, or from the server's port with the mode of an
/// answer) is not replayed. It is looked at for one thing: an interleaved request names the receive
/// timestamp of the server's previous reply, and our reply had another one. The port puts ours in its
/// place, except under a MAC.

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

#include "dataplane/capture/capture_file.h"
#include "dataplane/port/port.h"
#include "dataplane/wire/ntp_packet.h"

namespace gnomon {

class ReplayPort final : public Port {
public:
    struct Options {
        std::uint16_t server_port = 123;
        /// From the last request of a batch to the reading of the clock for its replies, and from
        /// there to the transmit stamp.
        Duration service = Duration::from_us(20);
        Duration departure = Duration::from_us(5);
        /// Each reply as it leaves, with its headers' addresses; may be empty.
        std::function<void(const UdpPacket& reply, const Stamp& stamp)> on_reply;
    };
    struct Counts {
        std::uint64_t packets = 0;  ///< in the file, as far as it was read
        std::uint64_t requests = 0;
        std::uint64_t outgoing = 0;    ///< what the server of then sent
        std::uint64_t other_port = 0;  ///< UDP, but not for the server
        std::uint64_t too_long = 0;    ///< longer than any NTP packet
        std::uint64_t translated = 0;  ///< interleaved requests that got our timestamp
        std::array<std::uint64_t, static_cast<std::size_t>(FrameSkip::Count)> skipped{};
    };

    ReplayPort(CaptureFile file, Options options);

    /// At most 64; 0 only at the end of the file. Ends early where the server's own packets follow,
    /// so that order is kept.
    std::size_t receive(std::span<RxDatagram> out) override;
    std::size_t send(std::span<const TxDatagram> datagrams) override;
    std::size_t transmit_stamps(std::span<TxStampReport> out) override;

    const Counts& counts() const noexcept { return counts_; }
    /// Why the reading ended before the end of the file.
    const std::optional<CaptureFileError>& error() const noexcept { return error_; }

private:
    static constexpr std::size_t kBatch = 64;
    static constexpr std::size_t kMostRemembered = 1 << 20;

    /// The next packet that is a request; empty when `receive` is to end.
    bool next(RxDatagram& datagram, std::size_t used);
    void note_outgoing(const UdpPacket& packet);
    void translate(std::span<std::uint8_t> request);

    CaptureFile file_;
    Options options_;
    Counts counts_;
    std::optional<CaptureFileError> error_;
    /// Read, but left for the next batch.
    std::optional<CaptureFilePacket> pending_;
    std::vector<std::array<std::uint8_t, kNtpMaxSize>> buffers_;
    std::vector<TxStampReport> stamps_;
    SystemTime last_;
    /// Our last receive timestamp, by client; and by the one the server of then used.
    std::map<SocketAddress, std::uint64_t> ours_by_client_;
    std::unordered_map<std::uint64_t, std::uint64_t> ours_by_theirs_;
};

}  // namespace gnomon
