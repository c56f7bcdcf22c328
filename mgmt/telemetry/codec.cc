#include "mgmt/telemetry/codec.h"

#include <limits>

#include "mgmt/command/protocol.h"
#include "mgmt/telemetry/archive.h"
#include "mgmt/telemetry/fields.h"

namespace gnomon::telemetry {
namespace {

constexpr std::uint16_t kMagic = 0x4e47;  // "GN"
constexpr std::size_t kSectionHeaderSize = 8;
/// A source with its servos takes about half of it.
constexpr std::size_t kUsualSection = 1024;
constexpr std::uint8_t kFirst = 0x1;
constexpr std::uint8_t kLast = 0x2;

enum class FrameType : std::uint8_t { Hello = 1, Snapshot = 2, Events = 3, Measurement = 4 };

enum class Section : std::uint16_t {
    Hello = 1,
    Head = 2,
    Tracking = 3,
    State = 4,
    Activity = 5,
    ServerStats = 6,
    Rtc = 7,
    Smoothing = 8,
    Source = 9,
    Loop = 10,
    Clients = 11,
    Stream = 12,
    Event = 13,
    Measurement = 14,
};

Frame begin_frame(FrameType type, std::uint32_t sequence) {
    Frame frame;
    Writer w(frame);
    w.number(kMagic);
    w.number(kFrameVersion);
    w.code(type);
    w.number(std::uint32_t{0});
    w.number(sequence);
    return frame;
}

void set_flags(Frame& frame, std::uint8_t flags) { frame[4] = flags; }

template <typename Write>
Frame section(Section id, Write write) {
    Frame bytes;
    bytes.reserve(kUsualSection);
    Writer w(bytes);
    w.code(id);
    w.number(std::uint16_t{0});
    w.number(std::uint32_t{0});
    write(w);
    const std::size_t size = bytes.size() - kSectionHeaderSize;
    for (std::size_t i = 0; i < 4; ++i) {
        bytes[4 + i] = static_cast<std::uint8_t>(size >> (8 * i));
    }
    return bytes;
}

template <typename T>
void write_record(Writer& w, const T& value) {
    w.record([&] { fields(w, value); });
}

template <typename T>
Frame record_section(Section id, const T& value) {
    return section(id, [&](Writer& w) { write_record(w, value); });
}

template <typename T>
void write_optional(Writer& w, const std::optional<T>& value) {
    w.record([&] {
        if (value) fields(w, *value);
    });
}

template <typename T>
void read_record(Reader& r, T& value) {
    Reader record(r.record());
    fields(record, value);
}

template <typename T>
void read_optional(Reader& r, std::optional<T>& value) {
    Reader record(r.record());
    if (record.left() == 0) return;
    value.emplace();
    fields(record, *value);
}

Frame source_section(const Source& source) {
    return section(Section::Source, [&](Writer& w) {
        w.record([&] { w.text(source.name); });
        write_record(w, source.source);
        write_record(w, source.stats);
        write_record(w, source.select);
        write_optional(w, source.ntp);
        write_optional(w, source.auth);
        // What tells whose they are is in the other records.
        for (const command::ServoReport& servo : source.servos.servos) write_record(w, servo);
    });
}

Source read_source(Reader& r) {
    Source source;
    Reader name(r.record());
    name.text(source.name);
    read_record(r, source.source);
    read_record(r, source.stats);
    read_record(r, source.select);
    read_optional(r, source.ntp);
    read_optional(r, source.auth);
    source.servos.ref_id = source.stats.ref_id;
    source.servos.address = source.stats.address;
    while (r.left() > 0 && source.servos.servos.size() < command::kMaxServos) {
        read_record(r, source.servos.servos.emplace_back());
    }
    return source;
}

Frame clients_section(const ClientsReport& clients) {
    return section(Section::Clients, [&](Writer& w) {
        write_record(w, clients);
        for (const command::ClientAccess& client : clients.talkers) write_record(w, client);
    });
}

ClientsReport read_clients(Reader& r) {
    ClientsReport clients;
    read_record(r, clients);
    while (r.left() > 0 && clients.talkers.size() < ClientsReport::kTalkers) {
        read_record(r, clients.talkers.emplace_back());
    }
    return clients;
}

/// Fills frames with whole sections.
class Packing {
public:
    Packing(FrameType type, std::uint32_t& sequence) : type_(type), sequence_(sequence) { begin(); }

    void add(const Frame& section) {
        if (section.size() > kMaxFrameSize - kFrameHeaderSize) return;
        if (frames_.back().size() + section.size() > kMaxFrameSize) begin();
        Frame& frame = frames_.back();
        frame.insert(frame.end(), section.begin(), section.end());
    }
    std::vector<Frame> take() {
        for (std::size_t i = 0; i < frames_.size(); ++i) {
            set_flags(frames_[i], static_cast<std::uint8_t>((i == 0 ? kFirst : 0) |
                                                            (i + 1 == frames_.size() ? kLast : 0)));
        }
        return std::move(frames_);
    }

private:
    void begin() { frames_.push_back(begin_frame(type_, sequence_++)); }

    FrameType type_;
    std::uint32_t& sequence_;
    std::vector<Frame> frames_;
};

void read_section(Section id, Reader& r, Snapshot& snapshot) {
    switch (id) {
        case Section::Head: {
            Reader record(r.record());
            head_fields(record, snapshot);
            break;
        }
        case Section::Tracking: read_record(r, snapshot.tracking); break;
        case Section::State: read_record(r, snapshot.state); break;
        case Section::Activity: read_record(r, snapshot.activity); break;
        case Section::ServerStats: read_record(r, snapshot.server); break;
        case Section::Rtc: read_optional(r, snapshot.rtc); break;
        case Section::Smoothing: read_optional(r, snapshot.smoothing); break;
        case Section::Source:
            if (snapshot.sources.size() < kMaxSources) snapshot.sources.push_back(read_source(r));
            break;
        case Section::Loop: read_record(r, snapshot.loop); break;
        case Section::Clients: snapshot.clients = read_clients(r); break;
        case Section::Stream: read_record(r, snapshot.stream); break;
        default: break;
    }
}

/// Calls `use(id, reader)` for every section; false when the bytes do not add up.
template <typename Use>
bool for_each_section(std::span<const std::uint8_t> body, Use use) {
    while (!body.empty()) {
        if (body.size() < kSectionHeaderSize) return false;
        Reader header(body.first(kSectionHeaderSize));
        Section id{};
        header.code(id);
        std::uint16_t unused = 0;
        header.number(unused);
        std::uint32_t size = 0;
        header.number(size);
        body = body.subspan(kSectionHeaderSize);
        if (size > body.size()) return false;
        Reader content(body.first(size));
        use(id, content);
        body = body.subspan(size);
    }
    return true;
}

}  // namespace

void LatencyHistogram::add(std::int64_t ns) noexcept {
    const std::uint64_t value = ns > 0 ? static_cast<std::uint64_t>(ns) : 0;
    const auto bucket = static_cast<std::size_t>(std::bit_width(value / 1000));
    ++counts[std::min(bucket, kBuckets - 1)];
    total_ns += value;
    ++count;
}

double LatencyHistogram::bound_s(std::size_t bucket) noexcept {
    if (bucket + 1 >= kBuckets) return std::numeric_limits<double>::infinity();
    return std::ldexp(1e-6, static_cast<int>(bucket));
}

Frame FrameWriter::hello(const Hello& hello) {
    Packing packing(FrameType::Hello, sequence_);
    packing.add(record_section(Section::Hello, hello));
    return std::move(packing.take().front());
}

std::vector<Frame> FrameWriter::snapshot(const Snapshot& s) {
    Packing packing(FrameType::Snapshot, sequence_);
    packing.add(section(Section::Head, [&](Writer& w) { w.record([&] { head_fields(w, s); }); }));
    packing.add(record_section(Section::Tracking, s.tracking));
    packing.add(record_section(Section::State, s.state));
    packing.add(record_section(Section::Activity, s.activity));
    packing.add(record_section(Section::ServerStats, s.server));
    if (s.rtc) packing.add(record_section(Section::Rtc, *s.rtc));
    if (s.smoothing) packing.add(record_section(Section::Smoothing, *s.smoothing));
    packing.add(record_section(Section::Loop, s.loop));
    packing.add(record_section(Section::Stream, s.stream));
    if (s.clients) packing.add(clients_section(*s.clients));
    for (const Source& source : s.sources) packing.add(source_section(source));
    return packing.take();
}

std::vector<Frame> FrameWriter::events(std::span<const Event> events) {
    Packing packing(FrameType::Events, sequence_);
    for (const Event& event : events) packing.add(record_section(Section::Event, event));
    return packing.take();
}

Frame FrameWriter::measurement(const Measurement& measurement) {
    Packing packing(FrameType::Measurement, sequence_);
    packing.add(record_section(Section::Measurement, measurement));
    return std::move(packing.take().front());
}

std::optional<Message> FrameReader::add_part(std::span<const std::uint8_t> body, bool first,
                                             bool last, std::uint32_t sequence) {
    if (first) {
        if (partial_) ++lost_;
        partial_.emplace();
    } else if (!partial_ || sequence != next_part_) {
        if (partial_) ++lost_;
        partial_.reset();
        return std::nullopt;
    }
    next_part_ = sequence + 1;
    if (!for_each_section(body,
                          [this](Section id, Reader& r) { read_section(id, r, *partial_); })) {
        ++bad_;
        partial_.reset();
        return std::nullopt;
    }
    if (!last) return std::nullopt;
    Message complete(std::move(*partial_));
    partial_.reset();
    return complete;
}

std::optional<Message> FrameReader::read(std::span<const std::uint8_t> frame) {
    Reader header(frame);
    std::uint16_t magic = 0;
    std::uint8_t version = 0;
    FrameType type{};
    std::uint32_t flags = 0;
    std::uint32_t sequence = 0;
    header.number(magic);
    header.number(version);
    header.code(type);
    header.number(flags);
    header.number(sequence);
    if (frame.size() < kFrameHeaderSize || magic != kMagic || version != kFrameVersion) {
        ++bad_;
        return std::nullopt;
    }
    const auto body = frame.subspan(kFrameHeaderSize);
    std::optional<Message> message;
    bool whole = true;
    switch (type) {
        case FrameType::Snapshot:
            return add_part(body, (flags & kFirst) != 0, (flags & kLast) != 0, sequence);
        case FrameType::Hello:
            whole = for_each_section(body, [&message](Section id, Reader& r) {
                if (id == Section::Hello) read_record(r, message.emplace().emplace<Hello>());
            });
            break;
        case FrameType::Events:
            message.emplace().emplace<std::vector<Event>>();
            whole = for_each_section(body, [&message](Section id, Reader& r) {
                auto& events = std::get<std::vector<Event>>(*message);
                if (id == Section::Event) read_record(r, events.emplace_back());
            });
            break;
        case FrameType::Measurement:
            whole = for_each_section(body, [&message](Section id, Reader& r) {
                if (id == Section::Measurement) {
                    read_record(r, message.emplace().emplace<Measurement>());
                }
            });
            break;
    }
    if (whole) return message;
    ++bad_;
    return std::nullopt;
}

}  // namespace gnomon::telemetry
