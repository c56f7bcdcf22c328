#!/usr/bin/env python3
"""DPDK's dataplanes over veth among real peers: who follows them, what the kernel keeps, what happens when
the process, the link or the worker goes away."""
import ctypes
import os
import sys
import time
import unittest

import harness
from harness import GNOMONC, Lab, wait_for

MODULE = harness.BUILD / "lib/libgnomon-dpdk.so"
FAST = "minpoll -2 maxpoll -2 iburst"
KEYS = "1 SHA1 HEX:1F2E3D4C5B6A79880102030405060708090A0B0C\n2 AES128 HEX:000102030405060708090A0B0C0D0E0F\n"
DEVICES = ("af_packet", "af_xdp")


def selected(host, daemon):
    rows = [row for row in host.csv(daemon, "sources") if row[1] == "*"]
    return rows[0][2] if rows else None


def offset_s(host, daemon):
    return abs(float(host.csv(daemon, "tracking")[0][4]))


def served(host, daemon):
    """Responses, of sockets and dataplane together."""
    return int(host.csv(daemon, "serverstats")[0][0])


def socket_datagrams(host):
    """What the kernel gave to sockets."""
    names, values = (row.split() for row in host.run(["cat", "/proc/net/snmp"]).splitlines()
                     if row.startswith("Udp:"))
    return int(values[names.index("InDatagrams")])


def socket_datagrams6(host):
    return next(int(row.split()[1]) for row in host.run(["cat", "/proc/net/snmp6"]).splitlines()
                if row.startswith("Udp6InDatagrams"))


def has_xdp(host):
    return "prog/xdp" in host.run(["ip", "-d", "link", "show", "dev", "eth0"])


def write_keys(*hosts):
    for host in hosts:
        (host.dir / "keys").write_text(KEYS)
        (host.dir / "keys").chmod(0o600)


def serve(host, device, *lines):
    daemon = host.gnomond(["local stratum 1", "allow", f"dataplane dpdk {device}:eth0", *lines])
    wait_for("server up", lambda: host.csv(daemon, "tracking"))
    return daemon


# Asks five times by frames with a VLAN tag, prints the tags of the answers. Arguments: the server's MAC address,
# our address, the server's, the VLAN.
TAGGED_REQUEST = r"""
import socket, struct, sys, time
mac, ours, theirs, vlan = sys.argv[1:]
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
s.bind(("eth0", 3))
s.setsockopt(263, 8, 1)  # SOL_PACKET, PACKET_AUXDATA
own = s.getsockname()[4]
def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    total = (total & 0xffff) + (total >> 16)
    return 0xffff ^ ((total & 0xffff) + (total >> 16))
def header(check):
    return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 76, 0, 0x4000, 64, 17, check, socket.inet_aton(ours),
                       socket.inet_aton(theirs))
for i in range(5):
    ntp = bytes([0x23]) + bytes(39) + struct.pack("!II", 0xe0000000, i + 1)
    udp = struct.pack("!HHHH", 40000, 123, 56, 0)
    s.send(bytes.fromhex(mac.replace(":", "")) + own + struct.pack("!HHH", 0x8100, int(vlan), 0x0800) +
           header(checksum(header(0))) + udp + ntp)
    time.sleep(0.02)
end = time.monotonic() + 0.5
while time.monotonic() < end:
    s.settimeout(max(0.01, end - time.monotonic()))
    try:
        data, extra, _, address = s.recvmsg(2000, 100)
    except OSError:
        break
    if address[2] == 4:  # PACKET_OUTGOING
        continue
    tag = 0
    for level, kind, body in extra:
        if kind == 8 and struct.unpack("IIIHHHH", body[:20])[0] & 16:  # TP_STATUS_VLAN_VALID
            tag = struct.unpack("IIIHHHH", body[:20])[5] & 0xfff
    at = 12
    if data[at:at + 2] == b"\x81\x00":
        tag, at = struct.unpack("!H", data[at + 2:at + 4])[0] & 0xfff, at + 4
    ip = data[at + 2:]
    if data[at:at + 2] == b"\x08\x00" and ip[9] == 17 and ip[12:16] == socket.inet_aton(theirs) and \
            ip[28] & 7 == 4:
        print(tag)
"""


class Rate:
    """Asks a server now and then and tells who answers."""

    def __init__(self, client, server):
        self.client, self.server = client, server

    def ask(self, address=None, count=5):
        """Number of answers to plain requests."""
        script = ("import socket,sys,time\n"
                  "address,count=sys.argv[1],int(sys.argv[2])\n"
                  "s=socket.socket(socket.AF_INET6 if ':' in address else socket.AF_INET,socket.SOCK_DGRAM)\n"
                  "s.settimeout(0.2)\n"
                  "n=0\n"
                  "for i in range(count):\n"
                  "    s.sendto(b'\\x23'+bytes(39)+i.to_bytes(4,'big')+b'abcd',(address,123))\n"
                  "    try: n+=len(s.recv(100))>=48\n"
                  "    except OSError: pass\n"
                  "print(n)\n")
        return int(self.client.run([sys.executable, "-c", script, address or self.server.ipv4, count]))

    def by_dataplane(self, address=None):
        """True when everything is answered and nothing of it through sockets."""
        count = socket_datagrams6 if address and ":" in address else socket_datagrams
        before = count(self.server)
        return self.ask(address) == 5 and count(self.server) - before < 3

    def by_sockets(self):
        before = socket_datagrams(self.server)
        return self.ask() == 5 and socket_datagrams(self.server) - before >= 5


class Dataplane(unittest.TestCase):
    def test_debians_chronyd_follows(self):
        for device in DEVICES:
            with self.subTest(device=device), Lab() as lab:
                server = lab.host("server")
                clients = {
                    "ipv4": (lab.host("four"), server.ipv4, ""),
                    "ipv6": (lab.host("six"), server.ipv6, ""),
                    "interleaved": (lab.host("interleaved"), server.ipv4, "xleave"),
                    "interleaved6": (lab.host("interleaved6"), server.ipv6, "xleave"),
                    "sha1": (lab.host("sha1"), server.ipv4, "key 1"),
                    "cmac": (lab.host("cmac"), server.ipv6, "key 2 xleave"),
                }
                write_keys(server, *(host for host, _, _ in clients.values()))
                upstream = serve(server, device, f"keyfile {server.dir}/keys")
                rate = Rate(clients["ipv4"][0], server)
                wait_for("the dataplane serves", rate.by_dataplane)
                self.assertTrue(rate.by_dataplane(server.ipv6))
                before = served(server, upstream), socket_datagrams(server) + socket_datagrams6(server)
                daemons = {name: host.chronyd([f"server {address} {FAST} {options}", f"keyfile {host.dir}/keys"])
                           for name, (host, address, options) in clients.items()}
                for name, (host, address, _) in clients.items():
                    wait_for(f"{name} selects", lambda: selected(host, daemons[name]) == address)
                time.sleep(4)
                for name, (host, _, options) in clients.items():
                    ntpdata = host.csv(daemons[name], "ntpdata")[0]
                    self.assertLess(offset_s(host, daemons[name]), 1e-3, name)
                    self.assertEqual(ntpdata[26], "Yes" if "xleave" in options else "No", name)
                    self.assertEqual(ntpdata[27], "Yes" if "key" in options else "No", name)
                answered = served(server, upstream) - before[0]
                by_sockets = socket_datagrams(server) + socket_datagrams6(server) - before[1]
                self.assertGreater(answered, 6 * 8)
                self.assertLess(by_sockets, answered / 4, "the dataplane answered, not the sockets")
                self.assertEqual(upstream.stop(), 0)
                self.assertFalse(has_xdp(server), "no XDP program is left behind")

    def test_ntpsec_follows(self):
        for device in DEVICES:
            with self.subTest(device=device), Lab() as lab:
                server, client = lab.host("server"), lab.host("client")
                serve(server, device)
                wait_for("the dataplane serves", Rate(client, server).by_dataplane)
                client.ntpd(f"server {server.ipv4} iburst minpoll 3 maxpoll 3")
                wait_for("ntpd selects", lambda: harness.ntpd_selected(client) == {server.ipv4}, 60)

    def test_behind_a_vlan(self):
        # As frames, since not every kernel has 802.1Q; the bridge between does not look at tags.
        for device in DEVICES:
            with self.subTest(device=device), Lab() as lab:
                server, client = lab.host("server"), lab.host("client")
                # XDP programs do not see tags that the device keeps beside the frame (scripts/setup-nic vlan).
                harness.subprocess.run(["ip", "netns", "exec", lab.switch, "ethtool", "-K", server.link, "txvlan",
                                        "off"], check=True, capture_output=True)
                daemon = server.gnomond(
                    ["local stratum 1", "allow", f"dataplane dpdk {device}:eth0 "
                     f"address {server.ipv4}/24 address 10.78.0.1/24@7"])
                wait_for("server up", lambda: server.csv(daemon, "tracking"))
                wait_for("the dataplane serves", Rate(client, server).by_dataplane)
                mac = server.run(["cat", "/sys/class/net/eth0/address"]).strip()
                answers = client.run([sys.executable, "-c", TAGGED_REQUEST, mac, "10.78.0.2", "10.78.0.1", "7"])
                self.assertEqual(answers.split(), ["7"] * 5, "each answered once, with the tag")

    def test_the_kernel_keeps_everything_else(self):
        for device in DEVICES:
            with self.subTest(device=device), Lab() as lab:
                server, client = lab.host("server"), lab.host("client")
                serve(server, device)
                wait_for("the dataplane serves", Rate(client, server).by_dataplane)
                for address in (server.ipv4, server.ipv6):
                    client.run(["ping", "-c", "3", "-i", "0.2", "-W", "1", address])
                listener = harness.subprocess.Popen(
                    ["ip", "netns", "exec", server.namespace, sys.executable, "-c",
                     "import socket\ns=socket.create_server(('0.0.0.0',2222))\nc,_=s.accept()\n"
                     "n=0\nwhile True:\n    d=c.recv(65536)\n    if not d: break\n    n+=len(d)\nprint(n)\n"],
                    stdout=harness.subprocess.PIPE, text=True)
                try:
                    time.sleep(0.5)
                    client.run([sys.executable, "-c",
                                "import socket\ns=socket.create_connection(('%s',2222),5)\n"
                                "s.sendall(bytes(3000000))\n" % server.ipv4])
                    self.assertEqual(listener.communicate(timeout=10)[0].strip(), "3000000")
                finally:
                    listener.kill()
                    listener.wait()

    def test_link_goes_down_and_comes_back(self):
        for device in DEVICES:
            with self.subTest(device=device), Lab() as lab:
                server, client = lab.host("server"), lab.host("client")
                daemon = serve(server, device)
                rate = Rate(client, server)
                wait_for("the dataplane serves", rate.by_dataplane)
                server.set_link("down")
                time.sleep(1.5)
                self.assertEqual(rate.ask(count=2), 0)
                server.set_link("up")
                wait_for("served again", lambda: rate.ask() == 5, 15)
                wait_for("by the dataplane", rate.by_dataplane, 15)
                self.assertTrue(daemon.alive())

    def test_after_a_kill_the_next_process_serves(self):
        for device in DEVICES:
            for successor in ("sockets", device):
                with self.subTest(device=device, successor=successor), Lab() as lab:
                    server, client = lab.host("server"), lab.host("client")
                    daemon = serve(server, device)
                    rate = Rate(client, server)
                    wait_for("the dataplane serves", rate.by_dataplane)
                    daemon.kill()
                    self.assertEqual(rate.ask(count=2), 0)
                    lines = [] if successor == "sockets" else [f"dataplane dpdk {device}:eth0"]
                    after = server.gnomond(["local stratum 1", "allow", *lines], name="successor")
                    wait_for("served again", rate.by_sockets if successor == "sockets" else rate.by_dataplane, 15)
                    self.assertEqual(after.stop(), 0)
                    if successor != "sockets":
                        self.assertFalse(has_xdp(server))

    def test_a_stopped_worker_hands_over_to_sockets_within_a_second_or_so(self):
        for device in DEVICES:
            with self.subTest(device=device), Lab() as lab:
                server, client = lab.host("server"), lab.host("client")
                daemon = serve(server, device)
                rate = Rate(client, server)
                wait_for("the dataplane serves", rate.by_dataplane)
                worker = self.worker_thread(daemon.process.pid)
                self.assertIsNotNone(worker, "no thread is named as a worker")
                with Stopped(worker):
                    wait_for("sockets serve", rate.by_sockets, 10)
                wait_for("the dataplane is back", rate.by_dataplane, 20)
                self.assertIn(f"{device}:eth0 stalled, kernel sockets serve", daemon.log)

    @staticmethod
    def worker_thread(pid):
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/comm") as name:
                if name.read().strip().startswith("worker "):
                    return int(task)
        return None


class Stopped:
    """Keeps a thread from running, as its tracer, and no other thread of its process."""

    def __init__(self, thread):
        self.thread = thread

    def __enter__(self):
        self.libc = ctypes.CDLL(None, use_errno=True)
        # PTRACE_ATTACH, PTRACE_DETACH, __WALL.
        if self.libc.ptrace(16, self.thread, 0, 0) != 0:
            raise unittest.SkipTest("threads cannot be traced here")
        os.waitpid(self.thread, 0x40000000)
        return self

    def __exit__(self, *_):
        self.libc.ptrace(17, self.thread, 0, 0)


def missing():
    reason = harness.missing()
    if reason:
        return reason
    if not MODULE.exists():
        return f"{MODULE} is missing (built without DPDK)"
    return None


if __name__ == "__main__":
    why = missing()
    if why:
        print(f"SKIPPED: {why}")
        sys.exit(77)
    unittest.main(verbosity=2)
