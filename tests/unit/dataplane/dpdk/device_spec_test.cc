#include "dataplane/dpdk/device_spec.h"

#include <gtest/gtest.h>

#include "dataplane/dpdk/eal_arguments.h"

namespace gnomon {
namespace {

DataplanePortConfig port_of(const std::string& device) {
    DataplanePortConfig port;
    port.device = device;
    return port;
}

DeviceOptions with_program() {
    DeviceOptions options;
    options.xdp_program = "/lib/ntp_only.bpf.o";
    return options;
}

bool contains(const std::vector<std::string>& words, const std::string& word) {
    return std::find(words.begin(), words.end(), word) != words.end();
}

TEST(DeviceSpec, PacketSocket_GetsTheFastSettings) {
    DataplanePortConfig port = port_of("af_packet:eth1");
    port.queues = 2;
    const auto spec = parse_device(port, DeviceOptions());
    ASSERT_TRUE(spec);
    EXPECT_EQ(spec->kind, DeviceKind::AfPacket);
    EXPECT_EQ(spec->interface, "eth1");
    EXPECT_EQ(spec->mode, DataplaneMode::Shared);
    EXPECT_EQ(spec->arguments,
              "iface=eth1,qpairs=2,qdisc_bypass=1,blocksz=65536,framesz=2048,framecnt=4096");
}

TEST(DeviceSpec, SharedXdp_NeedsTheProgram) {
    const auto without = parse_device(port_of("af_xdp:eth1"), DeviceOptions());
    ASSERT_FALSE(without);
    EXPECT_NE(without.error().find("clang"), std::string::npos);
    const auto with = parse_device(port_of("af_xdp:eth1"), with_program());
    ASSERT_TRUE(with);
    EXPECT_EQ(with->arguments,
              "iface=eth1,start_queue=0,queue_count=1,xdp_prog=/lib/ntp_only.bpf.o");
}

TEST(DeviceSpec, ExclusiveXdp_CanDoWithoutTheProgram) {
    DataplanePortConfig port = port_of("af_xdp:eth1");
    port.mode = DataplaneMode::Exclusive;
    const auto spec = parse_device(port, DeviceOptions());
    ASSERT_TRUE(spec);
    EXPECT_EQ(spec->mode, DataplaneMode::Exclusive);
    EXPECT_EQ(spec->arguments.find("xdp_prog"), std::string::npos);
    EXPECT_FALSE(spec->own_program);
    EXPECT_TRUE(parse_device(port, with_program())->own_program) << "for the kernel's stamps";
}

TEST(DeviceSpec, PciAddress_IsExclusiveAndHasItsDomain) {
    const auto spec = parse_device(port_of("03:00.1,mprq_en=1"), DeviceOptions());
    ASSERT_TRUE(spec);
    EXPECT_EQ(spec->kind, DeviceKind::Pci);
    EXPECT_EQ(spec->name, "0000:03:00.1");
    EXPECT_EQ(spec->arguments, "mprq_en=1");
    EXPECT_EQ(spec->mode, DataplaneMode::Exclusive);
}

TEST(DeviceSpec, Vdev_IsPassedOnAsItIs) {
    const auto spec =
        parse_device(port_of("net_memif0,role=server,socket=/run/m"), DeviceOptions());
    ASSERT_TRUE(spec);
    EXPECT_EQ(spec->kind, DeviceKind::Vdev);
    EXPECT_EQ(spec->name, "net_memif0");
    EXPECT_EQ(spec->arguments, "role=server,socket=/run/m");
}

TEST(DeviceSpec, Nonsense_IsRefusedWithItsName) {
    for (const char* device : {"eth1", "af_xdp:", "af_packet:a/b", "af_xdp:eth1,iface=eth2",
                               "af_packet:interface-name-too-long", "3:0.0", "", "03:00.8"}) {
        const auto spec = parse_device(port_of(device), with_program());
        ASSERT_FALSE(spec) << device;
        EXPECT_EQ(spec.error().rfind(device, 0), 0u) << spec.error();
    }
}

TEST(EalArguments, WithoutHugePages_MemoryIsForAllPorts) {
    DataplaneConfig config;
    config.ports = {port_of("af_packet:eth1"), port_of("af_packet:eth2")};
    const auto arguments = eal_arguments(config, {DeviceSpec(), DeviceSpec()}, 42);
    EXPECT_TRUE(contains(arguments, "--no-huge"));
    EXPECT_TRUE(contains(arguments, "--no-pci"));
    EXPECT_TRUE(contains(arguments, "--no-telemetry"));
    EXPECT_TRUE(contains(arguments, "--file-prefix=gnomon-42"));
    EXPECT_FALSE(contains(arguments, "--in-memory")) << "EAL rejects it beside --no-huge";
    const auto m = std::find(arguments.begin(), arguments.end(), "-m");
    ASSERT_NE(m, arguments.end());
    EXPECT_GE(std::stoul(*(m + 1)), 2 * 8192 * 2304 / (1U << 20));
}

TEST(EalArguments, HugePages_AreAnonymous) {
    DataplaneConfig config;
    config.hugepages_mib = 256;
    const auto arguments = eal_arguments(config, {}, 1);
    EXPECT_TRUE(contains(arguments, "--in-memory"));
    EXPECT_FALSE(contains(arguments, "--no-huge"));
}

TEST(EalArguments, PciDevices_AreAllowedByName) {
    DeviceSpec device;
    device.kind = DeviceKind::Pci;
    device.name = "0000:03:00.0";
    DataplaneConfig config;
    config.eal_arguments = {"--log-level=8"};
    const auto arguments = eal_arguments(config, {device}, 1);
    EXPECT_TRUE(contains(arguments, "0000:03:00.0"));
    EXPECT_FALSE(contains(arguments, "--no-pci"));
    EXPECT_EQ(arguments.back(), "--log-level=8");
}

TEST(EalArguments, Buffers_CoverTheRingsOfAllQueues) {
    DataplanePortConfig port = port_of("af_xdp:eth1");
    EXPECT_EQ(buffer_count(port, 8192), 8192u);
    port.queues = 4;
    EXPECT_GE(buffer_count(port, 8192), 4u * (2048 + 1024));
}

}  // namespace
}  // namespace gnomon
