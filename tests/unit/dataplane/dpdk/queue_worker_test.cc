#include "dataplane/dpdk/queue_worker.h"

#include <gtest/gtest.h>

#include <deque>

#include "dataplane/dpdk/cycle_counter.h"
#include "dataplane/dpdk/nic_clock.h"
#include "tests/unit/dataplane/frame/frame_fixture.h"

namespace gnomon {
namespace {

using testing::at_ns;
using testing::Bytes;

/// A device of vectors. Whatever it hands out it wants back: sent or released.
class FakeNic final : public NicDevice {
public:
    struct Incoming {
        Bytes bytes;
        NicTime kind = NicTime::None;
        std::int64_t time_ns = 0;
    };

    const NicCapabilities& capabilities() const noexcept override { return has; }
    MacAddress mac() const noexcept override { return testing::kOurMac; }
    std::size_t receive(unsigned, std::span<Frame> frames,
                        std::span<NicBuffer> buffers) noexcept override {
        std::size_t count = 0;
        while (count < frames.size() && !incoming.empty()) {
            allocate(0, frames[count], buffers[count]);
            const Incoming& next = incoming.front();
            std::copy(next.bytes.begin(), next.bytes.end(), frames[count].data);
            frames[count].length = static_cast<std::uint16_t>(next.bytes.size());
            buffers[count].kind = next.kind;
            buffers[count].time_ns = next.time_ns;
            incoming.pop_front();
            ++count;
        }
        return count;
    }
    std::size_t send(unsigned, std::span<const Frame> frames,
                     std::span<const NicBuffer> buffers) noexcept override {
        const std::size_t count = std::min(frames.size(), room);
        for (std::size_t i = 0; i < count; ++i) {
            sent.emplace_back(frames[i].data, frames[i].data + frames[i].length);
            release(buffers[i]);
        }
        return count;
    }
    void release(const NicBuffer& buffer) noexcept override {
        delete static_cast<Buffer*>(buffer.handle);
        --out;
    }
    bool allocate(unsigned, Frame& frame, NicBuffer& buffer) noexcept override {
        auto* made = new Buffer();
        ++out;
        frame = Frame();
        frame.data = made->data();
        frame.capacity = static_cast<std::uint16_t>(made->size());
        buffer = NicBuffer{made, NicTime::None, 0};
        return true;
    }
    void arm_transmit_stamp(unsigned, const NicBuffer&) noexcept override { ++armed; }
    bool take_transmit_stamp(unsigned, NicTransmitStamp& stamp) noexcept override {
        if (armed == 0 || stamps.empty()) return false;
        stamp = {has.transmit_stamps == TransmitStamping::Frame ? NicTime::Device : NicTime::System,
                 stamps.front(),
                 {}};
        if (has.transmit_stamps == TransmitStamping::Burst) stamp.frame = sent.back();
        stamps.pop_front();
        return true;
    }
    NicLink link() noexcept override { return {true, 10000}; }
    NicCounters counters() noexcept override { return {}; }
    std::size_t free_buffers() noexcept override { return 1000; }
    void set_taking(bool) noexcept override {}

    std::optional<std::int64_t> read_clock() noexcept override {
        if (!has.clock) return std::nullopt;
        // Runs 50 ppm fast, from another origin.
        return 7'000'000'000 +
               static_cast<std::int64_t>(static_cast<double>(read_cycles() - clock_epoch) * 0.4 *
                                         (1.0 + 50e-6));
    }

    using Buffer = std::array<std::uint8_t, 2048>;
    std::uint64_t clock_epoch = read_cycles();
    NicCapabilities has;
    std::deque<Incoming> incoming;
    std::vector<Bytes> sent;
    std::deque<std::int64_t> stamps;
    std::size_t room = 1000;
    int armed = 0;
    int out = 0;  ///< buffers that are with the worker
};

class QueueWorkerTest : public ::testing::Test {
protected:
    QueueWorkerTest() : log_(ClientLogConfig(), 1), store_(ClientLogConfig().capacity()) {
        config_.burst = 8;
        config_.server = testing::frame_config(DataplaneMode::Shared);
        config_.server.listened = &listened_;
        context_.state.store(testing::synchronised_state());
        line_.epoch = read_cycles();
        line_.system = at_ns(0);
        line_.ns_per_count = 0.4;
    }
    ~QueueWorkerTest() override { EXPECT_EQ(nic_.out, 0) << "buffers have leaked"; }

    QueueWorker& worker() {
        if (!worker_) {
            worker_ = std::make_unique<QueueWorker>(config_, nic_, nic_line_, nullptr, context_,
                                                    log_, store_, random_);
        }
        return *worker_;
    }
    void publish(std::vector<IpAddress> forwarded = {}) {
        auto tables = std::make_shared<ServerTables>();
        AccessTable access;
        access.allow({IpAddress{}, 0});
        tables->access = AccessIndex(access);
        tables->forwarded = std::move(forwarded);
        context_.tables.publish(std::move(tables));
        context_.line.store(line_);
    }
    static Bytes request() { return testing::udp_frame(testing::ntp_request()); }
    static NtpHeader answer_in(const Bytes& frame) {
        return decode_header(std::span(frame).subspan(14 + 20 + 8).first<kNtpHeaderSize>());
    }
    /// The clock of the line, now.
    SystemTime now() const { return line_.to_system(read_cycles()); }
    std::uint64_t stamped(TimestampSource source) {
        return worker().counters().rx_stamps[static_cast<std::size_t>(source)].get();
    }

    testing::SeededRandom random_{3};
    ClientLog log_;
    TimestampStore store_;
    ListenedPorts listened_;
    WorkerContext context_;
    SeqLock<CounterLine> nic_line_;
    CounterLine line_;
    QueueWorkerConfig config_;
    FakeNic nic_;
    std::unique_ptr<QueueWorker> worker_;
};

TEST_F(QueueWorkerTest, Request_IsAnsweredInPlaceWithTheCountersTime) {
    publish();
    worker().turn();
    nic_.incoming.push_back({request()});
    const SystemTime before = now();
    EXPECT_TRUE(worker().turn());
    const SystemTime after = now();
    ASSERT_EQ(nic_.sent.size(), 1u);
    const NtpHeader answer = answer_in(nic_.sent[0]);
    EXPECT_EQ(answer.mode, Mode::Server);
    EXPECT_EQ(answer.stratum, 2);
    const UtcTime transmit = answer.transmit.resolve(UtcTime::from_ns(before.ns()));
    EXPECT_GE(transmit.ns(), before.ns() - 2);
    EXPECT_LE(transmit.ns(), after.ns() + 1000) << "the way to the wire is foreseen";
    EXPECT_EQ(stamped(TimestampSource::Daemon), 1u);
    EXPECT_EQ(worker().counters().tx_frames.get(), 1u);
}

TEST_F(QueueWorkerTest, WithoutAClock_NothingIsAnswered) {
    worker().turn();
    nic_.incoming.push_back({request()});
    EXPECT_TRUE(worker().turn());
    EXPECT_TRUE(nic_.sent.empty());
    EXPECT_EQ(worker().counters().not_taken.get(), 1u);
}

TEST_F(QueueWorkerTest, WhileTheKernelServes_FramesAreDropped) {
    publish();
    worker().set_taking(false);
    nic_.incoming.push_back({request()});
    worker().turn();
    EXPECT_TRUE(nic_.sent.empty());
    worker().set_taking(true);
    nic_.incoming.push_back({request()});
    worker().turn();
    EXPECT_EQ(nic_.sent.size(), 1u);
}

TEST_F(QueueWorkerTest, KernelStamps_AreTakenWhenTheyCanBeTrue) {
    publish();
    worker().turn();
    nic_.incoming.push_back({request(), NicTime::System, now().ns() - 3000});
    worker().turn();
    EXPECT_EQ(stamped(TimestampSource::Kernel), 1u);
    nic_.incoming.push_back({request(), NicTime::System, now().ns() + 1'000'000'000});
    nic_.incoming.push_back({request(), NicTime::System, now().ns() - 900'000'000});
    worker().turn();
    EXPECT_EQ(stamped(TimestampSource::Kernel), 1u);
    EXPECT_EQ(stamped(TimestampSource::Daemon), 2u);
}

TEST_F(QueueWorkerTest, MonotonicStamps_AreMovedToTheSystemClock) {
    publish();
    worker().turn();
    context_.mono_to_system_ns = at_ns(0).ns() - 5'000'000'000;
    const SystemTime arrived = now();
    nic_.incoming.push_back(
        {request(), NicTime::Mono, arrived.ns() - context_.mono_to_system_ns.load()});
    worker().turn();
    ASSERT_EQ(nic_.sent.size(), 1u);
    const UtcTime receive = answer_in(nic_.sent[0]).receive.resolve(UtcTime::from_ns(arrived.ns()));
    EXPECT_NEAR(static_cast<double>(receive.ns() - arrived.ns()), 0.0, 2.0);
}

TEST_F(QueueWorkerTest, DeviceStamps_NeedTheRelationOfItsClock) {
    publish();
    worker().turn();
    nic_.incoming.push_back({request(), NicTime::Device, 123'000});
    worker().turn();
    EXPECT_EQ(stamped(TimestampSource::Hardware), 0u) << "nobody knows what its clock says";
    CounterLine relation;
    relation.epoch = 100'000;
    relation.system = now();
    relation.ns_per_count = 1.0;
    relation.variance_s2 = 1e-16;
    nic_line_.store(relation);
    nic_.incoming.push_back({request(), NicTime::Device, 90'000});
    worker().turn();
    ASSERT_EQ(nic_.sent.size(), 2u);
    EXPECT_EQ(stamped(TimestampSource::Hardware), 1u);
    const SystemTime expected = relation.to_system(90'000);
    const UtcTime receive =
        answer_in(nic_.sent[1]).receive.resolve(UtcTime::from_ns(expected.ns()));
    EXPECT_NEAR(static_cast<double>(receive.ns() - expected.ns()), 0.0, 2.0);
}

TEST_F(QueueWorkerTest, DeviceClock_IsHeldAgainstTheCounter) {
    NicClock clock;
    EXPECT_FALSE(clock.measure(nic_, line_)) << "it has none";
    nic_.has.clock = true;
    EXPECT_FALSE(clock.measure(nic_, CounterLine())) << "nobody knows the time";
    for (int i = 0; i < 20; ++i) {
        clock.measure(nic_, line_);
        const std::uint64_t begin = read_cycles();
        while (read_cycles() - begin < 2'000'000) relax_cpu();
    }
    ASSERT_TRUE(clock.line().is_valid());
    const auto device_ns = nic_.read_clock();
    const SystemTime expected = now();
    const SystemTime told = clock.line().to_system(static_cast<std::uint64_t>(*device_ns));
    EXPECT_NEAR(static_cast<double>((told - expected).ns()), 0.0, 5000.0);
    EXPECT_NEAR(clock.line().ns_per_count, 1.0 - 50e-6, 20e-6);
    EXPECT_GT(clock.line().variance_s2, 0.0);
}

TEST_F(QueueWorkerTest, UnsentAnswers_AreFreedAndCounted) {
    publish();
    nic_.room = 1;
    for (int i = 0; i < 3; ++i) nic_.incoming.push_back({request()});
    worker().turn();
    EXPECT_EQ(nic_.sent.size(), 1u);
    EXPECT_EQ(worker().counters().tx_failed.get(), 2u);
    const auto& drops = worker().server().responder().counters().drops;
    EXPECT_EQ(drops[static_cast<std::size_t>(Drop::SendFailed)].get(), 2u);
}

TEST_F(QueueWorkerTest, TransmitStampsOfTheKernel_ReachTheResponder) {
    nic_.has.transmit_stamps = TransmitStamping::Burst;
    publish();
    for (int i = 0; i < 10; ++i) {
        nic_.incoming.push_back({request()});
        nic_.stamps = {now().ns()};
        worker().turn();
        // The kernel's stamps are asked for some ten times in a millisecond at most.
        const std::uint64_t begin = read_cycles();
        while (read_cycles() - begin < 1'300'000) relax_cpu();
    }
    EXPECT_GT(worker().counters().tx_stamps.get(), 1u);
    EXPECT_GT(nic_.armed, 1);
}

TEST_F(QueueWorkerTest, DatagramOfAConfiguredSource_GoesToTheControlLoop) {
    publish({testing::ip("192.0.2.7")});
    NtpHeader header = testing::Server::client_header();
    header.mode = Mode::Server;
    testing::FrameOptions options;
    options.source_port = 123;
    nic_.incoming.push_back({testing::udp_frame(testing::Server::request(header), options)});
    worker().turn();
    EXPECT_TRUE(nic_.sent.empty());
    const Forwarded* forwarded = worker().rings().forwarded.front();
    ASSERT_NE(forwarded, nullptr);
    EXPECT_EQ(forwarded->kind, Forwarded::Kind::Datagram);
    EXPECT_EQ(forwarded->datagram.remote.ip, testing::ip("192.0.2.7"));
    EXPECT_EQ(forwarded->local_port, 123);
    EXPECT_EQ(forwarded->size, kNtpHeaderSize);
}

TEST_F(QueueWorkerTest, OurOwnRequest_IsSentAndItsStampComesBack) {
    publish();
    OutgoingFrame* slot = worker().rings().outgoing.begin_push();
    ASSERT_NE(slot, nullptr);
    const Bytes frame = request();
    std::copy(frame.begin(), frame.end(), slot->bytes.begin());
    slot->size = frame.size();
    slot->payload_offset = 14 + 20 + 8;
    slot->payload_size = kNtpHeaderSize;
    slot->cookie = 77;
    slot->local_port = 4123;
    slot->want_stamp = true;
    worker().rings().outgoing.end_push();
    const SystemTime before = now();
    EXPECT_TRUE(worker().turn());
    ASSERT_EQ(nic_.sent.size(), 1u);
    EXPECT_EQ(nic_.sent[0], frame);
    const Forwarded* forwarded = worker().rings().forwarded.front();
    ASSERT_NE(forwarded, nullptr);
    EXPECT_EQ(forwarded->kind, Forwarded::Kind::TransmitStamp);
    EXPECT_EQ(forwarded->report.cookie, 77u);
    EXPECT_EQ(forwarded->local_port, 4123);
    EXPECT_GE(forwarded->report.stamp.time, before);
    EXPECT_GT(forwarded->report.stamp.variance_s2, 0.0);
}

TEST_F(QueueWorkerTest, FullRingToTheControlLoop_LosesAndCounts) {
    publish({testing::ip("192.0.2.7")});
    NtpHeader header = testing::Server::client_header();
    header.mode = Mode::Server;
    testing::FrameOptions options;
    options.source_port = 123;
    const Bytes frame = testing::udp_frame(testing::Server::request(header), options);
    for (int i = 0; i < 300; ++i) nic_.incoming.push_back({frame});
    while (!nic_.incoming.empty()) worker().turn();
    EXPECT_EQ(worker().counters().forwarded.get(), 256u);
    EXPECT_EQ(worker().counters().forward_lost.get(), 44u);
}

TEST_F(QueueWorkerTest, Heartbeat_MovesWithEveryTurn) {
    const std::uint64_t before = worker().heartbeat();
    EXPECT_FALSE(worker().turn());
    EXPECT_EQ(worker().heartbeat(), before + 1);
}

}  // namespace
}  // namespace gnomon
