#include <gtest/gtest.h>

#include <cmath>

#include "tests/unit/mgmt/engine/fakes.h"

namespace gnomon::test_engine {
namespace {

/// Clocks that know the true time, plus what a test adds.
class TrueClocks final : public RefclockReaders {
public:
    struct Behaviour {
        RawRefclockSample::Kind kind = RawRefclockSample::Kind::Time;
        double error_s = 0.0;
        bool usable = true;
        Leap leap = Leap::Normal;
    };
    explicit TrueClocks(const TestWorld& world, std::vector<Behaviour> behaviours)
        : clocks(std::move(behaviours)), world_(world) {}

    bool is_polled(std::size_t) const override { return true; }
    void poll(std::size_t index, std::vector<RawRefclockSample>& samples) override {
        ++polls;
        const Behaviour& clock = clocks[index];
        if (silent) return;
        RawRefclockSample sample;
        sample.kind = clock.kind;
        sample.at = node->clock.now();
        const SystemTime truth =
            SystemTime::from_ns(kStartNs) + Duration::from_seconds(world_.now_s() + clock.error_s);
        sample.offset = truth - sample.at;
        if (clock.kind == RawRefclockSample::Kind::Pulse) {
            // The last whole second, as a driver would have stamped it.
            const Duration since = Duration::from_ns(truth.ns() % 1'000'000'000);
            sample = pulse_at(sample.at - since);
        }
        sample.usable = clock.usable;
        sample.leap = clock.leap;
        samples.push_back(sample);
    }

    TestNode* node = nullptr;
    std::vector<Behaviour> clocks;
    bool silent = false;
    int polls = 0;

private:
    const TestWorld& world_;
};

constexpr auto kPulse = RawRefclockSample::Kind::Pulse;

struct Rig {
    explicit Rig(const std::string& config, std::vector<TrueClocks::Behaviour> behaviours,
                 double frequency_error = 0.0, double offset_s = 0.0, FileMap files = {})
        : clocks(world, std::move(behaviours)),
          node(add(config, frequency_error, offset_s, files)) {
        clocks.node = &node;
        node.start();
    }
    TestNode& add(const std::string& config, double frequency_error, double offset_s,
                  const FileMap& files) {
        TestNode::Model model{config, frequency_error, offset_s};
        model.files = files;
        model.refclocks = &clocks;
        return world.add(std::move(model));
    }
    std::string selected() const {
        const auto events = node.events_of<SourceSelected>();
        return events.empty() ? "" : events.back().source.to_string();
    }

    TestWorld world;
    TrueClocks clocks;
    TestNode& node;
};

TEST(Refclock, IsSelectedAndSteersTheClock) {
    Rig rig("refclock SHM 0 stratum 3\n", {{}}, 50e-6, 0.05);
    rig.world.run_until(600.0);
    EXPECT_EQ(rig.selected(), "SHM0");
    EXPECT_LT(std::fabs(rig.node.ntp_error_s()), 1e-5);
    EXPECT_LT(std::fabs(rig.node.clock.error_s()), 1e-4);
    EXPECT_EQ(rig.node.engine->server_state().stratum, 4);
    EXPECT_EQ(rig.node.engine->server_state().ref_id, RefId::from_text("SHM0"));
}

TEST(Refclock, DriverIsPolledEveryDpollAndMergedEveryPoll) {
    Rig rig("refclock SHM 0 dpoll 1 poll 3\n", {{}});
    rig.world.run_until(79.5);
    EXPECT_EQ(rig.clocks.polls, 40);
    int merged = 0;
    int single = 0;
    for (const RefclockRecord& row : rig.node.events_of<RefclockRecord>()) {
        ++(row.merged ? merged : single);
    }
    EXPECT_EQ(single, 40);
    EXPECT_EQ(merged, 10);
}

TEST(Refclock, ReportsShowItByItsReferenceId) {
    Rig rig("refclock SHM 0 refid GPS poll 2 noselect\n", {{}}, 0.0, 0.1);
    rig.world.run_until(100.0);
    auto handlers = rig.node.engine->handlers();
    const auto report = handlers.monitoring.source(0, rig.node.engine->utc(rig.node.clock.now()));
    ASSERT_TRUE(report.has_value());
    EXPECT_EQ(report->address, IpAddress::v4(0x47505300));
    EXPECT_EQ(report->mode, command::SourceMode::ReferenceClock);
    EXPECT_EQ(report->poll, 2);
    EXPECT_EQ(report->reach, 0377);
    // Our clock is ahead.
    EXPECT_NEAR(report->measured_offset_s, -0.1, 1e-3);
    EXPECT_EQ(rig.selected(), "");
}

TEST(Refclock, OffsetOptionAndCommandCorrectWhatIsMeasured) {
    Rig rig("refclock SHM 0 refid GPS offset 0.25\n", {{RawRefclockSample::Kind::Time, -0.25}});
    rig.world.run_until(300.0);
    EXPECT_LT(std::fabs(rig.node.ntp_error_s()), 1e-4);
    auto handlers = rig.node.engine->handlers();
    EXPECT_EQ(handlers.sources.modify_offset({{}, RefId::from_text("GPS"), 0.5}),
              command::Status::Success);
    EXPECT_EQ(handlers.sources.modify_offset({{}, RefId::from_text("PPS"), 0.5}),
              command::Status::NoSuchSource);
    rig.world.run_until(302.0);
    EXPECT_NEAR(rig.node.events_of<RefclockRecord>().back().offset_s, 0.25, 1e-2);
}

TEST(Refclock, PulsesTakeTheSecondFromTheClockTheyAreLockedTo) {
    Rig rig("refclock SHM 0 refid NMEA noselect\nrefclock PPS /dev/pps0 lock NMEA\n",
            {{RawRefclockSample::Kind::Time, 0.2}, {kPulse}}, 10e-6, 3.1);
    rig.world.run_until(900.0);
    EXPECT_EQ(rig.selected(), "PPS1");
    EXPECT_LT(std::fabs(rig.node.ntp_error_s()), 1e-4);
}

TEST(Refclock, PulsesAloneSetNoClock) {
    Rig rig("refclock PPS /dev/pps0\n", {{kPulse}});
    rig.world.run_until(100.0);
    EXPECT_EQ(rig.selected(), "");
    EXPECT_TRUE(rig.node.events_of<RefclockRecord>().empty());
}

TEST(Refclock, PulsesWithTheLocalReferenceKeepItsStratum) {
    Rig rig("refclock PPS /dev/pps0\nlocal stratum 7\n", {{kPulse}}, 10e-6, 0.1);
    rig.world.run_until(600.0);
    EXPECT_EQ(rig.selected(), "PPS0");
    EXPECT_EQ(rig.node.engine->server_state().stratum, 7);
}

TEST(Refclock, PoorReadingsAreASignOfLifeOnly) {
    Rig rig("refclock PHC /dev/ptp0 poll 0\n", {{RawRefclockSample::Kind::Time, 0.0, false}});
    rig.world.run_until(20.0);
    EXPECT_TRUE(rig.node.events_of<RefclockRecord>().empty());
    auto handlers = rig.node.engine->handlers();
    EXPECT_EQ(handlers.monitoring.source(0, UtcTime())->reach, 0377);
    rig.clocks.silent = true;
    rig.world.run_until(40.0);
    EXPECT_EQ(handlers.monitoring.source(0, UtcTime())->reach, 0);
}

TEST(Refclock, TaiIsTurnedIntoUtcByTheLeapTable) {
    const std::string list =
        "#$ 3676924800\n#@ 3928521600\n3345062400 33\n3439756800 34\n3550089600 35\n";
    Rig rig("refclock SHM 0 tai\nleapseclist leap.list\n", {{RawRefclockSample::Kind::Time, 34.0}},
            0.0, 0.0, {{"leap.list", list}});
    rig.world.run_until(100.0);
    ASSERT_FALSE(rig.node.events_of<RefclockRecord>().empty());
    EXPECT_NEAR(rig.node.events_of<RefclockRecord>()[0].offset_s, 0.0, 1e-6);
    EXPECT_NEAR(rig.node.events_of<RefclockRecord>()[0].raw_offset_s, 34.0, 1e-6);
}

TEST(Refclock, LocksThatCannotWorkAreTold) {
    using Reason = RefclockProblem::Reason;
    Rig rig(
        "refclock SHM 0 refid A lock NONE\nrefclock SHM 1 refid B lock B\n"
        "refclock PPS /dev/pps0 lock D\nrefclock SHM 2 refid D dpoll 2\n",
        {{}, {}, {kPulse}, {}});
    const auto problems = rig.node.events_of<RefclockProblem>();
    ASSERT_EQ(problems.size(), 3U);
    EXPECT_EQ(problems[0].reason, Reason::InvalidLock);
    EXPECT_EQ(problems[1].reason, Reason::InvalidLock);
    EXPECT_EQ(problems[2].reason, Reason::LockAgeTooSmall);
    EXPECT_EQ(problems[2].source.to_string(), "PPS2");
}

TEST(Refclock, AStableOscillatorSteersWithoutBeingSelected) {
    Rig rig("refclock PHC /dev/ptp0 local poll 2\n", {{RawRefclockSample::Kind::Time, 0.3}});
    rig.world.at(200.0, [&rig] { rig.node.clock.set_frequency_error(20e-6); });
    rig.world.run_until(1000.0);
    EXPECT_EQ(rig.selected(), "");
    // 800 s at 20 ppm would be 16 ms.
    EXPECT_LT(std::fabs(rig.node.ntp_error_s()), 2e-3);
    const auto rows = rig.node.events_of<RefclockRecord>();
    ASSERT_FALSE(rows.empty());
    EXPECT_EQ(rows.back().leap, Leap::Unsynchronised);
}

}  // namespace
}  // namespace gnomon::test_engine
