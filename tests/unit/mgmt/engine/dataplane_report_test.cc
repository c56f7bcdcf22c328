#include "mgmt/engine/dataplane_report.h"

#include <gtest/gtest.h>

namespace gnomon::test_engine {
namespace {

using command::DataplanePart;
using command::DataplaneQuery;

std::vector<PolledPortState> one_port() {
    std::vector<PolledPortState> ports(1);
    ports[0].report.device = "af_xdp:eth1";
    ports[0].serving = true;
    ports[0].report.workers.resize(2);
    ports[0].report.workers[1].replies = 9;
    for (std::uint64_t i = 0; i < 30; ++i) {
        ports[0].report.workers[1].drops.emplace_back("reason", i);
    }
    return ports;
}

TEST(DataplaneReport, GivesThePartThatIsAskedFor) {
    const auto ports = one_port();
    const auto port = dataplane_report(ports, DataplaneQuery{});
    ASSERT_TRUE(port);
    EXPECT_EQ(port->workers, 2u);
    EXPECT_EQ(port->port.device, "af_xdp:eth1");
    EXPECT_TRUE(port->port.serving);
    const auto worker = dataplane_report(ports, {DataplanePart::Worker, 0, 1, 0});
    ASSERT_TRUE(worker);
    EXPECT_EQ(worker->worker.replies, 9u);
    EXPECT_EQ(worker->drops, 30u);
}

TEST(DataplaneReport, PagesOfDropsCoverThemAllAndEnd) {
    const auto ports = one_port();
    std::vector<std::uint64_t> counts;
    for (std::uint32_t pages = 0; pages < 10; ++pages) {
        const auto page = dataplane_report(
            ports, {DataplanePart::Drops, 0, 1, static_cast<std::uint32_t>(counts.size())});
        ASSERT_TRUE(page);
        if (page->dropped.empty()) break;
        for (const auto& drop : page->dropped) counts.push_back(drop.count);
    }
    ASSERT_EQ(counts.size(), 30u);
    EXPECT_EQ(counts[29], 29u);
    EXPECT_TRUE(dataplane_report(ports, {DataplanePart::Drops, 0, 1, 0xffffffff})->dropped.empty());
}

TEST(DataplaneReport, WhatThereIsNotIsRefused) {
    const auto ports = one_port();
    EXPECT_FALSE(dataplane_report({}, DataplaneQuery{}));
    EXPECT_FALSE(dataplane_report(ports, {DataplanePart::Port, 1, 0, 0}));
    EXPECT_FALSE(dataplane_report(ports, {DataplanePart::Worker, 0, 2, 0}));
    EXPECT_FALSE(dataplane_report(ports, {static_cast<DataplanePart>(7), 0, 0, 0}));
}

}  // namespace
}  // namespace gnomon::test_engine
