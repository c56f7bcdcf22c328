"""Servers in network namespaces, each joined to its client's namespace by a veth pair.

The server's processor is core 0, the load's core 1. One server runs at a time, since a dataplane that
polls never leaves its core to another. Who asks from the load's addresses is behind a MAC address that
no interface has, so that answers end at the client's interface before the kernel works on them.
Nothing here steers the clock: daemons run with -x.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
PEERS = ROOT / "build/peers"
SERVER, CLIENT, GATEWAY = "10.9.0.1", "10.9.0.2", "10.9.255.254"
SERVER_MAC, CLIENT_MAC, GATEWAY_MAC = "02:00:00:00:09:01", "02:00:00:00:09:02", "02:67:6e:6f:6d:6e"
LARGE_LOG = 128 << 20
KEYS = {"AES128": (1, "000102030405060708090a0b0c0d0e0f"),
        "SHA1": (2, "101112131415161718191a1b1c1d1e1f20212223")}

# Rings for some milliseconds of frames: where the core is not the server's alone, it is away that long.
DATAPLANES = {"af_packet": "dataplane dpdk af_packet:eth0 cores 0 ring 4096\ndataplane mbufs 32768",
              "af_xdp": "dataplane dpdk af_xdp:eth0 cores 0 ring 4096\ndataplane mbufs 32768"}
SUBJECTS = {"chronyd": "chronyd", "sockets": "gnomond, sockets, one worker",
            "af_packet": "gnomond, DPDK af_packet", "af_xdp": "gnomond, DPDK af_xdp"}


class Unavailable(Exception):
    """Why a subject cannot be measured here."""


def say(text):
    print(f"    {text}", file=sys.stderr, flush=True)


def find_chronyd():
    for path in (os.environ.get("CHRONYD"), PEERS / "usr/sbin/chronyd", shutil.which("chronyd"),
                 "/usr/sbin/chronyd"):
        if path and os.access(path, os.X_OK):
            return pathlib.Path(path)
    raise SystemExit("error: no chronyd: scripts/deps --test, or set CHRONYD")


def load_average():
    return float(pathlib.Path("/proc/loadavg").read_text().split()[0])


def cpu_times(core):
    """Jiffies of a core: all, not idle, in soft interrupts."""
    for line in pathlib.Path("/proc/stat").read_text().splitlines():
        if line.startswith(f"cpu{core} "):
            values = [int(v) for v in line.split()[1:9]]
            return sum(values), sum(values) - values[3] - values[4], values[6]
    return 1, 0, 0


class Network:
    """Two namespaces and the veth pair between them."""

    def __init__(self):
        self.server, self.client = f"gdb{os.getpid()}s", f"gdb{os.getpid()}c"
        self.made = []

    def ip(self, *arguments):
        subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)

    def __enter__(self):
        try:
            self._make()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def _make(self):
        for name in (self.server, self.client):
            self.ip("netns", "add", name)
            self.made.append(name)
        self.ip("link", "add", "eth0", "netns", self.server, "type", "veth", "peer", "name", "eth0", "netns",
                self.client)
        for name, mac, address in ((self.server, SERVER_MAC, SERVER), (self.client, CLIENT_MAC, CLIENT)):
            self.ip("-n", name, "link", "set", "eth0", "address", mac)
            self.ip("-n", name, "addr", "add", f"{address}/16", "dev", "eth0")
            self.ip("-n", name, "link", "set", "lo", "up")
            self.ip("-n", name, "link", "set", "eth0", "up")
        # A network card has NAPI, and veth has it with GRO; live frames want it too.
        self.run(self.server, ["ethtool", "-K", "eth0", "gro", "on"])
        self.ip("-n", self.server, "route", "add", "10.128.0.0/9", "via", GATEWAY)
        self.set_neighbours()

    def set_neighbours(self):
        """Nobody shall have to ask for another's address in the middle of a measurement. To be repeated when a
        server has started: a dataplane that sets its device's address makes the kernel forget them all."""
        for namespace, address, mac in ((self.server, GATEWAY, GATEWAY_MAC), (self.server, CLIENT, CLIENT_MAC),
                                        (self.client, SERVER, SERVER_MAC)):
            self.ip("-n", namespace, "neigh", "replace", address, "lladdr", mac, "dev", "eth0", "nud", "permanent")

    def __exit__(self, *_):
        for name in reversed(self.made):
            subprocess.run(["ip", "netns", "del", name], capture_output=True)

    def run(self, namespace, argv, timeout=30, check=True):
        result = subprocess.run(["ip", "netns", "exec", namespace, *map(str, argv)], capture_output=True,
                                text=True, timeout=timeout)
        if check and result.returncode != 0:
            raise RuntimeError(f"{argv[0]}: {result.stderr.strip() or result.stdout.strip()}")
        return result

    def set_rps(self, on):
        """On: each side's packets are worked on by its own core. Off: by the sender's, as veth does."""
        for namespace, mask in ((self.server, 1), (self.client, 2)):
            path = "/sys/class/net/eth0/queues/rx-0/rps_cpus"
            self.run(namespace, ["sh", "-c", f"echo {mask if on else 0} >{path}"])

    def drop_at_server(self, on):
        """For the generator's own limit: requests end at the server's interface."""
        rules = ("table netdev bench {\nchain arriving { type filter hook ingress device eth0 priority 0;\n"
                 "policy drop; }\n}" if on else "delete table netdev bench")
        self.run(self.server, ["nft", rules])


def priority():
    """More than what else runs, if allowed: a benchmark on a busy machine is bad enough. Where sessions are
    scheduled as groups, niceness counts within a group only, so each process gets its own with a niceness.
    Whoever is started so dies with us."""
    words = ["setpriv", "--pdeathsig", "KILL"]
    probe = subprocess.run(["nice", "-n", "-5", "true"], capture_output=True)
    if probe.returncode == 0 and not probe.stderr:
        script = '[ ! -e /proc/self/autogroup ] || echo -10 >/proc/self/autogroup; exec "$@"'
        words += ["setsid", "sh", "-c", script, "sh", "nice", "-n", "-5"]
    return words


class Lab:
    def __init__(self, programs, network):
        self.programs, self.network = programs, network
        self.chronyd = find_chronyd()
        self.nice = priority()
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="gnomon-bench-"))
        self.dir.chmod(0o770)
        self.process, self.subject = None, None

    def close(self):
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    def _configure(self, subject, large_log):
        keys = self.dir / "keys"
        keys.write_text("".join(f"{number} {kind} HEX:{secret}\n" for kind, (number, secret) in KEYS.items()))
        keys.chmod(0o600)
        lines = ["allow", "local stratum 1", "cmdport 0", f"bindcmdaddress {self.dir}/control.sock",
                 f"pidfile {self.dir}/pid", f"keyfile {keys}"]
        if large_log:
            lines.append(f"clientloglimit {LARGE_LOG}")
        if subject != "chronyd":
            lines.append("serverthreads 1")
        if subject in DATAPLANES:
            lines.append(DATAPLANES[subject])
        path = self.dir / "server.conf"
        path.write_text("\n".join(lines) + "\n")
        return path

    def start(self, subject, large_log=False):
        """Starts the server and waits until it answers, a dataplane until it has taken over."""
        self.stop()
        conf = self._configure(subject, large_log)
        program = self.chronyd if subject == "chronyd" else self.programs / "gnomond"
        self.log = self.dir / f"{subject}.log"
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(
                ["ip", "netns", "exec", self.network.server, *self.nice, "taskset", "-c", "0", program,
                 "-d", "-x", "-u", "root", "-f", conf], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        self.subject = subject
        deadline = time.monotonic() + 8
        while time.monotonic() < deadline and self.process.poll() is None:
            time.sleep(0.1)
            if self.probe() and (subject not in DATAPLANES or self._dataplane_serves()):
                self.network.set_neighbours()
                if not self._serves_load():
                    continue
                return
        words = self.log.read_text(errors="replace").strip().splitlines()
        self.stop()
        raise Unavailable(words[-1] if words else "does not answer")

    def probe(self):
        return self.in_client([self.programs / "ntp_zero", f"--server={SERVER}", "--count=1",
                               "--interval-us=100"], check=False).returncode == 0

    def dataplane_report(self):
        result = self.network.run(self.network.server, [self.programs / "gnomonc", "-n", "--json", "-h",
                                                        self.dir / "control.sock", "dataplane"], check=False)
        try:
            return json.loads(result.stdout)
        except ValueError:
            return None

    def _serves_load(self):
        """Whether the load's clients get answers, not only ours."""
        result = self.load(rate=10_000, seconds=0.05, clients=64)
        return result["answered"] > result["sent"] / 2

    def _datagrams(self):
        """Datagrams that the kernel gave to sockets of the server's namespace."""
        rows = self.network.run(self.network.server, ["cat", "/proc/net/snmp"]).stdout.splitlines()
        names, values = (row.split() for row in rows if row.startswith("Udp:"))
        return int(values[names.index("InDatagrams")])

    def _dataplane_serves(self):
        """Whether answers come from the dataplane and not from the sockets below it."""
        before = self._datagrams()
        result = self.zero(20, 100)
        return bool(result) and result["count"] >= 10 and self._datagrams() - before < 10

    def stop(self):
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None
        # After a kill, the XDP program would stay.
        self.network.run(self.network.server, ["ip", "link", "set", "eth0", "xdp", "off"], check=False)

    def cpu_s(self):
        """Processor time of the server, all threads."""
        total = 0
        for path in pathlib.Path(f"/proc/{self.process.pid}/task").glob("*/schedstat"):
            try:
                total += int(path.read_text().split()[0])
            except (OSError, ValueError):
                pass
        return total / 1e9

    def in_client(self, argv, check=True, timeout=60):
        return self.network.run(self.network.client, [*self.nice, "taskset", "-c", "1", *argv],
                                check=check, timeout=timeout)

    def frame_load_argv(self, **options):
        argv = [str(self.programs / "frame_load"), "--interface=eth0", f"--server={SERVER}",
                f"--server-mac={SERVER_MAC}"]
        for name, value in options.items():
            name = name.replace("_", "-")
            if value is True:
                argv.append(f"--{name}")
            elif value is not None and value is not False:
                argv.append(f"--{name}={value}")
        return argv

    def load(self, **options):
        return json.loads(self.in_client(self.frame_load_argv(**options)).stdout)

    def load_in_background(self, **options):
        return subprocess.Popen(["ip", "netns", "exec", self.network.client, *self.nice, "taskset", "-c", "1",
                                 *self.frame_load_argv(**options)], stdout=subprocess.PIPE, text=True)

    def zero(self, count, interval_us, interleaved=False):
        argv = [self.programs / "ntp_zero", f"--server={SERVER}", f"--count={count}",
                f"--interval-us={interval_us}", "--json"]
        result = self.in_client(argv + (["--interleaved"] if interleaved else []), check=False)
        return json.loads(result.stdout) if result.returncode == 0 else None
