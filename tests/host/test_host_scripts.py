#!/usr/bin/env python3
"""scripts/setup-nic and scripts/tune-host on made-up hosts: what they do, refuse, and take back."""
import shutil
import subprocess
import unittest

from fake_host import ROOT, FakeHost

PCI = "0000:03:00.0"
NIC_STATE = "run/gnomon/setup-nic.state"
TUNE_STATE = "run/gnomon/tune-host.state"
PAGES = "sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"


class HostTest(unittest.TestCase):
    def setUp(self):
        self.host = FakeHost()
        self.addCleanup(self.host.close)

    def ok(self, script, *arguments):
        result = self.host.run(script, *arguments)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        return result.stdout + result.stderr

    def refused(self, script, *arguments):
        result = self.host.run(script, *arguments)
        self.assertNotEqual(result.returncode, 0, result.stdout + result.stderr)
        return result.stdout + result.stderr


class SetupNicTest(HostTest):
    def setUp(self):
        super().setUp()
        self.host.nic("eth1", PCI, "ixgbe")
        self.host.iommu()
        self.host.answer("ethtool -k eth1", "ntuple-filters: off\n")
        for kind, number in (("udp4", 1023), ("udp6", 1022)):
            self.host.answer(f"ethtool -N eth1 flow-type {kind} dst-port 123 action 2",
                             f"Added rule with ID {number}\n")

    def test_binds_to_vfio_and_gives_back_exactly(self):
        self.host.answer("ip -o addr show dev eth1 scope global",
                         "2: eth1    inet 192.0.2.1/24 brd 192.0.2.255 scope global eth1\n"
                         "2: eth1    inet 192.0.2.9/24 scope global secondary eth1\n")
        self.host.answer("ip route show dev eth1 proto static", "198.51.100.0/24 via 192.0.2.254\n")
        before = self.host.files()
        self.ok("setup-nic", "bind", "eth1")
        self.assertEqual(self.host.driver(PCI), "vfio-pci")
        self.assertFalse(self.host.exists(f"sys/bus/pci/devices/{PCI}/net"))
        self.assertIn("modprobe vfio-pci", self.host.calls())
        self.assertIn("ip link set eth1 down", self.host.calls())
        self.host.write("calls", "")
        self.ok("setup-nic", "undo")
        self.assertEqual(self.host.driver(PCI), "ixgbe")
        changes = [c for c in self.host.calls() if " show " not in c]
        self.assertEqual(changes, [
            "ip link set eth1 up", "ip addr replace 192.0.2.1/24 dev eth1", "ip addr replace 192.0.2.9/24 dev eth1",
            "ip route replace 198.51.100.0/24 via 192.0.2.254 dev eth1", "modprobe -r vfio-pci"])
        after = self.host.files()
        override = f"sys/bus/pci/devices/{PCI}/driver_override"
        self.assertEqual(after.pop(override).strip(), before.pop(override).strip())
        self.assertEqual(before, after)

    def test_unbind_is_of_one_device_and_leaves_the_rest(self):
        self.ok("setup-nic", "hugepages", "10")
        self.ok("setup-nic", "bind", PCI)
        self.ok("setup-nic", "unbind", PCI)
        self.assertEqual(self.host.driver(PCI), "ixgbe")
        self.assertEqual(self.host.read(PAGES), "8")
        self.assertIn("hugepages", self.host.read(NIC_STATE))
        self.assertNotIn(PCI, self.host.read(NIC_STATE))

    def test_refuses_the_default_route_without_force(self):
        self.host.answer("ip route show default", "default via 192.0.2.254 dev eth1 proto dhcp\n")
        self.assertIn("default route", self.refused("setup-nic", "bind", "eth1"))
        self.assertEqual(self.host.driver(PCI), "ixgbe")
        self.assertFalse(self.host.exists(NIC_STATE))
        self.ok("setup-nic", "bind", "eth1", "--force")
        self.assertEqual(self.host.driver(PCI), "vfio-pci")

    def test_default_route_of_a_longer_name_does_not_matter(self):
        self.host.answer("ip route show default", "default via 192.0.2.254 dev eth10 proto dhcp\n")
        self.ok("setup-nic", "bind", "eth1")

    def test_refuses_a_member_of_a_bond(self):
        self.host.link("sys/class/net/eth1/master", "../bond0")
        self.host.write("sys/class/net/bond0/type", "1\n")
        self.assertIn("bond0", self.refused("setup-nic", "bind", "eth1"))

    def test_without_iommu_only_when_asked_for_and_undone(self):
        shutil.rmtree(self.host.root / "sys/kernel/iommu_groups")
        self.host.write("sys/module/vfio/parameters/enable_unsafe_noiommu_mode", "N\n")
        self.assertIn("no IOMMU", self.refused("setup-nic", "bind", "eth1"))
        self.ok("setup-nic", "bind", "eth1", "--no-iommu")
        self.assertEqual(self.host.read("sys/module/vfio/parameters/enable_unsafe_noiommu_mode"), "Y")
        self.ok("setup-nic", "undo")
        self.assertEqual(self.host.read("sys/module/vfio/parameters/enable_unsafe_noiommu_mode"), "N")
        self.assertEqual(self.host.driver(PCI), "ixgbe")
        self.assertFalse(self.host.exists(NIC_STATE))

    def test_when_vfio_does_not_take_it_the_own_driver_is_back(self):
        self.host.write("refuse-vfio-pci", "")
        self.assertIn("did not take", self.refused("setup-nic", "bind", "eth1"))
        self.assertEqual(self.host.driver(PCI), "ixgbe")

    def test_bifurcated_drivers_stay_with_the_kernel(self):
        self.host.nic("eth2", "0000:04:00.0", "mlx5_core")
        self.assertIn("stays with the kernel", self.refused("setup-nic", "bind", "eth2"))
        self.assertIn("nothing to bind", self.ok("setup-nic", "status", "eth2"))

    def test_dry_run_changes_nothing(self):
        before = self.host.files()
        self.assertIn("would write", self.ok("setup-nic", "bind", "eth1", "--dry-run"))
        self.assertIn("would write", self.ok("setup-nic", "hugepages", "64", "--dry-run"))
        self.assertIn("would run", self.ok("setup-nic", "flow", "eth1", "2", "--dry-run"))
        self.assertEqual(self.host.files(), before)
        self.assertEqual([c for c in self.host.calls() if "down" in c or "ntuple on" in c], [])

    def test_hugepages_add_to_what_is_there_and_are_released(self):
        self.ok("setup-nic", "hugepages", "64")
        self.assertEqual(self.host.read(PAGES), "35")
        self.ok("setup-nic", "hugepages", "7")
        self.assertEqual(self.host.read(PAGES), "39")
        # Somebody else took ten in between: theirs stay.
        self.host.write(PAGES, "49\n")
        self.ok("setup-nic", "hugepages", "0")
        self.assertEqual(self.host.read(PAGES), "13")
        self.assertFalse(self.host.exists(NIC_STATE))

    def test_too_few_hugepages_are_given_back(self):
        self.host.write("most-pages", "20")
        self.assertIn("memory is in pieces", self.refused("setup-nic", "hugepages", "64"))
        self.assertEqual(self.host.read(PAGES), "3")
        self.assertFalse(self.host.exists(NIC_STATE))

    def test_flow_rules_for_both_families_are_removed_by_number(self):
        self.ok("setup-nic", "flow", "eth1", "2")
        self.host.write("calls", "")
        self.ok("setup-nic", "undo", "eth1")
        changes = [c for c in self.host.calls() if c.startswith(("ethtool -N", "ethtool -K"))]
        self.assertEqual(changes, ["ethtool -N eth1 delete 1022", "ethtool -N eth1 delete 1023",
                                   "ethtool -K eth1 ntuple off"])
        self.assertFalse(self.host.exists(NIC_STATE))

    def test_when_the_second_rule_fails_the_first_is_removed(self):
        self.host.fail("ethtool -N eth1 flow-type udp6 dst-port 123 action 2")
        self.assertIn("cannot sort packets", self.refused("setup-nic", "flow", "eth1", "2"))
        self.assertIn("ethtool -N eth1 delete 1023", self.host.calls())
        self.assertIn("ethtool -K eth1 ntuple off", self.host.calls())
        self.assertFalse(self.host.exists(NIC_STATE))

    def test_a_queue_must_exist(self):
        self.assertIn("no receive queue 9", self.refused("setup-nic", "flow", "eth1", "9"))

    def test_queues_are_changed_and_restored(self):
        self.host.answer("ethtool -l eth1", "Pre-set maximums:\nCombined:\t63\nCurrent hardware settings:\nCombined:\t8\n")
        self.ok("setup-nic", "queues", "eth1", "1")
        self.assertIn("ethtool -L eth1 combined 1", self.host.calls())
        self.ok("setup-nic", "undo")
        self.assertEqual(self.host.calls()[-1], "ethtool -L eth1 combined 8")

    def test_vlan_tags_are_left_in_frames_and_taken_off_again(self):
        self.host.answer("ethtool -k eth1", "rx-vlan-offload: on\n")
        self.assertIn("setup-nic vlan eth1", self.ok("setup-nic", "status", "eth1"))
        self.ok("setup-nic", "vlan", "eth1")
        self.assertIn("ethtool -K eth1 rxvlan off", self.host.calls())
        self.ok("setup-nic", "undo", "eth1")
        self.assertEqual(self.host.calls()[-1], "ethtool -K eth1 rxvlan on")
        self.host.answer("ethtool -k eth1", "rx-vlan-offload: on [fixed]\n")
        self.assertIn("use af_packet", self.refused("setup-nic", "vlan", "eth1"))
        self.host.answer("ethtool -k eth1", "rx-vlan-offload: off\n")
        self.ok("setup-nic", "vlan", "eth1")
        self.assertFalse(self.host.exists(NIC_STATE))

    def test_what_cannot_be_undone_stays_on_record(self):
        self.ok("setup-nic", "hugepages", "2")
        self.ok("setup-nic", "flow", "eth1", "2")
        self.host.fail("ethtool -N eth1 delete 1023")
        self.assertIn("could not be taken back", self.refused("setup-nic", "undo"))
        self.assertEqual(self.host.read(NIC_STATE), "flow eth1 1023")
        self.assertEqual(self.host.read(PAGES), "3")

    def test_status_tells_what_is_possible(self):
        self.host.answer("ethtool -T eth1", "Capabilities:\n\thardware-transmit\n\tsoftware-transmit\n\thardware-receive\n"
                         "PTP Hardware Clock: 3\n")
        self.host.interface("dummy0")
        self.host.answer("ethtool -i dummy0", "driver: dummy\n")
        text = self.ok("setup-nic", "status")
        self.assertIn("hardware-tx hardware-rx software-tx clock=/dev/ptp3", text)
        self.assertIn(f"{PCI} (net_ixgbe)", text)
        self.assertIn("generic XDP: dummy", text)

    def test_unknown_words_are_refused(self):
        self.refused("setup-nic", "bind")
        self.refused("setup-nic", "bind", "eth9")
        self.refused("setup-nic", "hugepages", "many")
        self.refused("setup-nic", "frobnicate")


class TuneHostTest(HostTest):
    def setUp(self):
        super().setUp()
        for core in range(4):
            self.host.write(f"sys/devices/system/cpu/cpu{core}/cpufreq/scaling_governor", "powersave\n")
            self.host.write(f"sys/devices/system/cpu/cpu{core}/power/pm_qos_resume_latency_us", "0\n")
            (self.host.root / f"sys/devices/system/cpu/cpu{core}/cpuidle").mkdir()
        self.host.write("proc/irq/24/smp_affinity_list", "0-3\n")
        self.host.write("proc/irq/25/smp_affinity_list", "1\n")
        self.host.write("sys/devices/virtual/workqueue/cpumask", "f\n")
        self.host.write("sys/kernel/mm/transparent_hugepage/enabled", "[always] madvise never\n")
        self.host.write("proc/sys/net/core/rmem_max", "212992\n")
        self.host.write("proc/sys/net/core/netdev_max_backlog", "20000\n")
        self.host.write("proc/sys/net/core/busy_read", "0\n")
        self.host.write("proc/sys/net/core/busy_poll", "0\n")
        self.host.write("proc/sys/kernel/numa_balancing", "0\n")
        self.host.interface("eth1")
        self.host.write("sys/class/net/eth1/queues/rx-0/rps_cpus", "f\n")
        (self.host.root / "etc/default/grub.d").mkdir(parents=True)

    def test_check_finds_everything_and_changes_nothing(self):
        before = self.host.files()
        text = self.refused("tune-host", "check", "--cores", "2-3")
        for words in ("isolcpus=managed_irq,domain,2-3", "core 2, frequency governor: powersave",
                      "core 3, latency that sleep may cost", "interrupts may come to cores 2-3: 24",
                      "packet steering of eth1", "work queues", "largest receive buffer", "huge pages: always"):
            self.assertIn(words, text)
        self.assertNotIn("core 1,", text)
        self.assertIn("packets that may wait for a core: 20000", text)
        self.assertEqual(self.host.files(), before)

    def test_apply_sets_and_undo_restores_exactly(self):
        before = self.host.files()
        self.ok("tune-host", "apply", "--cores", "2,3", "--busy-poll")
        self.assertEqual(self.host.read("sys/devices/system/cpu/cpu2/cpufreq/scaling_governor"), "performance")
        self.assertEqual(self.host.read("sys/devices/system/cpu/cpu1/cpufreq/scaling_governor"), "powersave")
        self.assertEqual(self.host.read("sys/devices/system/cpu/cpu3/power/pm_qos_resume_latency_us"), "n/a")
        self.assertEqual(self.host.read("proc/irq/24/smp_affinity_list"), "0,1")
        self.assertEqual(self.host.read("proc/irq/25/smp_affinity_list"), "1")
        self.assertEqual(self.host.read("sys/class/net/eth1/queues/rx-0/rps_cpus"), "3")
        self.assertEqual(self.host.read("sys/devices/virtual/workqueue/cpumask"), "3")
        self.assertEqual(self.host.read("proc/sys/net/core/busy_read"), "50")
        # The kernel puts the brackets around what was chosen; undo writes the bare word.
        self.assertEqual(self.host.read("sys/kernel/mm/transparent_hugepage/enabled"), "madvise")
        self.ok("tune-host", "undo")
        after = self.host.files()
        chosen = "sys/kernel/mm/transparent_hugepage/enabled"
        self.assertEqual(after.pop(chosen).strip(), "always")
        before.pop(chosen)
        self.assertEqual(after, before)

    def test_applying_twice_still_remembers_the_beginning(self):
        self.ok("tune-host", "apply", "--cores", "2")
        self.ok("tune-host", "apply", "--cores", "2")
        self.ok("tune-host", "undo")
        self.assertEqual(self.host.read("sys/devices/system/cpu/cpu2/cpufreq/scaling_governor"), "powersave")
        self.assertFalse(self.host.exists(TUNE_STATE))

    def test_command_line_is_written_only_when_asked_for(self):
        grub = "etc/default/grub.d/gnomon.cfg"
        self.ok("tune-host", "apply", "--cores", "2,3")
        self.assertFalse(self.host.exists(grub))
        self.ok("tune-host", "apply", "--cores", "2,3", "--kernel-cmdline")
        self.assertIn("isolcpus=managed_irq,domain,2,3 nohz_full=2,3 rcu_nocbs=2,3", self.host.read(grub))
        self.assertIn("update-grub", self.host.calls())
        # After a boot the state file is gone, and the command line is there.
        (self.host.root / TUNE_STATE).unlink()
        self.host.write("proc/cmdline", "quiet isolcpus=managed_irq,domain,2,3 nohz_full=2,3 rcu_nocbs=2,3\n")
        self.assertIn("the cores are isolated", self.host.run("tune-host", "check", "--cores", "2,3").stdout)
        self.ok("tune-host", "undo")
        self.assertFalse(self.host.exists(grub))

    def test_other_time_daemons_are_reported_and_left_alone(self):
        self.host.write("proc/77/comm", "chronyd\n")
        self.assertIn("chronyd runs (pid 77)", self.refused("tune-host", "check"))

    def test_dry_run_changes_nothing(self):
        before = self.host.files()
        self.assertIn("would write", self.ok("tune-host", "apply", "--cores", "2", "--kernel-cmdline", "--dry-run"))
        self.assertEqual(self.host.files(), before)

    def test_cores_must_be_there(self):
        self.assertIn("not online", self.refused("tune-host", "check", "--cores", "7"))
        self.assertIn("no list", self.refused("tune-host", "check", "--cores", "two"))


class ShellcheckTest(unittest.TestCase):
    @unittest.skipUnless(shutil.which("shellcheck"), "shellcheck is not installed (scripts/deps --test)")
    def test_scripts_are_clean(self):
        result = subprocess.run(["shellcheck", "-x", "-P", "scripts", "scripts/setup-nic", "scripts/tune-host",
                                 "scripts/lib/host.sh"], cwd=ROOT, capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, result.stdout)


if __name__ == "__main__":
    unittest.main()
