#include <gtest/gtest.h>

#include "dataplane/dpdk/receive_clock.h"
#include "dataplane/dpdk/tables_cell.h"
#include "dataplane/dpdk/transmit_clock.h"

namespace gnomon {
namespace {

TEST(ReceiveClock, Burst_CameBetweenTheLastTwoPolls) {
    ReceiveClock clock;
    clock.empty(1000);
    const auto estimate = clock.burst(1400, false);
    EXPECT_EQ(estimate.count, 1200u);
    EXPECT_EQ(estimate.half_width, 200u);
    EXPECT_DOUBLE_EQ(estimate.queued_counts, 200.0);
}

TEST(ReceiveClock, FirstPoll_ClaimsNoWidthThatItDoesNotKnow) {
    ReceiveClock clock;
    const auto estimate = clock.burst(5000, false);
    EXPECT_EQ(estimate.count, 5000u);
    EXPECT_EQ(estimate.half_width, 0u);
}

TEST(ReceiveClock, FullBursts_AreABacklogThatGrows) {
    ReceiveClock clock;
    clock.empty(1000);
    clock.burst(2000, true);
    const auto second = clock.burst(3000, true);
    const auto third = clock.burst(4000, true);
    EXPECT_GT(second.queued_counts, 500.0);
    EXPECT_GT(third.queued_counts, second.queued_counts);
    clock.burst(5000, false);
    const auto calm = clock.burst(5100, false);
    EXPECT_DOUBLE_EQ(calm.queued_counts, 50.0) << "a burst that was not full has emptied the ring";
}

TEST(TransmitClock, Single_IsHalfItsCall) {
    TransmitClock clock;
    for (int i = 0; i < 500; ++i) clock.observe(1000, 1);
    EXPECT_NEAR(clock.predict(0), 500.0, 50.0);
}

TEST(TransmitClock, Burst_LeavesFrameByFrame) {
    TransmitClock clock;
    for (int i = 0; i < 2000; ++i) {
        clock.observe(1000, 1);
        clock.observe(1000 + 7 * 300, 8);
    }
    EXPECT_NEAR(clock.per_frame(), 300.0, 40.0);
    EXPECT_NEAR(clock.predict(4) - clock.predict(0), 1200.0, 160.0);
}

TEST(TransmitClock, Interruptions_DoNotMoveIt) {
    TransmitClock clock;
    for (int i = 0; i < 2000; ++i) clock.observe(i % 10 == 0 ? 3'000'000 : 1000, 1);
    EXPECT_NEAR(clock.single(), 1000.0, 300.0);
}

TEST(TablesCell, Tables_LiveUntilTheLastWorkerHasMovedOn) {
    TablesCell cell;
    TablesCell::Reader& slow = cell.add_reader();
    TablesCell::Reader& quick = cell.add_reader();
    EXPECT_EQ(slow.enter(), nullptr);
    auto first = std::make_shared<const ServerTables>();
    const std::weak_ptr<const ServerTables> watched = first;
    cell.publish(std::move(first));
    EXPECT_EQ(slow.enter(), watched.lock().get());
    quick.enter();
    cell.publish(std::make_shared<const ServerTables>());
    quick.enter();
    cell.reclaim();
    EXPECT_FALSE(watched.expired()) << "the slow worker may still use it";
    slow.enter();
    cell.reclaim();
    EXPECT_TRUE(watched.expired());
}

TEST(TablesCell, Worker_ThatHasLeftHoldsNothing) {
    TablesCell cell;
    TablesCell::Reader& reader = cell.add_reader();
    cell.publish(std::make_shared<const ServerTables>());
    reader.enter();
    reader.leave();
    cell.publish(std::make_shared<const ServerTables>());
    EXPECT_EQ(cell.held(), 1u);
}

TEST(TablesCell, Worker_ThatHasNotBegunMayBeginAnyMoment) {
    TablesCell cell;
    cell.add_reader();
    cell.publish(std::make_shared<const ServerTables>());
    cell.publish(std::make_shared<const ServerTables>());
    EXPECT_EQ(cell.held(), 2u);
}

}  // namespace
}  // namespace gnomon
