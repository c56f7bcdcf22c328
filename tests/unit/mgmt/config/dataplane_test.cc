/// The `dataplane` directive: what it fills in, and where it points when it refuses.

#include <gtest/gtest.h>

#include "tests/unit/mgmt/config/parse_helpers.h"

namespace gnomon {
namespace {

DataplaneConfig parsed(const std::string& text) {
    const ParsedConfig result = parse_text(text);
    EXPECT_EQ(all_text(result.diagnostics), "");
    return result.config.dataplane;
}

TEST(Dataplane, NothingIsPolledByDefault) {
    const DataplaneConfig config = parsed("");
    EXPECT_TRUE(config.ports.empty());
    EXPECT_EQ(config.hugepages_mib, 0u);
    EXPECT_EQ(config.mbufs, 8192u);
}

TEST(Dataplane, ASharedPortNeedsNothingButItsDevice) {
    const DataplaneConfig config = parsed("dataplane dpdk af_xdp:eth1");
    ASSERT_EQ(config.ports.size(), 1u);
    const DataplanePortConfig& port = config.ports[0];
    EXPECT_EQ(port.device, "af_xdp:eth1");
    EXPECT_EQ(port.mode, DataplaneMode::Automatic);
    EXPECT_TRUE(port.addresses.empty());
    EXPECT_EQ(port.queues, 1u);
    EXPECT_EQ(port.burst, 32u);
    EXPECT_EQ(port.ring_size, 1024u);
    EXPECT_TRUE(port.offloads);
}

TEST(Dataplane, EveryOptionArrives) {
    const DataplaneConfig config = parsed(
        "dataplane hugepages 64\ndataplane mbufs 4096\ndataplane eal --no-pci --log-level=8\n"
        "dataplane dpdk 0000:03:00.0 mode exclusive address 192.0.2.1/24 address 2001:db8::1/64@7 "
        "gateway 192.0.2.254 gateway fe80::1 queues 2 cores 2,5 burst 64 ring 4096 nooffloads "
        "exception ntp0\n"
        "dataplane dpdk net_ring0 address 198.51.100.1/32 cores 3\n");
    EXPECT_EQ(config.hugepages_mib, 64u);
    EXPECT_EQ(config.mbufs, 4096u);
    EXPECT_EQ(config.eal_arguments, (std::vector<std::string>{"--no-pci", "--log-level=8"}));
    ASSERT_EQ(config.ports.size(), 2u);
    const DataplanePortConfig& port = config.ports[0];
    EXPECT_EQ(port.mode, DataplaneMode::Exclusive);
    ASSERT_EQ(port.addresses.size(), 2u);
    EXPECT_EQ(port.addresses[0].subnet.address, IpAddress::parse("192.0.2.1")) << "not masked";
    EXPECT_EQ(port.addresses[0].subnet.prefix_length, 24);
    EXPECT_EQ(port.addresses[0].vlan, 0);
    EXPECT_EQ(port.addresses[1].vlan, 7);
    EXPECT_EQ(port.addresses[1].subnet.prefix_length, 64);
    EXPECT_EQ(port.gateways.size(), 2u);
    EXPECT_EQ(port.queues, 2u);
    EXPECT_EQ(port.cores, (std::vector<unsigned>{2, 5}));
    EXPECT_EQ(port.burst, 64u);
    EXPECT_EQ(port.ring_size, 4096u);
    EXPECT_FALSE(port.offloads);
    EXPECT_EQ(port.exception, "ntp0");
}

struct Bad {
    const char* text;
    int column;
    const char* says;
};

void expect_refused(const Bad& bad, int line) {
    const ParsedConfig result = parse_text(bad.text);
    ASSERT_EQ(result.diagnostics.size(), 1u) << bad.text << "\n" << all_text(result.diagnostics);
    const Diagnostic& diagnostic = result.diagnostics[0];
    EXPECT_EQ(diagnostic.severity, Severity::Error) << bad.text;
    EXPECT_EQ(diagnostic.line, line) << bad.text;
    EXPECT_EQ(diagnostic.column, bad.column) << diagnostic.to_string();
    EXPECT_NE(diagnostic.message.find(bad.says), std::string::npos) << diagnostic.to_string();
}

TEST(Dataplane, MistakesAreRefusedAtTheWordInQuestion) {
    const Bad cases[] = {
        {"dataplane", 1, "missing argument"},
        {"dataplane dpkd eth0", 11, "did you mean 'dpdk'"},
        {"dataplane dpdk", 11, "needs a device"},
        {"dataplane dpdk af_xdp:", 16, "names no interface"},
        {"dataplane dpdk af_xdp:an-interface-name-too-long", 16, "name of an interface"},
        {"dataplane dpdk af_xdp:eth1 qeues 2", 28, "did you mean 'queues'"},
        {"dataplane dpdk af_xdp:eth1 mode half", 33, "expected shared or exclusive"},
        {"dataplane dpdk af_xdp:eth1 address 192.0.2.1", 36, "no prefix length"},
        {"dataplane dpdk af_xdp:eth1 address 192.0.2.1/33", 46, "1 to 32"},
        {"dataplane dpdk af_xdp:eth1 address 192.0.2/24", 36, "not a numeric"},
        {"dataplane dpdk af_xdp:eth1 address 192.0.2.1/24@4095", 49, "1 to 4094"},
        {"dataplane dpdk af_xdp:eth1 address 192.0.2.1/24@0", 49, "1 to 4094"},
        {"dataplane dpdk af_xdp:eth1 address 10.0.0.1/8 address 10.0.0.1/16", 55, "twice"},
        {"dataplane dpdk af_xdp:eth1 gateway 10.0.0.1 gateway 10.0.0.2", 53, "second IPv4"},
        {"dataplane dpdk af_xdp:eth1 gateway fe80::1 gateway fe80::2", 52, "second IPv6"},
        {"dataplane dpdk af_xdp:eth1 queues 65", 35, "1 to 64"},
        {"dataplane dpdk af_xdp:eth1 queues 0", 35, "1 to 64"},
        {"dataplane dpdk af_xdp:eth1 queues", 28, "needs a value"},
        {"dataplane dpdk af_xdp:eth1 queues 2 cores 1", 43, "1 core for 2 queues"},
        {"dataplane dpdk af_xdp:eth1 cores 1,2", 34, "2 cores for 1 queue"},
        {"dataplane dpdk af_xdp:eth1 queues 2 cores 3,3", 45, "twice"},
        {"dataplane dpdk af_xdp:eth1 queues 2 cores 3,", 45, "not an integer"},
        {"dataplane dpdk af_xdp:eth1 cores 1024", 34, "0 to 1023"},
        {"dataplane dpdk af_xdp:eth1 burst 65", 34, "1 to 64"},
        {"dataplane dpdk af_xdp:eth1 ring 1000", 33, "power of two"},
        {"dataplane dpdk af_xdp:eth1 ring 32", 33, "64 to 32768"},
        {"dataplane dpdk af_xdp:eth1 exception ntp0", 38, "mode exclusive"},
        {"dataplane dpdk net_ring0 address 10.0.0.1/8 exception a/b", 55, "name of an interface"},
        {"dataplane dpdk 0000:03:00.0", 16, "at least one address"},
        {"dataplane dpdk af_packet:eth1 mode exclusive", 16, "at least one address"},
        {"dataplane hugepages", 1, "missing argument"},
        {"dataplane hugepages -1", 21, "out of range"},
        {"dataplane mbufs 100", 17, "512 to"},
        {"dataplane eal", 11, "needs one at least"},
    };
    for (const Bad& bad : cases) expect_refused(bad, 1);
}

TEST(Dataplane, PortsDoNotShareADeviceOrACore) {
    expect_refused({"dataplane dpdk af_xdp:eth1\ndataplane dpdk af_xdp:eth1", 16, "already"}, 2);
    expect_refused({"dataplane dpdk af_xdp:eth1\ndataplane dpdk af_packet:eth1", 16, "already"}, 2);
    expect_refused(
        {"dataplane dpdk af_xdp:eth1 cores 2\ndataplane dpdk af_xdp:eth2 cores 2", 34, "core 2"},
        2);
    EXPECT_EQ(parsed("dataplane dpdk af_xdp:eth1\ndataplane dpdk af_xdp:eth2").ports.size(), 2u);
}

TEST(Dataplane, ALineWithAMistakeAddsNoPort) {
    EXPECT_TRUE(parse_text("dataplane dpdk af_xdp:eth1 burst 0").config.dataplane.ports.empty());
}

}  // namespace
}  // namespace gnomon
