#include <gtest/gtest.h>

#include "tests/unit/mgmt/engine/fakes.h"

namespace gnomon {
namespace {

using test_engine::TestNode;
using test_engine::TestWorld;

double correction(TestNode& node) { return node.clock.frequency().value().ratio(); }

TEST(Tempcomp, CompensatesAtOnceAndAtEveryReading) {
    TestWorld world;
    TestNode::Model model;
    model.config = "tempcomp /t 10 26000 0.5 0.000183 0.0\n";
    model.files["/t"] = "26000\n";
    TestNode& node = world.add(model);
    node.start();
    world.run_until(1.0);
    EXPECT_NEAR(correction(node), 0.5e-6, 1e-10);
    node.files["/t"] = "27000\n";
    world.run_until(25.0);
    EXPECT_NEAR(correction(node), 0.683e-6, 1e-10);
    const auto rows = node.events_of<TemperatureRecord>();
    ASSERT_EQ(rows.size(), 3U);
    EXPECT_EQ(rows[2].temperature, 27000.0);
    EXPECT_NEAR(rows[2].compensation_ppm, 0.683, 1e-9);
}

TEST(Tempcomp, InterpolatesBetweenPoints) {
    TestWorld world;
    TestNode::Model model;
    model.config = "tempcomp /t 10 /points\n";
    model.files = {{"/t", "25"}, {"/points", "20 1.0\n30 2.0\n"}};
    TestNode& node = world.add(model);
    node.start();
    world.run_until(1.0);
    EXPECT_NEAR(correction(node), 1.5e-6, 1e-10);
}

TEST(Tempcomp, SaysOnceWhatIsWrongAndKeepsTheLastCompensation) {
    TestWorld world;
    TestNode::Model model;
    model.config = "tempcomp /t 10 20 0.0 0.1 0.0\n";
    model.files["/t"] = "30";
    TestNode& node = world.add(model);
    node.start();
    world.run_until(5.0);
    EXPECT_NEAR(correction(node), 1e-6, 1e-10);
    node.files["/t"] = "warm";
    world.run_until(45.0);
    node.files.erase("/t");
    world.run_until(85.0);
    node.files["/t"] = "1e12";
    world.run_until(125.0);
    EXPECT_NEAR(correction(node), 1e-6, 1e-10);
    EXPECT_EQ(node.events_of<TemperatureProblem>().size(), 1U);
    node.files["/t"] = "30";
    world.run_until(145.0);
    node.files["/t"] = "1e12";
    world.run_until(185.0);
    const auto told = node.events_of<TemperatureProblem>();
    ASSERT_EQ(told.size(), 2U);
    EXPECT_EQ(told[0].kind, TemperatureProblem::Kind::Unreadable);
    EXPECT_EQ(told[1].kind, TemperatureProblem::Kind::Excessive);
}

TEST(Tempcomp, DoesNothingWithoutPoints) {
    TestWorld world;
    TestNode::Model model;
    model.config = "tempcomp /t 10 /points\n";
    model.files = {{"/t", "25"}, {"/points", "20 1.0\n"}};
    TestNode& node = world.add(model);
    node.start();
    world.run_until(60.0);
    EXPECT_EQ(correction(node), 0.0);
    ASSERT_EQ(node.events_of<TemperatureProblem>().size(), 1U);
    EXPECT_EQ(node.events_of<TemperatureProblem>()[0].kind, TemperatureProblem::Kind::BadPoints);
}

TEST(Tempcomp, CountsJumpsOfTheSensorItLearnsFrom) {
    TestWorld world;
    TestNode::Model model;
    model.config = "tempcomp /t 10 learn\n";
    model.files["/t"] = "26000";
    TestNode& node = world.add(model);
    node.start();
    world.run_until(5.0);
    node.files["/t"] = "50000";
    world.run_until(15.0);
    node.files["/t"] = "100";
    world.run_until(25.0);
    node.files["/t"] = "200";
    world.run_until(45.0);
    const auto told = node.events_of<TemperatureProblem>();
    ASSERT_EQ(told.size(), 1U);
    EXPECT_EQ(told[0].kind, TemperatureProblem::Kind::Implausible);
    EXPECT_EQ(told[0].value, 50000.0);
    EXPECT_EQ(node.events_of<TemperatureRecord>().size(), 3U);
}

}  // namespace
}  // namespace gnomon
