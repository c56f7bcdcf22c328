#include "mgmt/engine/clock_state.h"

#include <gtest/gtest.h>

#include "mgmt/command/handlers.h"
#include "tests/unit/mgmt/engine/fakes.h"

namespace gnomon {
namespace {

using Kind = ClockStateKind;
using Reason = ClockReason;

constexpr double kLimitS = 0.01;
constexpr double kUselessS = 3.0;

MonoTime at(double s) { return MonoTime() + Duration::from_seconds(s); }

ClockView nobody() { return ClockView{}; }
ClockView measuring() {
    ClockView view;
    view.answering = true;
    view.selection = Reason::Measuring;
    return view;
}
ClockView followed(double bound_s = 0.001) {
    ClockView view;
    view.synchronised = view.selected = view.measured = view.answering = true;
    view.bound_s = bound_s;
    return view;
}
ClockView abandoned(double bound_s, Reason why = Reason::NoReply) {
    ClockView view = followed(bound_s);
    view.selected = view.answering = false;
    view.selection = why;
    return view;
}

struct Machine {
    ClockState state{kLimitS, kUselessS, at(0)};
    bool see(const ClockView& view, double s) { return state.update(view, at(s)); }
    void expect(Kind kind, Reason reason, bool in_spec) const {
        EXPECT_EQ(to_string(state.kind()), to_string(kind));
        EXPECT_EQ(to_string(state.reason()), to_string(reason));
        EXPECT_EQ(state.in_spec(), in_spec);
    }
};

TEST(ClockState, IsUnsyncedUntilSourcesAnswerThenAcquiringThenLocked) {
    Machine m;
    m.expect(Kind::Unsynced, Reason::Started, false);
    EXPECT_TRUE(m.see(nobody(), 1));
    m.expect(Kind::Unsynced, Reason::NoSources, false);
    EXPECT_EQ(m.state.since(), at(0)) << "only the reason is new";
    EXPECT_TRUE(m.see(measuring(), 2));
    m.expect(Kind::Acquiring, Reason::Measuring, false);
    EXPECT_EQ(m.state.since(), at(2));
    EXPECT_FALSE(m.see(measuring(), 3));
    EXPECT_TRUE(m.see(followed(), 4));
    m.expect(Kind::Locked, Reason::None, true);
    EXPECT_FALSE(m.see(followed(0.002), 5));
    EXPECT_EQ(m.state.since(), at(4));
}

TEST(ClockState, QuarrellingSourcesAreNoHopeBeforeTheFirstSynchronisation) {
    Machine m;
    ClockView view = measuring();
    view.selection = Reason::NoMajority;
    m.see(view, 1);
    m.expect(Kind::Unsynced, Reason::NoMajority, false);
}

TEST(ClockState, SilentSourceIsNotMeasured) {
    Machine m;
    ClockView view = measuring();
    view.answering = false;
    m.see(view, 1);
    m.expect(Kind::Unsynced, Reason::NoReply, false);
}

TEST(ClockState, BoundAboveTheLimitIsAcquiringAndReturnsWithHysteresis) {
    Machine m;
    m.see(followed(0.02), 1);
    m.expect(Kind::Acquiring, Reason::BoundAboveLimit, false);
    m.see(followed(0.0095), 2);
    m.expect(Kind::Acquiring, Reason::BoundAboveLimit, false);
    m.see(followed(0.0089), 3);
    m.expect(Kind::Locked, Reason::None, true);
    m.see(followed(0.0099), 4);
    m.expect(Kind::Locked, Reason::None, true);
    m.see(followed(0.0101), 5);
    m.expect(Kind::Acquiring, Reason::BoundAboveLimit, false);
}

TEST(ClockState, LostSelectionIsHoldoverAfterAWhile) {
    Machine m;
    m.see(followed(), 1);
    EXPECT_FALSE(m.see(abandoned(0.001), 10));
    EXPECT_FALSE(m.see(abandoned(0.001), 17.9));
    EXPECT_TRUE(m.see(abandoned(0.001), 18));
    m.expect(Kind::Holdover, Reason::NoReply, true);
    EXPECT_EQ(m.state.since(), at(18));
}

TEST(ClockState, SelectionThatReturnsInTimeIsNoHoldover) {
    Machine m;
    m.see(followed(), 1);
    m.see(abandoned(0.001), 10);
    m.see(followed(), 15);
    EXPECT_FALSE(m.see(abandoned(0.001), 20));
    m.expect(Kind::Locked, Reason::None, true);
}

TEST(ClockState, MissingUpdatesAreHoldoverThoughTheSourceIsSelected) {
    Machine m;
    m.see(followed(), 1);
    ClockView view = followed();
    view.measured = false;
    m.see(view, 300);
    m.expect(Kind::Holdover, Reason::UpdatesMissing, true);
    m.see(followed(), 301);
    m.expect(Kind::Locked, Reason::None, true);
}

TEST(ClockState, HoldoverGoesOutOfSpecAndThenFree) {
    Machine m;
    m.see(followed(), 1);
    m.see(abandoned(0.001), 10);
    m.see(abandoned(0.002), 20);
    m.expect(Kind::Holdover, Reason::NoReply, true);
    EXPECT_TRUE(m.see(abandoned(0.02), 5000));
    m.expect(Kind::Holdover, Reason::NoReply, false);
    EXPECT_EQ(m.state.since(), at(5000)) << "going out of spec is a change of state";
    m.see(abandoned(3.5), 90000);
    m.expect(Kind::Freerun, Reason::BoundUseless, false);
    m.see(followed(), 90100);
    m.expect(Kind::Locked, Reason::None, true);
}

TEST(ClockState, LostMajorityIsFreerun) {
    Machine m;
    m.see(followed(), 1);
    ClockView view;
    view.answering = true;
    view.selection = Reason::NoMajority;
    m.see(view, 2);
    m.expect(Kind::Freerun, Reason::NoMajority, false);
}

TEST(ClockState, AfterAResetSourcesAreMeasuredAnew) {
    Machine m;
    m.see(followed(), 1);
    ClockView reset = measuring();
    reset.answering = false;
    m.see(reset, 2);
    m.expect(Kind::Freerun, Reason::Reset, false);
    m.see(measuring(), 3);
    m.expect(Kind::Acquiring, Reason::Measuring, false);
    m.see(followed(), 4);
    m.expect(Kind::Locked, Reason::None, true);
}

TEST(ClockState, UnknownBoundIsNeverInSpec) {
    Machine m;
    m.see(followed(std::numeric_limits<double>::quiet_NaN()), 1);
    m.expect(Kind::Freerun, Reason::BoundUseless, false);
}

TEST(StateAgent, EngineLocksHoldsOverAndLocksAgain) {
    using namespace test_engine;
    TestWorld world;
    TestNode& server = world.add({"local stratum 1\nallow\n"});
    TestNode& client = world.add({"server 10.0.0.1 iburst minpoll 4 maxpoll 4\nmaxbound 0.0005\n"});
    server.start();
    client.start();
    const auto kind = [&client] {
        return client.engine->handlers().monitoring.state().value().kind;
    };
    world.run_until(1.0);
    EXPECT_EQ(kind(), Kind::Acquiring);
    world.run_until(300.0);
    EXPECT_EQ(kind(), Kind::Locked);
    const auto locked = client.engine->handlers().monitoring.state().value();
    ASSERT_TRUE(locked.bound_known);
    EXPECT_GT(locked.bound_s, 1e-4) << "half the delay at least";
    EXPECT_LT(locked.bound_s, 5e-4);
    EXPECT_GT(locked.breach_in_s, 30.0);
    EXPECT_GE(locked.bound_growth_ppm, 1.0);

    world.lost = [](const IpAddress&, const IpAddress&) { return true; };
    world.run_until(300.0 + 9 * 16.0 + 20.0);
    auto report = client.engine->handlers().monitoring.state().value();
    EXPECT_EQ(report.kind, Kind::Holdover);
    EXPECT_EQ(report.reason, Reason::NoReply);
    EXPECT_TRUE(report.in_spec);
    const double forecast_s = report.breach_in_s;
    ASSERT_GT(forecast_s, 0.0);
    world.run_until(world.now_s() + forecast_s * 0.98 - 1.0);
    EXPECT_TRUE(client.engine->handlers().monitoring.state().value().in_spec);
    world.run_until(world.now_s() + forecast_s * 0.04 + 20.0);
    report = client.engine->handlers().monitoring.state().value();
    EXPECT_EQ(report.kind, Kind::Holdover);
    EXPECT_FALSE(report.in_spec);
    EXPECT_EQ(report.breach_in_s, 0.0);

    world.lost = nullptr;
    world.run_until(world.now_s() + 300.0);
    EXPECT_EQ(kind(), Kind::Locked);
    std::vector<Kind> seen;
    for (const ClockStateChanged& event : client.events_of<ClockStateChanged>()) {
        if (!event.only_reason && (seen.empty() || seen.back() != event.kind)) {
            seen.push_back(event.kind);
        }
    }
    ASSERT_GE(seen.size(), 4U);
    EXPECT_EQ(seen.front(), Kind::Acquiring);
    EXPECT_EQ(seen.back(), Kind::Locked);
}

}  // namespace
}  // namespace gnomon
