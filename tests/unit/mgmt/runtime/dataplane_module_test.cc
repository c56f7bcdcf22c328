#include "mgmt/runtime/dataplane_module.h"

#include <gtest/gtest.h>

#include <fstream>

#include "mgmt/runtime/vlan_interfaces.h"
#include "tests/unit/mgmt/runtime/temporary_directory.h"

namespace gnomon {
namespace {

TEST(DataplaneModule, IsLookedForWhereTheOperatorSaysThenBesideTheProgram) {
    EXPECT_EQ(module_candidates("/a::/b", "/usr/sbin/gnomond"),
              (std::vector<std::string>{"/a/libgnomon-dpdk.so", "/b/libgnomon-dpdk.so",
                                        "/usr/sbin/../lib/libgnomon-dpdk.so",
                                        "/usr/sbin/../lib/gnomon/libgnomon-dpdk.so"}));
    EXPECT_TRUE(module_candidates("", "").empty());
}

TEST(DataplaneModule, WithoutItTheErrorSaysHowToGetItAndWhereItWasLookedFor) {
    const auto loaded = load_dataplane_module({"/nowhere/libgnomon-dpdk.so"});
    ASSERT_FALSE(loaded);
    EXPECT_NE(loaded.error().find("GNOMON_DPDK"), std::string::npos);
    EXPECT_NE(loaded.error().find("/nowhere/libgnomon-dpdk.so"), std::string::npos);
}

TEST(DataplaneModule, WhatIsThereButNoModuleIsRefused) {
    const TemporaryDirectory directory;
    const std::string path = directory.path() + "/libgnomon-dpdk.so";
    std::ofstream(path) << "not a library";
    const auto loaded = load_dataplane_module({path});
    ASSERT_FALSE(loaded);
    EXPECT_NE(loaded.error().find("Could not load"), std::string::npos) << loaded.error();
}

TEST(VlanInterfaces, FindsTheOnesAboveAtAnyDepthAndNoBridges) {
    const TemporaryDirectory directory;
    const auto add = [&directory](const std::string& name, int index, const char* type) {
        const std::string path = directory.path() + "/" + name;
        ASSERT_EQ(mkdir(path.c_str(), 0700), 0);
        std::ofstream(path + "/ifindex") << index << "\n";
        std::ofstream(path + "/uevent") << "DEVTYPE=" << type << "\nINTERFACE=" << name << "\n";
    };
    add("eth1", 3, "");
    add("eth1.7", 9, "vlan");
    add("inner", 12, "vlan");
    add("br0", 5, "bridge");
    add("eth2", 4, "");
    std::ofstream(directory.path() + "/eth1/upper_eth1.7");
    std::ofstream(directory.path() + "/eth1/upper_br0");
    std::ofstream(directory.path() + "/eth1.7/upper_inner");
    EXPECT_EQ(with_vlan_interfaces(3, directory.path()), (std::vector<int>{3, 9, 12}));
    EXPECT_EQ(with_vlan_interfaces(4, directory.path()), (std::vector<int>{4}));
    EXPECT_TRUE(with_vlan_interfaces(77, directory.path()).empty());
}

}  // namespace
}  // namespace gnomon
