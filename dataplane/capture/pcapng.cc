#include "dataplane/capture/pcapng.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "dataplane/capture/pcapng_format.h"

namespace gnomon {

namespace {

using namespace pcapng;

constexpr std::size_t kLongestText = 255;
constexpr std::uint8_t kNanoseconds = 9;

/// A block under construction: type and length first, the length again at the end.
class Block {
public:
    Block(std::uint32_t type, std::span<std::uint8_t> out) noexcept : out_(out) {
        u32(type);
        u32(0);
    }

    void u16(std::uint16_t value) noexcept { integer(value, 2); }
    void u32(std::uint32_t value) noexcept { integer(value, 4); }
    /// As the format has 64-bit stamps: the upper half first, each half in the file's order.
    void time(SystemTime t) noexcept {
        const auto ns = static_cast<std::uint64_t>(std::max<std::int64_t>(t.ns(), 0));
        u32(static_cast<std::uint32_t>(ns >> 32));
        u32(static_cast<std::uint32_t>(ns));
    }
    /// Padded to 32 bits.
    void bytes(std::span<const std::uint8_t> data) noexcept {
        if (reserve((data.size() + 3) / 4 * 4)) {
            std::copy(data.begin(), data.end(), out_.begin() + static_cast<std::ptrdiff_t>(size_));
            const std::size_t padded = (data.size() + 3) / 4 * 4;
            std::fill_n(out_.begin() + static_cast<std::ptrdiff_t>(size_ + data.size()),
                        padded - data.size(), std::uint8_t{0});
            size_ += padded;
        }
    }
    void text_option(std::uint16_t code, std::string_view text) noexcept {
        if (text.empty()) return;
        text = text.substr(0, kLongestText);
        u16(code);
        u16(static_cast<std::uint16_t>(text.size()));
        bytes({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
    }
    void number_option(std::uint16_t code, std::uint32_t value) noexcept {
        u16(code);
        u16(4);
        u32(value);
    }
    void byte_option(std::uint16_t code, std::uint8_t value) noexcept {
        u16(code);
        u16(1);
        bytes({&value, 1});
    }
    void time_option(std::uint16_t code, SystemTime t) noexcept {
        u16(code);
        u16(8);
        time(t);
    }
    void counter_option(std::uint16_t code, std::uint64_t value) noexcept {
        u16(code);
        u16(8);
        integer(value, 8);
    }
    void end_options() noexcept { u32(kEndOfOptions); }

    std::size_t finish() noexcept {
        u32(0);
        if (!fits_) return 0;
        const std::size_t end = size_;
        for (const std::size_t at : {std::size_t{4}, end - 4}) {
            size_ = at;
            u32(static_cast<std::uint32_t>(end));
        }
        return end;
    }

private:
    bool reserve(std::size_t size) noexcept {
        fits_ = fits_ && out_.size() - size_ >= size;
        return fits_;
    }
    void integer(std::uint64_t value, std::size_t size) noexcept {
        if (!reserve(size)) return;
        for (std::size_t i = 0; i < size; ++i) {
            out_[size_++] = static_cast<std::uint8_t>(value >> (8 * i));
        }
    }

    std::span<std::uint8_t> out_;
    std::size_t size_ = 0;
    bool fits_ = true;
};

char* append(char* at, std::string_view text) noexcept {
    return std::copy(text.begin(), text.end(), at);
}

char* append_ns(char* at, double seconds) noexcept {
    const double ns = std::clamp(seconds * 1e9, 0.0, 1e12);
    at = std::to_chars(at, at + 24, ns, std::chars_format::fixed, 1).ptr;
    return append(at, "ns");
}

}  // namespace

std::string_view stamp_source_name(TimestampSource source) noexcept {
    switch (source) {
        case TimestampSource::Kernel: return "kernel";
        case TimestampSource::Hardware: return "hardware";
        case TimestampSource::Daemon: break;
    }
    return "daemon";
}

std::size_t encode_pcapng_section(std::string_view application,
                                  std::span<std::uint8_t> out) noexcept {
    Block block(kSectionBlock, out);
    block.u32(kByteOrderMagic);
    block.u16(1);
    block.u16(0);
    block.u32(0xffff'ffff);  // the section's length is not known
    block.u32(0xffff'ffff);
    block.text_option(kSectionApplication, application);
    block.end_options();
    return block.finish();
}

std::size_t encode_pcapng_interface(const PcapngInterface& interface,
                                    std::span<std::uint8_t> out) noexcept {
    Block block(kInterfaceBlock, out);
    block.u16(interface.link);
    block.u16(0);
    block.u32(interface.snap_length);
    block.text_option(kInterfaceName, interface.name);
    block.text_option(kInterfaceDescription, interface.description);
    block.byte_option(kInterfaceResolution, kNanoseconds);
    block.end_options();
    return block.finish();
}

std::size_t encode_pcapng_packet(const PcapngPacket& packet, std::span<std::uint8_t> out) noexcept {
    Block block(kPacketBlock, out);
    block.u32(packet.interface_id);
    block.time(packet.stamp.time);
    block.u32(static_cast<std::uint32_t>(packet.bytes.size()));
    block.u32(packet.length);
    block.bytes(packet.bytes);
    block.number_option(kPacketFlags, packet.outgoing ? kOutbound : kInbound);
    std::array<char, 128> comment;
    char* end = append(comment.data(), "stamp=");
    end = append(end, stamp_source_name(packet.stamp.source));
    end = append(end, " sd=");
    end = append_ns(end, std::sqrt(std::max(packet.stamp.variance_s2, 0.0)));
    end = append(end, " error=");
    end = append_ns(end, packet.stamp.error_s);
    block.text_option(kComment, {comment.data(), static_cast<std::size_t>(end - comment.data())});
    block.end_options();
    return block.finish();
}

std::size_t encode_pcapng_statistics(const PcapngStatistics& statistics,
                                     std::span<std::uint8_t> out) noexcept {
    Block block(kStatisticsBlock, out);
    block.u32(statistics.interface_id);
    block.time(statistics.end);
    block.time_option(kStatisticsStart, statistics.start);
    block.time_option(kStatisticsEnd, statistics.end);
    block.counter_option(kStatisticsReceived, statistics.received);
    block.counter_option(kStatisticsDropped, statistics.dropped);
    block.end_options();
    return block.finish();
}

}  // namespace gnomon
