#include "dataplane/capture/capture_file.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "dataplane/capture/pcapng.h"
#include "dataplane/capture/pcapng_format.h"

namespace gnomon {

namespace {

using namespace pcapng;

constexpr std::uint32_t kClassicMicroseconds = 0xA1B2C3D4;
constexpr std::uint32_t kClassicNanoseconds = 0xA1B23C4D;
constexpr std::size_t kClassicHeader = 24;
constexpr std::size_t kClassicRecord = 16;
constexpr std::size_t kMostInterfaces = 4096;
constexpr std::size_t kPacketFixed = 20;

constexpr std::uint32_t swapped(std::uint32_t v) noexcept {
    return (v >> 24) | ((v >> 8) & 0xff00U) | ((v << 8) & 0xff'0000U) | (v << 24);
}

/// The number after `key` ("sd=") in nanoseconds, as seconds.
double comment_seconds(std::string_view comment, std::string_view key) noexcept {
    const std::size_t at = comment.find(key);
    if (at == std::string_view::npos) return 0.0;
    const char* begin = comment.data() + at + key.size();
    double ns = 0.0;
    const auto parsed = std::from_chars(begin, comment.data() + comment.size(), ns);
    if (parsed.ec != std::errc() || !std::isfinite(ns) || ns < 0.0 || ns > 1e12) return 0.0;
    return ns * 1e-9;
}

void apply_comment(std::string_view comment, Stamp& stamp) noexcept {
    constexpr std::string_view kStamp = "stamp=";
    if (comment.substr(0, kStamp.size()) != kStamp) return;
    const std::string_view name = comment.substr(kStamp.size());
    for (const auto source :
         {TimestampSource::Daemon, TimestampSource::Kernel, TimestampSource::Hardware}) {
        const std::string_view text = stamp_source_name(source);
        if (name.substr(0, text.size()) == text) stamp.source = source;
    }
    const double sd_s = comment_seconds(comment, " sd=");
    stamp.variance_s2 = sd_s * sd_s;
    stamp.error_s = comment_seconds(comment, " error=");
}

}  // namespace

std::string CaptureFileError::to_string() const {
    return "at byte " + std::to_string(offset) + ": " + reason;
}

Unexpected<CaptureFileError> CaptureFile::fail(const char* reason) const {
    return Unexpected(CaptureFileError{at_, reason});
}

std::uint16_t CaptureFile::u16(std::size_t at) const noexcept {
    const auto a = file_[at];
    const auto b = file_[at + 1];
    return static_cast<std::uint16_t>(big_endian_ ? (a << 8) | b : (b << 8) | a);
}

std::uint32_t CaptureFile::u32(std::size_t at) const noexcept {
    const std::uint32_t first = u16(at);
    const std::uint32_t second = u16(at + 2);
    return big_endian_ ? (first << 16) | second : (second << 16) | first;
}

Result<CaptureFile, CaptureFileError> CaptureFile::open(std::span<const std::uint8_t> data) {
    CaptureFile file(data);
    if (data.size() < kClassicHeader) return file.fail("too short to be a capture");
    const std::uint32_t magic = file.u32(0);
    if (magic == kSectionBlock) return file;
    if (file.open_classic(magic)) return file;
    return file.fail("neither pcap nor pcapng");
}

bool CaptureFile::open_classic(std::uint32_t magic) {
    for (const std::uint32_t known : {kClassicMicroseconds, kClassicNanoseconds}) {
        if (magic != known && magic != swapped(known)) continue;
        big_endian_ = magic != known;
        classic_ = true;
        Interface interface;
        // The upper bits tell of check sequences.
        interface.link = static_cast<std::uint16_t>(u32(20) & 0xffff);
        if (known == kClassicNanoseconds) interface.clock.ticks_per_second = 1'000'000'000;
        interfaces_.push_back(interface);
        names_.push_back({"", interface.link});
        at_ = kClassicHeader;
        return true;
    }
    return false;
}

Result<std::optional<CaptureFilePacket>, CaptureFileError> CaptureFile::next() {
    if (classic_) return next_classic();
    while (at_ != file_.size()) {
        bool found = false;
        Step step = next_block(found);
        if (!step || found) return step;
    }
    return Packet();
}

CaptureFile::Step CaptureFile::next_classic() {
    if (at_ == file_.size()) return Packet();
    if (file_.size() - at_ < kClassicRecord) return fail("incomplete record header");
    CaptureFilePacket packet;
    packet.offset = at_;
    packet.link = interfaces_[0].link;
    const Clock& clock = interfaces_[0].clock;
    const std::uint64_t fraction = u32(at_ + 4);
    if (fraction >= clock.ticks_per_second) return fail("a fraction of more than a second");
    packet.stamp.time = to_time(clock, u32(at_) * clock.ticks_per_second + fraction);
    const std::uint32_t captured = u32(at_ + 8);
    packet.length = u32(at_ + 12);
    if (captured > file_.size() - at_ - kClassicRecord) return fail("record longer than the file");
    if (captured > packet.length) return fail("more bytes captured than there were");
    packet.bytes = file_.subspan(at_ + kClassicRecord, captured);
    at_ += kClassicRecord + captured;
    return Packet(packet);
}

std::size_t CaptureFile::block_length() const noexcept {
    const std::size_t left = file_.size() - at_;
    if (left < 12) return 0;
    const std::uint32_t length = u32(at_ + 4);
    if (length < 12 || length % 4 != 0 || length > left) return 0;
    return u32(at_ + length - 4) == length ? length : 0;
}

CaptureFile::Step CaptureFile::next_block(bool& found) {
    if (file_.size() - at_ < 12) return fail("incomplete block");
    const std::uint32_t type = u32(at_);
    if (type == kSectionBlock) {
        // The byte order of what follows, the length too.
        const bool was_big = big_endian_;
        big_endian_ = false;
        const std::uint32_t magic = u32(at_ + 8);
        if (magic != kByteOrderMagic && magic != swapped(kByteOrderMagic)) {
            big_endian_ = was_big;
            return fail("section without a byte order");
        }
        big_endian_ = magic != kByteOrderMagic;
        interfaces_.clear();
    }
    const std::size_t length = block_length();
    if (length == 0) return fail("lengths of the block do not add up");
    const auto body = file_.subspan(at_ + 8, length - 12);
    Step step = Packet();
    if (type == kSectionBlock) {
        if (body.size() < 16) return fail("section block too short");
        if (u16(at_ + 12) != 1) return fail("unknown version of the format");
    } else if (type == kInterfaceBlock) {
        step = read_interface(body);
    } else if (type == kPacketBlock) {
        step = read_packet(body);
        found = true;
    } else if (type == kObsoletePacketBlock || type == kSimplePacketBlock) {
        return fail("packets in blocks of a kind without stamps or out of use");
    }
    if (step) at_ += length;
    return step;
}

CaptureFile::Step CaptureFile::read_interface(std::span<const std::uint8_t> body) {
    if (body.size() < 8) return fail("interface block too short");
    if (names_.size() >= kMostInterfaces) return fail("too many interfaces");
    Interface interface;
    interface.link = u16(at_ + 8);
    interface.id = names_.size();
    CaptureFileInterface name{"", interface.link};
    const std::size_t end = at_ + 8 + body.size();
    for (std::size_t at = at_ + 16; end - at >= 4;) {
        const std::uint16_t code = u16(at);
        const std::size_t size = u16(at + 2);
        at += 4;
        if (code == kEndOfOptions) break;
        if (size > end - at) return fail("option longer than its block");
        if (code == kInterfaceName) {
            name.name.assign(reinterpret_cast<const char*>(file_.data() + at), size);
        }
        if (code == kInterfaceResolution && size == 1) {
            const std::uint8_t value = file_[at];
            const unsigned power = value & 0x7fU;
            const bool binary = (value & 0x80U) != 0;
            if (power > (binary ? 60U : 18U)) return fail("a resolution that is too fine");
            std::uint64_t ticks = 1;
            for (unsigned i = 0; i < power; ++i) ticks *= binary ? 2 : 10;
            interface.clock.ticks_per_second = ticks;
        }
        if (code == kInterfaceOffset && size == 8) {
            const std::uint64_t first = u32(at);
            const std::uint64_t second = u32(at + 4);
            const std::uint64_t bits = big_endian_ ? first << 32 | second : second << 32 | first;
            interface.clock.offset_s = static_cast<std::int64_t>(bits);
        }
        at += std::min((size + 3) / 4 * 4, end - at);
    }
    interfaces_.push_back(interface);
    names_.push_back(std::move(name));
    return Packet();
}

CaptureFile::Step CaptureFile::read_packet(std::span<const std::uint8_t> body) {
    if (body.size() < kPacketFixed) return fail("packet block too short");
    const std::size_t begin = at_ + 8;
    const std::uint32_t id = u32(begin);
    if (id >= interfaces_.size()) return fail("packet of an interface that was not described");
    const Interface& interface = interfaces_[id];
    const std::uint64_t ticks = std::uint64_t{u32(begin + 4)} << 32 | u32(begin + 8);
    const std::uint32_t captured = u32(begin + 12);
    if (captured > body.size() - kPacketFixed) return fail("packet longer than its block");

    CaptureFilePacket packet;
    packet.offset = at_;
    packet.link = interface.link;
    packet.interface_id = interface.id;
    packet.stamp.time = to_time(interface.clock, ticks);
    packet.length = u32(begin + 16);
    if (captured > packet.length) return fail("more bytes captured than there were");
    packet.bytes = body.subspan(kPacketFixed, captured);
    const std::size_t end = begin + body.size();
    const std::size_t padded = (std::size_t{captured} + 3) / 4 * 4;
    read_packet_options(std::min(begin + kPacketFixed + padded, end), end, packet);
    return Packet(packet);
}

/// What cannot be read is left out: options are only comments on a packet that is there.
void CaptureFile::read_packet_options(std::size_t at, std::size_t end,
                                      CaptureFilePacket& packet) const {
    while (end - at >= 4) {
        const std::uint16_t code = u16(at);
        const std::size_t size = u16(at + 2);
        at += 4;
        if (code == kEndOfOptions || size > end - at) return;
        if (code == kPacketFlags && size == 4) {
            const std::uint32_t direction = u32(at) & kDirectionMask;
            if (direction == kInbound) packet.direction = CaptureFilePacket::Direction::In;
            if (direction == kOutbound) packet.direction = CaptureFilePacket::Direction::Out;
        }
        if (code == kComment) {
            apply_comment({reinterpret_cast<const char*>(file_.data() + at), size}, packet.stamp);
        }
        at += std::min((size + 3) / 4 * 4, end - at);
    }
}

SystemTime CaptureFile::to_time(const Clock& clock, std::uint64_t ticks) noexcept {
    constexpr std::int64_t kNs = 1'000'000'000;
    // Stamps beyond what 63 bits of nanoseconds hold are nonsense; they become the nearest that is not.
    constexpr std::int64_t kMost_s = std::numeric_limits<std::int64_t>::max() / kNs - 1;
    const std::uint64_t whole = ticks / clock.ticks_per_second;
    const std::uint64_t rest = ticks % clock.ticks_per_second;
    std::int64_t seconds =
        whole > static_cast<std::uint64_t>(kMost_s) ? kMost_s : static_cast<std::int64_t>(whole);
    const std::int64_t offset = std::clamp(clock.offset_s, -kMost_s, kMost_s);
    seconds = std::clamp(seconds + offset, -kMost_s, kMost_s);
    const auto fraction = static_cast<long double>(rest) /
                          static_cast<long double>(clock.ticks_per_second) *
                          static_cast<long double>(kNs);
    const auto ns = std::min<std::int64_t>(std::llround(fraction), kNs - 1);
    return SystemTime::from_ns(seconds * kNs + ns);
}

}  // namespace gnomon
