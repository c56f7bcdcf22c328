#!/usr/bin/env python3
"""scripts/setup-nic and scripts/tune-host on this machine, as far as that disturbs nobody: an interface in
a namespace of its own, two huge pages for a moment. Exit 77: cannot run here."""
import os
import pathlib
import subprocess
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = pathlib.Path("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages")
STATES = [pathlib.Path(f"/run/gnomon/{name}.state") for name in ("setup-nic", "tune-host")]
NAMESPACE = f"ghs{os.getpid()}"


def run(*argv, check=True):
    result = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=60)
    if check and result.returncode != 0:
        raise AssertionError(f"{argv}: {result.stdout}{result.stderr}")
    return result.stdout + result.stderr


def inside(*argv, **options):
    return run("ip", "netns", "exec", NAMESPACE, *argv, **options)


def missing():
    if os.geteuid() != 0:
        return "needs root"
    if any(state.exists() for state in STATES):
        return "setup-nic or tune-host is in use on this machine"
    if subprocess.run(["ip", "netns", "add", NAMESPACE], capture_output=True).returncode != 0:
        return "this machine does not allow network namespaces"
    return None


class RealTest(unittest.TestCase):
    def test_status_of_veth(self):
        text = inside(ROOT / "scripts/setup-nic", "status", "eth0")
        self.assertIn("driver veth", text)
        self.assertIn("software-tx", text)
        self.assertIn("af_xdp:eth0, shared with the kernel: recommended", text)
        self.assertIn("eth0", inside(ROOT / "scripts/setup-nic", "status"))

    def test_veth_cannot_be_bound_or_sorted(self):
        self.assertIn("not a PCI device", inside(ROOT / "scripts/setup-nic", "bind", "eth0", check=False))
        self.assertIn("cannot sort packets", inside(ROOT / "scripts/setup-nic", "flow", "eth0", "0", check=False))
        self.assertFalse(STATES[0].exists())

    def test_check_answers(self):
        self.assertIn("IOMMU", run(ROOT / "scripts/setup-nic", "check", check=False))
        self.assertIn("clock source", run(ROOT / "scripts/tune-host", "check", check=False))

    @unittest.skipUnless(PAGES.exists(), "no huge pages in this kernel")
    def test_two_hugepages_and_back(self):
        before = int(PAGES.read_text())
        answer = run(ROOT / "scripts/setup-nic", "hugepages", "4", check=False)
        if "memory is in pieces" not in answer:
            self.assertEqual(int(PAGES.read_text()), before + 2, answer)
            run(ROOT / "scripts/setup-nic", "undo")
        self.assertEqual(int(PAGES.read_text()), before)
        self.assertFalse(STATES[0].exists())


if __name__ == "__main__":
    reason = missing()
    if reason:
        print(reason)
        sys.exit(77)
    try:
        run("ip", "link", "add", "eth0", "netns", NAMESPACE, "type", "veth", "peer", "name", "eth1", "netns", NAMESPACE)
        inside("ip", "link", "set", "eth0", "up")
        program = unittest.main(exit=False)
    finally:
        subprocess.run(["ip", "netns", "del", NAMESPACE])
    sys.exit(0 if program.result.wasSuccessful() else 1)
