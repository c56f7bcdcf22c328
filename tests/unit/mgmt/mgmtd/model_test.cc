#include "mgmt/mgmtd/model.h"

#include <gtest/gtest.h>

#include "mgmt/mgmtd/stream_hub.h"
#include "tests/unit/mgmt/mgmtd/sample.h"

namespace gnomon::mgmtd {
namespace {

const MonoClock::time_point kNow = MonoClock::time_point(std::chrono::hours(1));

std::vector<telemetry::Event> numbered(std::uint64_t first, std::uint64_t last) {
    std::vector<telemetry::Event> events;
    for (std::uint64_t i = first; i <= last; ++i) {
        events.emplace_back();
        events.back().number = i;
        events.back().kind = "log";
    }
    return events;
}

TEST(Model, EventsThatAreRepeatedAfterAReconnectionCountOnce) {
    Model model = sample_model(kNow, sample_snapshot());
    model.add_events(numbered(1, 3));
    model.disconnected();
    model.connected({"gnomond", "1.0", 42, 77, UtcTime()}, kNow);
    model.add_events(numbered(1, 5));
    ASSERT_EQ(model.events().size(), 6U);
    EXPECT_EQ(model.events().front().event.kind, "restart");
    EXPECT_EQ(model.events().back().event.number, 5U);
    EXPECT_EQ(model.events().back().id, 6U);
}

TEST(Model, AnotherInstanceIsARestartAndCountsAnew) {
    Model model = sample_model(kNow, sample_snapshot());
    model.add_events(numbered(1, 3));
    model.connected({"gnomond", "1.1", 43, 78, UtcTime()}, kNow);
    model.add_events(numbered(1, 1));
    ASSERT_EQ(model.events().size(), 6U);
    EXPECT_EQ(model.events()[4].event.kind, "restart");
    EXPECT_NE(model.events()[4].event.text.find("restarted"), std::string::npos);
}

TEST(Model, GoesOnWhereTheHistoryEnded) {
    Model model;
    model.continue_after(100, 77, 9);
    model.connected({"gnomond", "1.0", 42, 77, UtcTime()}, kNow);
    model.add_events(numbered(8, 11));
    ASSERT_EQ(model.events().size(), 2U);
    EXPECT_EQ(model.events()[0].id, 101U);
    EXPECT_EQ(model.events()[0].event.number, 10U);
}

TEST(Model, ReadinessNeedsFreshNewsAndABoundWithinTheLimit) {
    std::string why;
    EXPECT_FALSE(Model().is_ready(kNow, why));
    telemetry::Snapshot snapshot = sample_snapshot();
    EXPECT_TRUE(sample_model(kNow, snapshot).is_ready(kNow, why));
    EXPECT_FALSE(sample_model(kNow, snapshot).is_ready(kNow + std::chrono::seconds(11), why));
    snapshot.state.kind = ClockStateKind::Holdover;
    EXPECT_TRUE(sample_model(kNow, snapshot).is_ready(kNow, why));
    snapshot.state.in_spec = false;
    EXPECT_FALSE(sample_model(kNow, snapshot).is_ready(kNow, why));
    EXPECT_NE(why.find("HOLDOVER"), std::string::npos) << why;
    snapshot.state.in_spec = true;
    snapshot.state.kind = ClockStateKind::Acquiring;
    EXPECT_FALSE(sample_model(kNow, snapshot).is_ready(kNow, why));
}

TEST(StreamHub, ClientThatDoesNotReadIsGivenUpAndOthersAreNot) {
    StreamHub hub;
    StreamHub::Client* slow = hub.add("hello\n");
    StreamHub::Client* fast = hub.add("");
    std::vector<char> buffer(StreamHub::kMaxBacklog);
    const std::string data(10'000, 'x');
    for (int i = 0; i < 100; ++i) {
        hub.publish("snapshot", data, 7);
        fast->take(buffer.data(), buffer.size());
    }
    EXPECT_TRUE(slow->is_over);
    EXPECT_LE(slow->backlog.size(), StreamHub::kMaxBacklog);
    EXPECT_FALSE(fast->is_over);
    EXPECT_TRUE(fast->is_empty());
}

TEST(StreamHub, PlacesAreLimitedAndEventsAreFramed) {
    StreamHub hub;
    for (std::size_t i = 0; i < StreamHub::kMaxClients; ++i) EXPECT_NE(hub.add(""), nullptr);
    EXPECT_EQ(hub.add(""), nullptr);
    EXPECT_EQ(StreamHub::format("event", "{}", 5), "event: event\nid: 5\ndata: {}\n\n");
    EXPECT_EQ(StreamHub::format("daemon", "{}"), "event: daemon\ndata: {}\n\n");
}

TEST(StreamHub, BacklogIsTakenInPieces) {
    StreamHub hub;
    StreamHub::Client* client = hub.add("abcdef");
    char out[4];
    EXPECT_EQ(client->take(out, 4), 4U);
    EXPECT_EQ(std::string(out, 4), "abcd");
    hub.publish("e", "1");
    std::string rest(100, ' ');
    rest.resize(client->take(rest.data(), rest.size()));
    EXPECT_EQ(rest, "efevent: e\ndata: 1\n\n");
}

}  // namespace
}  // namespace gnomon::mgmtd
