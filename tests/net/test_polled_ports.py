#!/usr/bin/env python3
"""The appliance with polled ports: who follows, who serves when, whose packets go where, what is left behind.

Everything over veth pairs in namespaces, without huge pages. `GNOMON_LONG=1`: the followers are watched for
ten minutes each instead of some seconds.
"""
import ctypes
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest

import harness
from harness import CHRONYC, GNOMONC, Lab, ip, wait_for

MODULES = harness.BUILD / "lib"
LONG = bool(os.environ.get("GNOMON_LONG"))
KEYS = "1 SHA1 HEX:1F2E3D4C5B6A79880102030405060708090A0B0C\n2 AES128 HEX:000102030405060708090A0B0C0D0E0F\n"
VLAN = 7
# A reply that a client waits for, in seconds. Much longer than the slowest machine needs.
PROBE_TIMEOUT = 0.25


def missing():
    reason = harness.missing()
    if reason:
        return reason
    if not (MODULES / "libgnomon-dpdk.so").exists():
        return f"{MODULES}/libgnomon-dpdk.so is missing (built without DPDK)"
    return None


def devices():
    yield "af_packet"
    if (MODULES / "ntp_only.bpf.o").exists():
        yield "af_xdp"


def add_vlan(host, number):
    """A tagged interface of the kernel above eth0. False where the kernel knows no VLANs."""
    name = f"eth0.{VLAN}"
    try:
        ip("link", "add", "link", "eth0", "name", name, "type", "vlan", "id", str(VLAN), namespace=host.namespace)
    except subprocess.CalledProcessError:
        return False
    ip("addr", "add", f"10.78.0.{number}/24", "dev", name, namespace=host.namespace)
    ip("link", "set", name, "up", namespace=host.namespace)
    return True


# Asks from 10.78.0.2 for the time of 10.78.0.1 in VLAN 7 by frames of its own making, for kernels without
# VLANs; prints the tag of every reply. The kernel takes tags off and tells them beside the frame.
TAGGED_CLIENT = """
import socket, struct, sys, time
ETH_ALL, AUXDATA, SOL_PACKET = 3, 8, 263
mac = bytes.fromhex(sys.argv[1].replace(':', ''))
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_ALL))
s.bind(('eth0', ETH_ALL))
s.setsockopt(SOL_PACKET, AUXDATA, 1)
s.settimeout(0.2)
own = s.getsockname()[4]
def checksum(data):
    total = sum(struct.unpack(f'!{len(data) // 2}H', data))
    total = (total & 0xffff) + (total >> 16)
    return ~((total & 0xffff) + (total >> 16)) & 0xffff
ntp = bytes([0x23]) + bytes(39) + b'12345678'
udp = struct.pack('!4H', 40123, 123, 8 + len(ntp), 0) + ntp
header = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, socket.inet_aton('10.78.0.2'),
                     socket.inet_aton('10.78.0.1'))
header = header[:10] + struct.pack('!H', checksum(header)) + header[12:]
frame = mac + own + struct.pack('!HHH', 0x8100, int(sys.argv[2]), 0x0800) + header + udp
for i in range(100):
    s.send(frame)
    try:
        data, extra, flags, address = s.recvmsg(2000, 100)
        while address[2] == 4 or data[12:14] != b'\\x08\\x00' or data[26:30] != socket.inet_aton('10.78.0.1'):
            data, extra, flags, address = s.recvmsg(2000, 100)
    except TimeoutError:
        continue
    tag = struct.unpack('IIIHHHH', extra[0][2])[5] & 0xfff
    print(tag, data[42] & 7, flush=True)
    time.sleep(0.02)
"""


def serve(host, device, lines=(), arguments=("-F", "1"), options="", name="gnomond"):
    daemon = host.gnomond([f"dataplane dpdk {device}:eth0 {options}", "local stratum 1", "allow",
                           "clientloglimit 1000000", *lines], arguments, name=name)
    port = lambda: host.report(daemon, "dataplane")[0]
    wait_for("the port serves", lambda: port()["served_by"] == "port")
    return daemon


def port_of(host, daemon):
    return host.report(daemon, "dataplane")[0]


def replies(host, daemon):
    return sum(worker["replies"] for worker in port_of(host, daemon)["workers"])


def logged(daemon, text):
    return text in daemon.log


class Probe:
    """A client in a namespace that asks the server every 20 ms from a fresh port and notes when it was
    answered."""

    CODE = """
import select, socket, sys, time
family = socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET
request = bytes([0x23]) + bytes(39) + b'12345678'
while True:
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.connect((sys.argv[1], 123))
    try:
        s.send(request)
        ready = select.select([s], [], [], float(sys.argv[2]))[0]
        good = bool(ready) and len(s.recv(100)) >= 48
    except OSError:
        good = False
    print(f'{time.monotonic()} {int(good)}', flush=True)
    s.close()
    time.sleep(0.02)
"""

    def __init__(self, host, address):
        self.answers, self.tries = [], 0
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", host.namespace, sys.executable, "-c", self.CODE, address, str(PROBE_TIMEOUT)],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            when, good = line.split()
            self.tries += 1
            if good == "1":
                self.answers.append(float(when))

    def answered_since(self, when):
        return any(answer > when for answer in self.answers)

    def longest_gap(self, since, until):
        times = [since] + [t for t in self.answers if since < t < until] + [until]
        return max(b - a for a, b in zip(times, times[1:]))

    def __enter__(self):
        wait_for("the probe is answered", lambda: self.answers)
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.reader.join()
        self.process.stdout.close()


class Stopped:
    """One thread of a process, stopped as if it were stuck. By one thread of ours, as ptrace wants it."""
    SEIZE, INTERRUPT, DETACH, WALL = 0x4206, 0x4207, 17, 0x40000000
    libc = ctypes.CDLL(None, use_errno=True)

    def __init__(self, tid):
        self.tid = tid

    def _ptrace(self, request, data=0):
        result = self.libc.ptrace(ctypes.c_long(request), ctypes.c_long(self.tid), ctypes.c_void_p(0),
                                  ctypes.c_void_p(data))
        if result < 0:
            raise OSError(ctypes.get_errno(), "ptrace")

    def has_ended(self):
        """Nobody else can take a traced thread to its grave, and the process waits for that."""
        pid, status = os.waitpid(self.tid, self.WALL | os.WNOHANG)
        return pid == self.tid and (os.WIFEXITED(status) or os.WIFSIGNALED(status))

    def __enter__(self):
        self._ptrace(self.SEIZE)
        self._ptrace(self.INTERRUPT)
        os.waitpid(self.tid, self.WALL)
        return self

    def __exit__(self, *_):
        try:
            self._ptrace(self.DETACH)
        except OSError:
            pass  # it has ended


def main_pid(daemon):
    """`ip netns exec` and setpriv exec: the child is the daemon itself."""
    return daemon.process.pid


def worker_tid(daemon):
    for task in pathlib.Path(f"/proc/{main_pid(daemon)}/task").iterdir():
        if (task / "comm").read_text().startswith("worker"):
            return int(task.name)
    raise AssertionError("no worker thread")


def has_xdp(host):
    return "xdp" in host.run(["ip", "-d", "link", "show", "eth0"])


def free_hugepages():
    return re.search(r"HugePages_Free:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text()).group(1)


class Following(unittest.TestCase):
    def watch(self, device):
        """Debian's chronyd over IPv4, IPv6 and VLAN, basic and interleaved, with MACs, and ntpsec."""
        with Lab() as lab:
            server, client, other = lab.host("server"), lab.host("client"), lab.host("other")
            has_vlan = add_vlan(server, 1) and add_vlan(client, 2)
            for host in (server, client):
                (host.dir / "keys").write_text(KEYS)
            upstream = serve(server, device, [f"keyfile {server.dir}/keys"])
            fast = "minpoll -2 maxpoll -2 iburst"
            sources = {
                server.ipv4: f"{fast} key 1",
                server.ipv6: f"{fast} xleave key 2",
            }
            if has_vlan:
                sources["10.78.0.1"] = f"{fast} xleave key 2"
            follower = client.chronyd([f"keyfile {client.dir}/keys"] +
                                      [f"server {address} {options}" for address, options in sources.items()])
            ntpsec = other.ntpd(f"server {server.ipv4} iburst minpoll 3 maxpoll 3")
            rows = lambda: {row[2]: row for row in client.csv(follower, "sources")}
            wait_for("all are reachable", lambda: all(int(row[5], 8) & 7 == 7 for row in rows().values()))
            before = {row[0]: row for row in client.csv(follower, "ntpdata")}
            time.sleep(600 if LONG else 12)
            after = {row[0]: row for row in client.csv(follower, "ntpdata")}
            for address, options in sources.items():
                with self.subTest(device=device, address=address):
                    row = after[address]
                    sent, valid = (int(row[i]) - int(before[address][i]) for i in (30, 32))
                    self.assertGreater(sent, 30)
                    self.assertGreaterEqual(valid, sent * 0.95 - 2, "lost replies")
                    self.assertEqual(row[26], "Yes" if "xleave" in options else "No", "interleaved")
                    self.assertEqual(row[27], "Yes" if "key" in options else "No", "authenticated")
            self.assertLess(abs(float(client.csv(follower, "tracking")[0][4])), 1e-3)
            wait_for("ntpsec follows", lambda: harness.ntpd_selected(other) == {server.ipv4}, 60)
            self.assertTrue(ntpsec.alive())

            # It was the port that served, and both reports agree.
            report = port_of(server, upstream)
            self.assertEqual(report["served_by"], "port")
            answered = sum(worker["replies"] for worker in report["workers"])
            hits = int(server.csv(upstream, "serverstats")[0][0])
            self.assertGreater(answered, 100)
            if report["takeovers"] == 0:
                self.assertLess(abs(hits - answered), 60, "nobody else answered")
            clients = {row[0] for row in server.csv(upstream, "top", client=harness.GNOMONC)}
            self.assertIn(client.ipv4, clients, "the busiest clients, as the port saw them")
            self.assertEqual(upstream.stop(), 0, upstream.log[-500:])

    def test_tagged_requests_get_tagged_replies(self):
        for device in devices():
            with self.subTest(device=device), Lab() as lab:
                server, client = lab.host("server"), lab.host("client")
                # Else veth would carry the tag beside the frame, where an XDP program cannot see it.
                subprocess.run(["ip", "netns", "exec", lab.switch, "ethtool", "-K", server.link, "txvlan", "off"],
                               check=True, capture_output=True)
                daemon = serve(server, device, options=f"address {server.ipv4}/24 address 10.78.0.1/24@{VLAN}")
                mac = server.run(["cat", "/sys/class/net/eth0/address"]).strip()
                output = client.run([sys.executable, "-c", TAGGED_CLIENT, mac, str(VLAN)], timeout=40)
                lines = output.split("\n")
                self.assertGreater(lines.count(f"{VLAN} 4"), 80, output[:300])
                self.assertGreater(replies(server, daemon), 80)
                self.assertEqual(client.run([sys.executable, "-c", TAGGED_CLIENT, mac, str(VLAN + 1)], timeout=40), "",
                                 "not in this VLAN")

    def test_followers_of_af_packet(self):
        self.watch("af_packet")

    def test_followers_of_af_xdp(self):
        if "af_xdp" not in devices():
            self.skipTest("no XDP program: clang was missing")
        self.watch("af_xdp")


class Neighbours(unittest.TestCase):
    """What is not NTP."""

    def exchange(self, server, client, address):
        client.run(["ping", "-c", "3", "-i", "0.2", "-W", "2", address])
        listener = subprocess.Popen(
            ["ip", "netns", "exec", server.namespace, sys.executable, "-c",
             "import socket; s = socket.create_server(('', 7)); c, _ = s.accept(); d = b''\n"
             "while len(d) < 200000: d += c.recv(65536)\nc.sendall(d[::-1]); c.close()"])
        try:
            output = wait_for("TCP", lambda: client.run(
                [sys.executable, "-c",
                 "import socket, sys; c = socket.create_connection((sys.argv[1], 7), 3); d = b'ab' * 100000\n"
                 "c.sendall(d); r = b''\nwhile True:\n b = c.recv(65536)\n if not b: break\n r += b\n"
                 "print(r == d[::-1])", address]))
            self.assertIn("True", output)
        finally:
            listener.kill()
            listener.wait()

    def test_the_kernel_keeps_a_shared_port(self):
        for device in devices():
            with self.subTest(device=device), Lab() as lab:
                server, client = lab.host("server"), lab.host("client")
                daemon = serve(server, device)
                with Probe(client, server.ipv4):
                    self.exchange(server, client, server.ipv4)
                self.assertGreater(replies(server, daemon), 0)

    def exclusive(self, server, lines=()):
        """The kernel loses the interface and gets another one for what is not NTP."""
        ip("addr", "flush", "dev", "eth0", namespace=server.namespace)
        daemon = serve(server, "af_xdp", lines, options=f"mode exclusive address {server.ipv4}/24 "
                       f"address {server.ipv6}/64 exception ntp0")
        return daemon

    def test_the_kernel_lives_on_behind_an_exclusive_port(self):
        with Lab() as lab:
            server, client = lab.host("server"), lab.host("client")
            daemon = self.exclusive(server)
            # What comes from a wire has complete checksums; what a kernel hands to veth has not.
            client.run(["ethtool", "-K", "eth0", "tx", "off"])
            self.assertIn(server.ipv4, server.run(["ip", "addr", "show", "ntp0"]), "with the addresses of the port")
            with Probe(client, server.ipv4), Probe(client, server.ipv6):
                self.exchange(server, client, server.ipv4)
            self.assertGreater(replies(server, daemon), 0)
            self.assertEqual(daemon.stop(), 0, daemon.log[-500:])
            self.assertNotIn("ntp0", server.run(["ip", "link"]))

    def test_own_requests_leave_through_the_port(self):
        with Lab() as lab:
            server, upstream = lab.host("server"), lab.host("upstream")
            above = upstream.chronyd(["local stratum 1", "allow"])
            wait_for("up", lambda: upstream.csv(above, "tracking"))
            daemon = self.exclusive(server, [f"server {upstream.ipv4} minpoll 0 maxpoll 0 iburst",
                                             f"server {upstream.ipv6} minpoll 0 maxpoll 0 iburst xleave"])
            wait_for("selected", lambda: any(row[1] == "*" for row in server.csv(daemon, "sources")))
            wait_for("both are measured", lambda: all(int(row[5], 8) & 3 == 3
                                                      for row in server.csv(daemon, "sources")))
            worker = port_of(server, daemon)["workers"][0]
            self.assertGreater(worker["to_control"], 6, "replies and transmit stamps")
            wait_for("in time", lambda: abs(float(server.csv(daemon, "tracking")[0][4])) < 1e-3)
            for row in server.csv(daemon, "ntpdata"):
                self.assertGreater(int(row[32]), 3, "valid replies")
                self.assertGreater(float(row[19]), 0, "the path takes time")


class Faults(unittest.TestCase):
    def test_no_link_and_back(self):
        for device in devices():
            with self.subTest(device=device), Lab() as lab:
                server, client = lab.host("server"), lab.host("client")
                daemon = serve(server, device)
                with Probe(client, server.ipv4) as probe:
                    server.set_link("down")
                    wait_for("told", lambda: logged(daemon, "has no link, kernel sockets serve"), 3)
                    server.set_link("up")
                    up = time.monotonic()
                    wait_for("served by the kernel or the port", lambda: probe.answered_since(up + 0.1), 5)
                    wait_for("handed back", lambda: logged(daemon, "works again and serves"), 8)
                    before = replies(server, daemon)
                    wait_for("the port serves", lambda: replies(server, daemon) > before + 5, 5)
                self.assertEqual(port_of(server, daemon)["takeovers"], 1)

    def test_a_stuck_worker_is_replaced_by_the_kernel_within_a_second(self):
        for device in devices():
            with self.subTest(device=device), Lab() as lab:
                server, client = lab.host("server"), lab.host("client")
                daemon = serve(server, device)
                with Probe(client, server.ipv4) as probe:
                    with Stopped(worker_tid(daemon)):
                        stuck = time.monotonic()
                        time.sleep(3)
                        end = time.monotonic()
                        self.assertLess(probe.longest_gap(stuck, end), 1.0 + PROBE_TIMEOUT)
                        self.assertTrue(logged(daemon, "stalled, kernel sockets serve"))
                        self.assertEqual(port_of(server, daemon)["served_by"], "kernel")
                    wait_for("handed back", lambda: port_of(server, daemon)["served_by"] == "port", 8)
                    before = replies(server, daemon)
                    wait_for("the port serves", lambda: replies(server, daemon) > before + 5, 5)

    def test_the_end_does_not_wait_for_a_stuck_worker(self):
        with Lab() as lab:
            server = lab.host("server")
            daemon = serve(server, "af_packet")
            with Stopped(worker_tid(daemon)) as worker:
                os.kill(main_pid(daemon), signal.SIGTERM)
                wait_for("the worker is gone", worker.has_ended, 8)
                wait_for("all of it is", lambda: not daemon.alive(), 2)
            self.assertTrue(logged(daemon, "does not end"))

    def test_killed_the_kernel_has_its_packets_back_and_a_restart_works(self):
        for device in devices():
            with self.subTest(device=device), Lab() as lab:
                server, client = lab.host("server"), lab.host("client")
                serve(server, device).kill()
                plain = server.gnomond(["local stratum 1", "allow"], name="plain")
                with Probe(client, server.ipv4):
                    pass
                self.assertEqual(plain.stop(), 0)
                again = serve(server, device)
                with Probe(client, server.ipv4):
                    wait_for("the port serves", lambda: replies(server, again) > 5)
                self.assertEqual(again.stop(), 0, again.log[-500:])
                self.assertFalse(has_xdp(server))

    def test_without_buffers_somebody_serves(self):
        with Lab() as lab:
            server, client = lab.host("server"), lab.host("client")
            daemon = server.gnomond(["dataplane dpdk af_packet:eth0 ring 1024", "dataplane mbufs 512",
                                     "local stratum 1", "allow"])
            with Probe(client, server.ipv4) as probe:
                time.sleep(2)
                now = time.monotonic()
                wait_for("still answered", lambda: probe.answered_since(now), 3)
            self.assertTrue(daemon.alive())

    def test_the_end_leaves_nothing_behind(self):
        pages = free_hugepages()
        before = set(os.listdir("/dev/hugepages")) if os.path.isdir("/dev/hugepages") else set()
        for device in devices():
            with self.subTest(device=device), Lab() as lab:
                server = lab.host("server")
                daemon = serve(server, device)
                self.assertEqual(has_xdp(server), device == "af_xdp")
                self.assertEqual(daemon.stop(), 0, daemon.log[-500:])
                self.assertFalse(has_xdp(server))
                self.assertEqual(free_hugepages(), pages)
                after = set(os.listdir("/dev/hugepages")) if os.path.isdir("/dev/hugepages") else set()
                self.assertEqual(after, before)

    def test_without_the_module_the_error_names_the_remedy(self):
        with Lab() as lab:
            host = lab.host("host")
            copy = lab.dir / "bin" / "gnomond"
            copy.parent.mkdir()
            copy.write_bytes(harness.GNOMOND.read_bytes())
            copy.chmod(0o755)
            result = subprocess.run(["ip", "netns", "exec", host.namespace, str(copy), "-x", "-d", "-U", "-u", "root",
                                     f"bindcmdaddress {host.dir}/x.sock", "pidfile /", "dataplane dpdk af_packet:eth0"],
                                    capture_output=True, text=True, timeout=20)
            self.assertEqual(result.returncode, 1)
            self.assertIn("GNOMON_DPDK=ON", result.stderr + result.stdout)

    def test_an_interface_that_is_not_there_is_named(self):
        with Lab() as lab:
            host = lab.host("host")
            daemon = host.gnomond(["dataplane dpdk af_packet:nothere"])
            wait_for("ended", lambda: not daemon.alive())
            self.assertIn("nothere", daemon.log)


if __name__ == "__main__":
    reason = missing()
    if reason:
        print(f"SKIPPED: {reason}")
        sys.exit(77)
    unittest.main(verbosity=2)
