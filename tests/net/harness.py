"""Hosts in network namespaces with real daemons: what the net tests are made of.

Every host is a namespace on one switched network (10.77.0.0/24, fd77::/64). All share the kernel's
clock, so every true offset is zero. Nothing here may steer that clock: daemons run with -x and, to be
sure, without CAP_SYS_TIME. Names carry the process id; leaving the `Lab` removes everything.
"""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("GNOMON_BUILD", ROOT / "build/release"))
PEERS = ROOT / "build/peers"

GNOMOND = BUILD / "bin/gnomond"
GNOMONC = BUILD / "bin/gnomonc"
CHRONYD = PEERS / "usr/sbin/chronyd"
CHRONYC = PEERS / "usr/bin/chronyc"
NTPD = PEERS / "usr/sbin/ntpd"

WITHOUT_SYS_TIME = ["setpriv", "--bounding-set=-sys_time", "--inh-caps=-sys_time"]


def missing():
    """The reason why the tests cannot run here, or None."""
    if os.geteuid() != 0:
        return "needs root for network namespaces"
    for program in (GNOMOND, GNOMONC, CHRONYD, CHRONYC, NTPD):
        if not program.exists():
            return f"{program} is missing (scripts/deps --test, scripts/build)"
    if subprocess.run(["ip", "netns", "add", f"gprobe{os.getpid()}"], capture_output=True).returncode != 0:
        return "this machine does not allow network namespaces"
    subprocess.run(["ip", "netns", "del", f"gprobe{os.getpid()}"], check=True)
    return None


def ip(*arguments, namespace=None):
    command = ["ip"] + (["-n", namespace] if namespace else []) + list(arguments)
    subprocess.run(command, check=True, capture_output=True, text=True)


class Daemon:
    """A running daemon: its log, its command socket, its end."""

    def __init__(self, host, name, argv, log_path):
        self.host, self.name, self.log_path = host, name, log_path
        self.log_file = open(log_path, "w")
        self.process = subprocess.Popen(["ip", "netns", "exec", host.namespace] + WITHOUT_SYS_TIME + argv,
                                        stdout=self.log_file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)

    @property
    def log(self):
        return pathlib.Path(self.log_path).read_text(errors="replace")

    def alive(self):
        return self.process.poll() is None

    def stop(self):
        if self.alive():
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log_file.close()
        return self.process.returncode

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


class Host:
    def __init__(self, lab, name, number):
        self.lab, self.name = lab, name
        self.namespace = f"{lab.prefix}{number}"
        self.link = f"{lab.prefix}v{number}"
        self.ipv4, self.ipv6 = f"10.77.0.{number}", f"fd77::{number:x}"
        self.dir = lab.dir / name
        self.dir.mkdir(mode=0o770)
        ip("netns", "add", self.namespace)
        lab.cleanup.append(lambda: ip("netns", "del", self.namespace))
        ip("link", "add", self.link, "netns", lab.switch, "type", "veth", "peer", "name", "eth0", "netns",
           self.namespace)
        ip("link", "set", self.link, "master", "br0", "up", namespace=lab.switch)
        ip("link", "set", "lo", "up", namespace=self.namespace)
        ip("addr", "add", f"{self.ipv4}/24", "dev", "eth0", namespace=self.namespace)
        ip("addr", "add", f"{self.ipv6}/64", "dev", "eth0", "nodad", namespace=self.namespace)
        ip("link", "set", "eth0", "up", namespace=self.namespace)

    def run(self, argv, timeout=20, check=True):
        result = subprocess.run(["ip", "netns", "exec", self.namespace] + [str(a) for a in argv],
                                capture_output=True, text=True, timeout=timeout)
        if check and result.returncode != 0:
            raise AssertionError(f"{argv}: exit {result.returncode}\n{result.stdout}{result.stderr}")
        return result.stdout

    def set_link(self, state):
        ip("link", "set", self.link, state, namespace=self.lab.switch)

    def _start(self, name, argv):
        daemon = Daemon(self, name, [str(a) for a in argv], self.dir / f"{name}.log")
        self.lab.daemons.append(daemon)
        return daemon

    def socket(self, name):
        return self.dir / f"{name}.sock"

    def _write_conf(self, name, lines, extra):
        conf = self.dir / f"{name}.conf"
        conf.write_text("\n".join([
            f"pidfile {self.dir}/{name}.pid",
            f"bindcmdaddress {self.socket(name)}",
            "cmdallow", extra, *([lines] if isinstance(lines, str) else lines), ""]))
        return conf

    def gnomond(self, lines, arguments=(), name="gnomond"):
        conf = self._write_conf(name, lines, "bindcmdaddress 0.0.0.0")
        return self._start(name, [GNOMOND, "-x", "-d", "-U", "-u", "root", "-f", conf, *arguments])

    def chronyd(self, lines, name="chronyd"):
        conf = self._write_conf(name, lines, "bindcmdaddress 0.0.0.0")
        return self._start(name, [CHRONYD, "-x", "-d", "-U", "-u", "root", "-f", conf])

    def ntpd(self, lines):
        conf = self.dir / "ntp.conf"
        # `disable ntp`: it selects, but leaves the clock alone.
        conf.write_text(f"disable ntp\nstatsdir {self.dir}/\nstatistics peerstats\n"
                        "filegen peerstats file peerstats type none enable\n" + lines + "\n")
        return self._start("ntpd", [NTPD, "-n", "-g", "-c", conf, "-p", self.dir / "ntpd.pid"])

    def control(self, client, daemon, *words, check=True):
        """Runs chronyc or gnomonc with one command against a daemon of this host."""
        return self.run([client, "-n", "-h", self.socket(daemon.name), *words], check=check)

    def report(self, daemon, command):
        return json.loads(self.run([GNOMONC, "-n", "--json", "-h", self.socket(daemon.name), command]))

    def csv(self, daemon, command, client=CHRONYC):
        """Rows of `chronyc -c`, Debian's unmodified client by default."""
        output = self.run([client, "-n", "-c", "-h", self.socket(daemon.name), command])
        return [line.split(",") for line in output.splitlines()]


class Lab:
    def __enter__(self):
        self.prefix = f"g{os.getpid() % 100000}-"
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="gnomon-net-"))
        self.dir.chmod(0o755)
        self.cleanup, self.daemons, self.hosts = [], [], {}
        self.switch = f"{self.prefix}sw"
        ip("netns", "add", self.switch)
        self.cleanup.append(lambda: ip("netns", "del", self.switch))
        ip("link", "add", "br0", "type", "bridge", namespace=self.switch)
        ip("link", "set", "br0", "up", namespace=self.switch)
        return self

    def host(self, name):
        self.hosts[name] = Host(self, name, len(self.hosts) + 1)
        return self.hosts[name]

    def __exit__(self, kind, value, trace):
        for daemon in reversed(self.daemons):
            daemon.stop()
        if kind is not None:
            for daemon in self.daemons:
                print(f"--- log of {daemon.name} on {daemon.host.name}\n{daemon.log[-3000:]}")
        for action in reversed(self.cleanup):
            action()
        shutil.rmtree(self.dir, ignore_errors=True)


def wait_for(what, condition, timeout=30.0, interval=0.2):
    """Polls until condition() is true; its value. A daemon that is not up yet counts as false."""
    deadline = time.monotonic() + timeout
    last = None
    while time.monotonic() < deadline:
        try:
            last = condition()
        except (AssertionError, subprocess.TimeoutExpired, OSError) as error:
            last = error
        else:
            if last:
                return last
        time.sleep(interval)
    raise AssertionError(f"{what}: not within {timeout} s (last: {last})")


def ntpd_selected(host):
    """Addresses that ntpd has made its system peer, from peerstats: selection is bits 8-10 of the status
    word, 6 means system peer (RFC 9327, section 3.2)."""
    stats = host.dir / "peerstats"
    if not stats.exists():
        return set()
    rows = [line.split() for line in stats.read_text().splitlines()]
    return {row[2] for row in rows if len(row) > 3 and (int(row[3], 16) >> 8) & 7 == 6}
