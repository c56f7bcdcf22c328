#include "mgmt/runtime/dataplane_supervisor.h"

#include <gtest/gtest.h>

namespace gnomon {
namespace {

using Change = DataplaneSupervisor::Change;

/// Runs one port through healths, 100 ms apart.
class OnePort {
public:
    std::vector<Change> tell(PortHealth health) {
        now_ = now_ + Duration::from_ms(100);
        return supervisor.update(now_, std::span(&health, 1));
    }
    /// The changes of that many steps.
    std::vector<Change> tell(PortHealth health, int steps) {
        std::vector<Change> all;
        for (int i = 0; i < steps; ++i) {
            for (const Change& change : tell(health)) all.push_back(change);
        }
        return all;
    }
    bool taking() const { return supervisor.is_taking(0); }

    DataplaneSupervisor supervisor{1};

private:
    MonoTime now_;
};

TEST(DataplaneSupervisor, APortServesAsSoonAsItIsHealthyForTheFirstTime) {
    OnePort port;
    EXPECT_TRUE(port.tell(PortHealth::Starting, 10).empty());
    EXPECT_FALSE(port.taking());
    const auto changes = port.tell(PortHealth::Healthy);
    ASSERT_EQ(changes.size(), 1u);
    EXPECT_TRUE(changes[0].taking);
    EXPECT_TRUE(changes[0].taking_changed);
    EXPECT_TRUE(port.tell(PortHealth::Healthy, 100).empty()) << "no news is no change";
    EXPECT_EQ(port.supervisor.takeovers(0), 0u);
}

TEST(DataplaneSupervisor, TheKernelTakesOverAtTheFirstSignAndGivesBackAfterTwoSeconds) {
    for (const PortHealth trouble :
         {PortHealth::Stalled, PortHealth::LinkDown, PortHealth::NoBuffers, PortHealth::Lost,
          PortHealth::Starting}) {
        OnePort port;
        port.tell(PortHealth::Healthy);
        const auto lost = port.tell(trouble);
        ASSERT_EQ(lost.size(), 1u);
        EXPECT_EQ(lost[0].health, trouble);
        EXPECT_FALSE(lost[0].taking);
        EXPECT_TRUE(lost[0].taking_changed);
        EXPECT_TRUE(port.tell(trouble, 50).empty()) << "told once";
        EXPECT_TRUE(port.tell(PortHealth::Healthy, 20).empty()) << "on probation";
        EXPECT_FALSE(port.taking());
        EXPECT_EQ(port.tell(PortHealth::Healthy).size(), 1u);
        EXPECT_TRUE(port.taking());
        EXPECT_EQ(port.supervisor.takeovers(0), 1u);
    }
}

TEST(DataplaneSupervisor, APortThatComesAndGoesStaysOnProbation) {
    OnePort port;
    port.tell(PortHealth::Healthy);
    int changes = 0;
    for (int i = 0; i < 50; ++i) {
        changes += static_cast<int>(port.tell(PortHealth::Stalled).size());
        changes += static_cast<int>(port.tell(PortHealth::Healthy, 19).size());
    }
    EXPECT_EQ(changes, 1) << "it was lost once, and that was all";
    EXPECT_EQ(port.supervisor.takeovers(0), 1u);
}

TEST(DataplaneSupervisor, AnotherTroubleIsNewsButNoSecondTakeover) {
    OnePort port;
    port.tell(PortHealth::Healthy);
    port.tell(PortHealth::LinkDown);
    const auto changes = port.tell(PortHealth::Lost);
    ASSERT_EQ(changes.size(), 1u);
    EXPECT_FALSE(changes[0].taking_changed);
    EXPECT_EQ(port.supervisor.takeovers(0), 1u);
}

TEST(DataplaneSupervisor, ASlowStartIsToldOnce) {
    OnePort port;
    const auto changes = port.tell(PortHealth::Starting, 200);
    ASSERT_EQ(changes.size(), 1u);
    EXPECT_EQ(changes[0].health, PortHealth::Starting);
    EXPECT_FALSE(changes[0].taking_changed);
}

TEST(DataplaneSupervisor, PortsAreJudgedOneByOne) {
    DataplaneSupervisor supervisor(2);
    const PortHealth both[] = {PortHealth::Healthy, PortHealth::Healthy};
    EXPECT_EQ(supervisor.update(MonoTime(), both).size(), 2u);
    const PortHealth second_lost[] = {PortHealth::Healthy, PortHealth::LinkDown};
    const auto changes = supervisor.update(MonoTime() + Duration::from_s(1), second_lost);
    ASSERT_EQ(changes.size(), 1u);
    EXPECT_EQ(changes[0].port, 1u);
    EXPECT_TRUE(supervisor.is_taking(0));
    EXPECT_TRUE(supervisor.is_any_taking());
}

}  // namespace
}  // namespace gnomon
