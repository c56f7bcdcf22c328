#include "dataplane/dpdk/queue_worker.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "dataplane/dpdk/cycle_counter.h"
#include "dataplane/wire/ethernet.h"

namespace gnomon {

namespace {

/// Stamps older than this, or from the future, are not of the frame they came with.
constexpr std::int64_t kOldestStampNs = 500'000'000;
constexpr std::int64_t kFutureNs = 2'000;
/// Of the kernel's clock readings for stamps.
constexpr double kKernelStampSdS = 15e-9;
/// Frames taken from the kernel per turn.
constexpr int kFromKernel = 16;
/// Turns after which a transmit stamp is given up.
constexpr std::uint64_t kStampPatience = 100'000;

std::size_t source_index(TimestampSource source) noexcept {
    return static_cast<std::size_t>(source);
}

/// Where the NTP payload of an answer begins: answers have plain IP headers.
std::size_t payload_offset(std::span<const std::uint8_t> frame) noexcept {
    const auto header = parse_ethernet(frame);
    if (!header) return 0;
    const bool is_ipv6 = header->ether_type == kEtherTypeIpv6;
    if (!is_ipv6 && header->ether_type != kEtherTypeIpv4) return 0;
    return header->size() + (is_ipv6 ? 40 : 20) + 8;
}

}  // namespace

QueueWorker::QueueWorker(QueueWorkerConfig config, NicDevice& nic,
                         const SeqLock<CounterLine>& nic_line, ExceptionPath* exception,
                         WorkerContext& context, ClientLog& log, TimestampStore& store,
                         RandomSource& seed)
    : config_(std::move(config)),
      nic_(nic),
      nic_line_(nic_line),
      exception_(exception),
      context_(context),
      tables_(context.tables.add_reader()),
      random_(seed),
      analytics_(seed.next()),
      server_(config_.server, log, store, random_) {
    server_.responder().set_analytics(&analytics_);
    config_.burst = std::clamp(config_.burst, 1U, static_cast<unsigned>(FrameServer::kMaxBurst));
}

void QueueWorker::run(const std::atomic<bool>& stop) noexcept {
    while (!stop.load(std::memory_order_relaxed)) {
        if (!turn()) relax_cpu();
    }
    tables_.leave();
}

bool QueueWorker::turn() noexcept {
    counters_.turns.add();
    const ServerTables* tables = tables_.enter();
    const std::uint64_t polled = read_cycles();
    const std::size_t count = nic_.receive(config_.queue, std::span(frames_).first(config_.burst),
                                           std::span(buffers_).first(config_.burst));
    if (count == 0) {
        receive_clock_.empty(polled);
        counters_.empty_turns.add();
        return look_after_others();
    }
    const std::uint64_t received = read_cycles();
    counters_.add_stage(WorkerStage::Receive, received - polled);
    counters_.bursts.add();
    counters_.rx_frames.add(count);
    if (count == config_.burst) counters_.full_bursts.add();
    const CounterLine line = context_.line.load();
    if (tables == nullptr || !line.is_valid() || !taking_.load(std::memory_order_relaxed)) {
        for (std::size_t i = 0; i < count; ++i) nic_.release(buffers_[i]);
        counters_.not_taken.add(count);
    } else {
        // Whoever was interrupted in the call saw the ring after that.
        stamp_burst(count, received - polled > kInterrupted ? received : polled, received, line);
        if (CaptureTap* tap = open_tap(); tap != nullptr) {
            for (const Frame& frame : std::span(frames_).first(count)) {
                tap->offer({frame.data, frame.length}, frame.stamp, CaptureDirection::In);
            }
        }
        server_.receive(std::span(frames_).first(count), context_.state.load(), *tables);
        const std::size_t answers = sort_burst(count);
        const std::uint64_t answered = read_cycles();
        counters_.add_stage(WorkerStage::Answer, answered - received);
        if (answers != 0) send_answers(answers, answered, line);
        pass_sightings();
    }
    look_after_others();
    counters_.busy_cycles.add(read_cycles() - polled);
    return true;
}

void QueueWorker::stamp_burst(std::size_t count, std::uint64_t polled, std::uint64_t received,
                              const CounterLine& line) noexcept {
    const auto estimate = receive_clock_.burst(polled, count == config_.burst);
    const SystemTime now = line.to_system(received);
    Stamp by_poll;
    by_poll.time = line.to_system(estimate.count);
    const double half_s = static_cast<double>(estimate.half_width) * line.ns_per_count * 1e-9;
    by_poll.variance_s2 = half_s * half_s / 3.0 + line.variance_s2;
    double waited_ns = 0.0;
    std::size_t stamped = 0;
    for (std::size_t i = 0; i < count; ++i) {
        Stamp& stamp = frames_[i].stamp;
        stamp = by_poll;
        if (buffers_[i].kind != NicTime::None) {
            Stamp own = device_stamp(buffers_[i]);
            const std::int64_t age = (now - own.time).ns();
            if (age > -kFutureNs && age < kOldestStampNs) {
                stamp = own;
                waited_ns += static_cast<double>(age);
                ++stamped;
            }
        }
        counters_.rx_stamps[source_index(stamp.source)].add();
    }
    if (stamped == 0) {
        waited_ns = estimate.queued_counts * line.ns_per_count;
        stamped = 1;
    }
    constexpr double kSmoothing = 1.0 / 64;
    const double before = counters_.queueing_ns.load(std::memory_order_relaxed);
    counters_.queueing_ns.store(
        before + (waited_ns / static_cast<double>(stamped) - before) * kSmoothing,
        std::memory_order_relaxed);
}

Stamp QueueWorker::device_stamp(const NicBuffer& buffer) const noexcept {
    Stamp stamp;
    switch (buffer.kind) {
        case NicTime::Device: {
            const CounterLine line = nic_line_.load();
            if (!line.is_valid()) break;
            stamp.time = line.to_system(static_cast<std::uint64_t>(buffer.time_ns));
            stamp.source = TimestampSource::Hardware;
            stamp.variance_s2 = line.variance_s2;
            break;
        }
        case NicTime::Mono:
            stamp.time = SystemTime::from_ns(
                buffer.time_ns + context_.mono_to_system_ns.load(std::memory_order_relaxed));
            stamp.source = TimestampSource::Kernel;
            stamp.variance_s2 = kKernelStampSdS * kKernelStampSdS;
            break;
        case NicTime::System:
            stamp.time = SystemTime::from_ns(buffer.time_ns);
            stamp.source = TimestampSource::Kernel;
            stamp.variance_s2 = kKernelStampSdS * kKernelStampSdS;
            break;
        case NicTime::None: break;
    }
    return stamp;
}

/// Moves what is to be sent to the front and gets rid of the rest; returns how many are to be sent.
std::size_t QueueWorker::sort_burst(std::size_t count) noexcept {
    std::size_t answers = 0;
    bool to_kernel = false;
    for (std::size_t i = 0; i < count; ++i) {
        const Frame& frame = frames_[i];
        if (frame.verdict == FrameVerdict::Reply || frame.verdict == FrameVerdict::Answered) {
            if (answers != i) {
                frames_[answers] = frame;
                buffers_[answers] = buffers_[i];
            }
            ++answers;
            continue;
        }
        if (frame.verdict == FrameVerdict::ToControl) forward(frame);
        if (frame.verdict == FrameVerdict::ToKernel && exception_ != nullptr) {
            if (exception_->to_kernel({frame.data, frame.length})) {
                to_kernel = true;
            } else {
                counters_.to_kernel_lost.add();
            }
        }
        nic_.release(buffers_[i]);
    }
    if (to_kernel) exception_->flush();
    return answers;
}

void QueueWorker::finish_answers(std::span<Frame> answers, std::uint64_t read,
                                 const CounterLine& line) noexcept {
    if (nic_.capabilities().transmit_stamps != TransmitStamping::None) {
        // The responder learns from the stamps how long frames take.
        server_.finish(answers, line.to_system(read));
        return;
    }
    // As many at once as leave within some tens of nanoseconds.
    constexpr double kTogether = 100.0;
    const double each = std::max(transmit_clock_.per_frame(), 1.0);
    const auto chunk = static_cast<std::size_t>(std::clamp(kTogether / each, 1.0, 64.0));
    for (std::size_t done = 0; done < answers.size(); done += chunk) {
        const std::size_t size = std::min(chunk, answers.size() - done);
        const double middle = static_cast<double>(size - 1) / 2.0;
        const double wait = transmit_clock_.predict(done) + middle * each;
        server_.finish(answers.subspan(done, size),
                       line.to_system(read + static_cast<std::uint64_t>(wait)));
    }
}

void QueueWorker::send_answers(std::size_t count, std::uint64_t read,
                               const CounterLine& line) noexcept {
    const std::span<Frame> answers = std::span(frames_).first(count);
    finish_answers(answers, read, line);
    arm_stamps(answers, read);
    if (CaptureTap* tap = open_tap(); tap != nullptr) {
        // Before they are the device's; the time is the one that T3 was made of.
        Stamp stamp;
        stamp.time = line.to_system(read);
        stamp.variance_s2 = line.variance_s2;
        for (const Frame& frame : answers) {
            tap->offer({frame.data, frame.length}, stamp, CaptureDirection::Out);
        }
    }
    const std::uint64_t finished = read_cycles();
    const std::size_t sent =
        nic_.send(config_.queue, answers, std::span<const NicBuffer>(buffers_).first(count));
    const std::uint64_t after = read_cycles();
    counters_.add_stage(WorkerStage::Finish, finished - read);
    counters_.add_stage(WorkerStage::Send, after - finished);
    if (sent == count) transmit_clock_.observe(after - read, count);
    const SystemTime gone = line.to_system(after);
    for (std::size_t i = 0; i < sent; ++i) {
        counters_.add_latency((gone - answers[i].stamp.time).ns(), 1);
    }
    counters_.tx_frames.add(sent);
    for (std::size_t i = sent; i < count; ++i) {
        if (answers[i].verdict == FrameVerdict::Reply) server_.responder().count_send_failure();
        counters_.tx_failed.add();
        nic_.release(buffers_[i]);
    }
    take_transmit_stamps(line);
}

void QueueWorker::arm_stamps(std::span<const Frame> answers, std::uint64_t read) noexcept {
    const TransmitStamping kind = nic_.capabilities().transmit_stamps;
    if (kind == TransmitStamping::None) return;
    if (armed_) {
        if (counters_.turns.get() - armed_turn_ < kStampPatience) return;
        counters_.tx_stamps_missed.add();
        armed_ = false;
    }
    for (std::size_t i = 0; i < answers.size(); ++i) {
        if (!answers[i].want_stamp) continue;
        // The kernel's stamps cost it some hundred nanoseconds for every frame of the burst.
        if (kind == TransmitStamping::Burst && read - armed_read_ < kStampSpacing) return;
        nic_.arm_transmit_stamp(config_.queue, buffers_[i]);
        armed_ = true;
        armed_read_ = read;
        armed_turn_ = counters_.turns.get();
        armed_cookie_ = answers[i].cookie;
        return;
    }
}

Stamp QueueWorker::transmit_stamp(const NicTransmitStamp& stamp) const noexcept {
    return device_stamp(NicBuffer{nullptr, stamp.kind, stamp.time_ns});
}

void QueueWorker::take_transmit_stamps(const CounterLine& line) noexcept {
    NicTransmitStamp taken;
    while (armed_ && nic_.take_transmit_stamp(config_.queue, taken)) {
        TxStampReport report;
        report.stamp = transmit_stamp(taken);
        const std::int64_t age = (line.to_system(read_cycles()) - report.stamp.time).ns();
        if (report.stamp.time.is_zero() || age < -kFutureNs || age > kOldestStampNs) {
            counters_.tx_stamps_missed.add();
        } else if (taken.frame.empty()) {
            report.cookie = armed_cookie_;
            armed_ = false;
            server_.responder().on_transmit_stamp(report);
            counters_.tx_stamps.add();
        } else if (const std::size_t offset = payload_offset(taken.frame);
                   offset != 0 && offset < taken.frame.size()) {
            report.payload = taken.frame.subspan(offset);
            server_.responder().on_transmit_stamp(report);
            counters_.tx_stamps.add();
        }
    }
    if (nic_.capabilities().transmit_stamps == TransmitStamping::Burst) armed_ = false;
}

/// What comes from elsewhere; false when there was nothing.
bool QueueWorker::look_after_others() noexcept {
    bool any = false;
    if (rings_.outgoing.front() != nullptr) {
        const CounterLine line = context_.line.load();
        while (OutgoingFrame* outgoing = rings_.outgoing.front()) {
            send_outgoing(*outgoing, line);
            rings_.outgoing.pop();
        }
        any = true;
    }
    if (armed_ && nic_.capabilities().transmit_stamps == TransmitStamping::Frame) {
        take_transmit_stamps(context_.line.load());
    }
    if (exception_ != nullptr && !exception_->front().empty()) {
        send_from_kernel();
        any = true;
    }
    return any;
}

void QueueWorker::send_outgoing(const OutgoingFrame& outgoing, const CounterLine& line) noexcept {
    Frame frame;
    NicBuffer buffer;
    if (!nic_.allocate(config_.queue, frame, buffer)) {
        counters_.tx_failed.add();
        return;
    }
    if (frame.capacity < outgoing.size) {
        nic_.release(buffer);
        return;
    }
    std::memcpy(frame.data, outgoing.bytes.data(), outgoing.size);
    frame.length = static_cast<std::uint16_t>(outgoing.size);
    const bool stamped =
        outgoing.want_stamp && nic_.capabilities().transmit_stamps == TransmitStamping::Burst;
    if (stamped) nic_.arm_transmit_stamp(config_.queue, buffer);
    const std::uint64_t before = read_cycles();
    if (CaptureTap* tap = open_tap(); tap != nullptr) {
        Stamp stamp;
        stamp.time = line.to_system(before);
        tap->offer({frame.data, frame.length}, stamp, CaptureDirection::Out);
    }
    if (nic_.send(config_.queue, {&frame, 1}, {&buffer, 1}) != 1) {
        nic_.release(buffer);
        counters_.tx_failed.add();
        return;
    }
    const std::uint64_t after = read_cycles();
    counters_.tx_frames.add();
    if (!outgoing.want_stamp || outgoing.payload_offset == 0) return;
    // Somewhere within the call, if nobody says more.
    Stamp stamp;
    stamp.time = line.to_system(before + (after - before) / 2);
    const double half_s = static_cast<double>(after - before) / 2.0 * line.ns_per_count * 1e-9;
    stamp.variance_s2 = half_s * half_s / 3.0 + line.variance_s2;
    NicTransmitStamp taken;
    while (stamped && nic_.take_transmit_stamp(config_.queue, taken)) {
        if (taken.frame.size() != outgoing.size) continue;
        const Stamp exact = transmit_stamp(taken);
        const std::int64_t age = (line.to_system(after) - exact.time).ns();
        if (age > -kFutureNs && age < kOldestStampNs) stamp = exact;
    }
    forward_stamp(outgoing, stamp);
}

void QueueWorker::send_from_kernel() noexcept {
    for (int i = 0; i < kFromKernel; ++i) {
        const std::span<const std::uint8_t> bytes = exception_->front();
        if (bytes.empty()) return;
        Frame frame;
        NicBuffer buffer;
        if (nic_.allocate(config_.queue, frame, buffer)) {
            const bool fits = bytes.size() <= frame.capacity;
            if (fits) std::memcpy(frame.data, bytes.data(), bytes.size());
            frame.length = static_cast<std::uint16_t>(bytes.size());
            if (fits && nic_.send(config_.queue, {&frame, 1}, {&buffer, 1}) == 1) {
                counters_.tx_frames.add();
            } else {
                nic_.release(buffer);
                counters_.tx_failed.add();
            }
        } else {
            counters_.tx_failed.add();
        }
        exception_->pop();
    }
}

void QueueWorker::forward(const Frame& frame) noexcept {
    const RxDatagram& datagram = server_.datagram(frame);
    Forwarded* slot = rings_.forwarded.begin_push();
    if (slot == nullptr || datagram.payload.size() > slot->bytes.size()) {
        counters_.forward_lost.add();
        return;
    }
    slot->kind = Forwarded::Kind::Datagram;
    slot->datagram = datagram;
    slot->report = TxStampReport();
    slot->local_port = frame.local_port;
    slot->size = datagram.payload.size();
    std::copy(datagram.payload.begin(), datagram.payload.end(), slot->bytes.begin());
    push_forwarded();
}

void QueueWorker::forward_stamp(const OutgoingFrame& outgoing, const Stamp& stamp) noexcept {
    Forwarded* slot = rings_.forwarded.begin_push();
    const std::size_t size = outgoing.payload_size;
    if (slot == nullptr || size > slot->bytes.size()) {
        counters_.forward_lost.add();
        return;
    }
    slot->kind = Forwarded::Kind::TransmitStamp;
    slot->datagram = RxDatagram();
    slot->report = TxStampReport();
    slot->report.cookie = outgoing.cookie;
    slot->report.stamp = stamp;
    slot->report.remote = outgoing.remote;
    slot->local_port = outgoing.local_port;
    slot->size = size;
    std::memcpy(slot->bytes.data(), outgoing.bytes.data() + outgoing.payload_offset, size);
    push_forwarded();
}

void QueueWorker::push_forwarded() noexcept {
    rings_.forwarded.end_push();
    counters_.forwarded.add();
    const std::uint64_t one = 1;
    // Full counter: the reader has been woken long ago.
    [[maybe_unused]] const ssize_t written = write(context_.forward_event, &one, sizeof(one));
}

void QueueWorker::pass_sightings() noexcept {
    for (const NeighbourSighting& sighting : server_.sightings()) {
        NeighbourSighting* slot = rings_.sightings.begin_push();
        if (slot == nullptr) break;
        *slot = sighting;
        rings_.sightings.end_push();
    }
    if (server_.take_membership_query()) announce_.store(true, std::memory_order_relaxed);
}

}  // namespace gnomon
