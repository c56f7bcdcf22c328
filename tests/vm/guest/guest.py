"""What tests in the guest are made of: the test NIC, daemons, measurements, verdicts.

A test is a module with a function `test()`. It says what it saw with `note`, what must be with `expect`;
any failed expectation or exception makes it bad. The host learns of it through /results.
"""
import ctypes
import importlib
import os
import pathlib
import re
import signal
import struct
import subprocess
import sys
import tarfile
import time
import traceback

RESULTS = pathlib.Path("/results")
STATE = pathlib.Path("/state")   # survives `reboot`
DISK = "/dev/vda"
DEBUG = pathlib.Path("/sys/kernel/debug/testnic")
SERVER = "10.1.0.2"
CLIENT = "10.1.0.1"

failures = []


class Reboot(Exception):
    pass


def note(text):
    print(f"@@ {text}", flush=True)


def expect(condition, text):
    """`text` says what is expected, with the figures."""
    note(("ok    " if condition else "WRONG ") + text)
    if not condition:
        failures.append(text)
    return condition


def argument(name, default=None):
    """From `scripts/vm run --set=name=value`."""
    match = re.search(rf"\btest\.{name}=(\S+)", pathlib.Path("/proc/cmdline").read_text())
    return match.group(1) if match else default


def run(*argv, check=True):
    result = subprocess.run([str(a) for a in argv], text=True, capture_output=True)
    if check and result.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, argv))}: {result.stderr.strip() or result.stdout.strip()}")
    return result.stdout


def wait_until(condition, seconds, pause=0.5):
    """Whether `condition()` became true; monotonic time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(pause)
    return bool(condition())


# --- the test NIC

def phc_device(name):
    """/dev/ptpN by the clock's name."""
    for folder in pathlib.Path("/sys/class/ptp").iterdir():
        if (folder / "clock_name").read_text().strip() == name:
            return f"/dev/{folder.name}"
    raise RuntimeError(f"no PTP clock {name}")


class TestNic:
    """The near device tn0 here, with the PHC testnic0; tn1 in the namespace `far` with the PHC testnic1, which
    shows the truth. `truth-server` serves it there, with hardware stamps unless `stamped` is false. Other
    devices can carry the packets instead; the test NIC then is there for the truth only.

    Parameters of the module that are given as one number are for the near end."""

    def __init__(self, serve=True, stamped=True, server_options=(), devices=("tn0", "tn1"), **parameters):
        run("insmod", "/modules/test/testnic.ko", *(f"{name}={value}" for name, value in parameters.items()))
        self.near, self.far = devices
        self.server = None
        self.connect()
        if serve:
            self.serve(stamped, server_options)

    def connect(self):
        run("ip", "netns", "add", "far")
        run("ip", "link", "set", self.far, "netns", "far")
        run("ip", "addr", "add", f"{CLIENT}/24", "dev", self.near)
        run("ip", "link", "set", self.near, "up")
        run("ip", "-n", "far", "addr", "add", f"{SERVER}/24", "dev", self.far)
        run("ip", "-n", "far", "link", "set", self.far, "up")
        wait_until(lambda: "LOWER_UP" in run("ip", "link", "show", "dev", self.near), 20)

    def serve(self, stamped=True, options=()):
        stamps = ["-i", self.far] if stamped else []
        self.server = subprocess.Popen(["ip", "netns", "exec", "far", "truth-server", *stamps, *map(str, options),
                                        phc_device("testnic1")])

    def disconnect(self):
        """Other devices come back from `far`; the test NIC is unloaded."""
        if self.server is not None:
            self.server.terminate()
            self.server.wait()
        run("ip", "-n", "far", "link", "set", self.far, "netns", "1")
        run("ip", "netns", "del", "far")
        run("ip", "addr", "flush", "dev", self.near)
        run("rmmod", "testnic")

    def unload(self):
        """As if both cards were pulled out."""
        if self.server is not None:
            self.server.terminate()
            self.server.wait()
        run("ip", "netns", "del", "far")
        run("rmmod", "testnic")

    @staticmethod
    def order(clock, words):
        """Changes a clock: order("truth", "drift 80000000"), order("phc0", "stall 1")."""
        (DEBUG / clock).write_text(words)

    @staticmethod
    def set(name, *values):
        pathlib.Path(f"/sys/module/testnic/parameters/{name}").write_text(",".join(map(str, values)))

    @staticmethod
    def stamps():
        words = (DEBUG / "phc0").read_text().split()
        return dict(zip(words[2::2], map(int, words[3::2])))


def clock_error():
    """System time - truth, seconds, of one exact moment."""
    system, truth, _ = map(int, (DEBUG / "truth").read_text().split())
    return (system - truth) / 1e9


def phc_error(number=0):
    """PHC - truth, seconds."""
    phc, truth = map(int, (DEBUG / f"phc{number}").read_text().split()[:2])
    return (phc - truth) / 1e9


class Errors:
    """Clock errors, sampled."""

    def __init__(self, seconds, every=1.0, read=clock_error):
        self.values = []
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.values.append(read())
            time.sleep(every)

    @property
    def rms(self):
        return (sum(v * v for v in self.values) / len(self.values)) ** 0.5

    @property
    def worst(self):
        return max(map(abs, self.values))

    @property
    def mean(self):
        return sum(self.values) / len(self.values)

    def __str__(self):
        return (f"rms {self.rms * 1e9:.0f} ns, mean {self.mean * 1e9:+.0f} ns, worst {self.worst * 1e9:.0f} ns "
                f"of {len(self.values)}")


# --- daemons

class Daemon:
    """gnomond or Debian's chronyd; both take the same configuration."""

    def __init__(self, kind, configuration, options=(), files=None):
        self.kind = kind
        self.ours = kind == "gnomond"
        self.run_dir = pathlib.Path("/run/gnomon" if self.ours else "/run/chrony")
        self.lib_dir = pathlib.Path("/var/lib/gnomon" if self.ours else "/var/lib/chrony")
        for folder in (self.run_dir, self.lib_dir):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o750)
        self.user = "gnomon" if self.ours else "_chrony"
        self.configuration = pathlib.Path(f"/tmp/{kind}.conf")
        self.configuration.write_text(configuration + "\n")
        self.log_path = RESULTS / f"{kind}-{len(list(RESULTS.glob(kind + '-*.log')))}.log"
        self.options = ["-u", "root"] + list(options) if "-u" not in options else list(options)
        if "-u" in options:
            for folder in (self.run_dir, self.lib_dir):
                run("chown", f"{self.user}:{self.user}", folder)
        self.start()

    def start(self):
        self.log_file = open(self.log_path, "a")
        self.process = subprocess.Popen([self.kind, "-d", "-f", str(self.configuration), *self.options],
                                        stdout=self.log_file, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)

    @property
    def log(self):
        return self.log_path.read_text(errors="replace")

    def count(self, pattern):
        return len(re.findall(pattern, self.log, re.M))

    def alive(self):
        return self.process.poll() is None

    def stop(self, how=signal.SIGTERM):
        if self.alive():
            self.process.send_signal(how)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log_file.close()
        return self.process.returncode

    def ask(self, *words, check=False):
        """A report as rows of fields (chronyc's -c)."""
        client = "gnomonc" if self.ours else "chronyc"
        text = run(client, "-n", "-c", *words, check=check)
        return [line.split(",") for line in text.splitlines()]

    def order(self, *words):
        return run("gnomonc" if self.ours else "chronyc", "-n", *words, check=False).strip()

    def tracking(self):
        rows = self.ask("tracking")
        names = ("id", "name", "stratum", "reference", "correction", "last", "rms", "frequency", "residual",
                 "skew", "root_delay", "root_dispersion", "interval", "leap")
        return dict(zip(names, rows[0])) if rows and len(rows[0]) >= len(names) else None

    def synchronised(self):
        report = self.tracking()
        return bool(report) and report["leap"] not in ("Not synchronised",) and report["stratum"] != "0"

    def ntpdata(self, server=SERVER):
        text = run("gnomonc" if self.ours else "chronyc", "-n", "ntpdata", server, check=False)
        pairs = (line.split(":", 1) for line in text.splitlines() if ":" in line)
        return {name.strip(): value.strip() for name, value in pairs}


class Stamping:
    """Which stamps the measurements had: the report after each poll."""

    def __init__(self, daemon, polls, poll_s=1.0):
        self.seen = []
        self.interleaved = 0
        last = None
        end = time.monotonic() + polls * poll_s * 1.5
        while len(self.seen) < polls and time.monotonic() < end:
            report = daemon.ntpdata()
            count = report.get("Total valid RX")
            if count is not None and count != last:
                last = count
                self.seen.append((report.get("TX timestamping"), report.get("RX timestamping")))
                self.interleaved += report.get("Interleaved") == "Yes"
            time.sleep(poll_s / 2)

    def share(self, transmit=None, receive=None):
        good = [s for s in self.seen if transmit in (None, s[0]) and receive in (None, s[1])]
        return len(good) / max(len(self.seen), 1)


TIMEX = "I4xqqqqi4xqqqqqqqqi4xqqqqqi"


def _adjtimex(modes=0, frequency=0, status=0, tick=0):
    buffer = ctypes.create_string_buffer(208)
    struct.pack_into("I4xqqqqi4xqqqqqq", buffer, 0, modes, 0, frequency, 0, 0, status, 0, 0, 0, 0, 0, tick)
    state = ctypes.CDLL(None, use_errno=True).adjtimex(buffer)
    return state, struct.unpack_from(TIMEX, buffer.raw)


def kernel_status():
    """What adjtimex(2) tells of the system clock."""
    state, fields = _adjtimex()
    return {"state": state, "frequency_ppm": fields[2] / 65536, "maxerror_us": fields[3], "esterror_us": fields[4],
            "status": fields[5], "tick": fields[11], "tai": fields[20]}


def reset_kernel_clock():
    """As after a boot: no correction, not synchronised."""
    _adjtimex(0x0002 | 0x4000 | 0x0010, tick=10000, status=STA_UNSYNC)


STA_INS, STA_UNSYNC = 0x10, 0x40


def reboot(phase):
    """Starts the machine anew (RTC and /state stay); `phase()` is then `phase`."""
    (STATE / "phase").write_text(str(phase))
    raise Reboot


def phase():
    file = STATE / "phase"
    return int(file.read_text()) if file.exists() else 0


# --- the frame around a test

def _load_state():
    try:
        with tarfile.open(DISK, "r:") as archive:
            archive.extractall("/")
    except tarfile.TarError:
        pass


def _save():
    with open(DISK, "r+b", buffering=0) as disk:
        with tarfile.open(fileobj=disk, mode="w|") as archive:
            for folder in ("results", "state"):
                archive.add(f"/{folder}", folder)
        os.fsync(disk.fileno())


def main():
    _load_state()
    code = 1
    try:
        importlib.import_module("main").test()
        code = 1 if failures else 0
    except Reboot:
        (RESULTS / "failures").write_text("\n".join(failures))
        _save()
        note("reboot")
        pathlib.Path("/proc/sysrq-trigger").write_text("b")
        time.sleep(60)
    except BaseException:
        note("WRONG an exception")
        for line in traceback.format_exc().splitlines():
            note(line)
    before = RESULTS / "failures"
    if before.exists() and before.read_text():
        code = 1
    (RESULTS / "code").write_text(str(code))
    (RESULTS / "dmesg").write_text(run("dmesg", check=False))
    if code:
        for log in sorted(RESULTS.glob("*.log")):
            note(f"--- {log.name}")
            for line in log.read_text(errors="replace").splitlines()[-40:]:
                note(line)
    _save()
    sys.exit(0)
