#include "dataplane/dpdk/port_supervisor.h"

#include <gtest/gtest.h>

namespace gnomon {
namespace {

class PortSupervisorTest : public ::testing::Test {
protected:
    /// One look, `ms` after the last.
    PortHealth after(int ms) {
        observation_.now = observation_.now + Duration::from_ms(ms);
        observation_.heartbeats = heartbeats_;
        return supervisor_.observe(observation_);
    }
    PortHealth alive(int ms) {
        for (std::uint64_t& heartbeat : heartbeats_) ++heartbeat;
        return after(ms);
    }

    std::vector<std::uint64_t> heartbeats_{0, 0};
    PortObservation observation_{MonoTime::from_ns(1), false, true, false, {}};
    PortSupervisor supervisor_{2};
};

TEST_F(PortSupervisorTest, Port_IsStartingUntilEveryWorkerHasMoved) {
    EXPECT_EQ(after(10), PortHealth::Starting);
    ++heartbeats_[0];
    EXPECT_EQ(after(50), PortHealth::Starting);
    ++heartbeats_[1];
    EXPECT_EQ(after(50), PortHealth::Healthy);
}

TEST_F(PortSupervisorTest, Worker_ThatStandsStillIsStalledWithin300Ms) {
    alive(10);
    ++heartbeats_[0];
    EXPECT_EQ(after(100), PortHealth::Healthy);
    ++heartbeats_[0];
    EXPECT_EQ(after(100), PortHealth::Healthy);
    ++heartbeats_[0];
    EXPECT_EQ(after(100), PortHealth::Stalled) << "the other one does not excuse it";
    EXPECT_EQ(supervisor_.takeovers(), 1u);
    EXPECT_EQ(alive(100), PortHealth::Healthy);
}

TEST_F(PortSupervisorTest, Worker_ThatNeverMovesIsStalled) {
    after(10);
    EXPECT_EQ(after(250), PortHealth::Stalled);
    EXPECT_EQ(supervisor_.takeovers(), 0u) << "it never took over from the kernel";
}

TEST_F(PortSupervisorTest, Link_DownCountsAtOnce) {
    alive(10);
    observation_.link_up = false;
    EXPECT_EQ(alive(100), PortHealth::LinkDown);
    observation_.link_up = true;
    EXPECT_EQ(alive(100), PortHealth::Healthy);
    EXPECT_EQ(supervisor_.takeovers(), 1u);
}

TEST_F(PortSupervisorTest, Buffers_ShortForAMomentAreNoMatter) {
    alive(10);
    observation_.buffers_short = true;
    EXPECT_EQ(alive(100), PortHealth::Healthy);
    observation_.buffers_short = false;
    EXPECT_EQ(alive(100), PortHealth::Healthy);
    observation_.buffers_short = true;
    EXPECT_EQ(alive(100), PortHealth::Healthy);
    EXPECT_EQ(alive(101), PortHealth::NoBuffers);
}

TEST_F(PortSupervisorTest, Device_ThatIsGoneIsLostWhateverElse) {
    alive(10);
    observation_.device_lost = true;
    observation_.link_up = false;
    EXPECT_EQ(after(500), PortHealth::Lost);
}

}  // namespace
}  // namespace gnomon
