"""A gnomond that follows another one over loopback, and gnomon-mgmtd beside it: what its tests are made of.

Everything has ports, sockets and files of its own; the clock is left alone (-x).
"""
import http.client
import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("GNOMON_BUILD", ROOT / "build/release"))
GNOMOND, GNOMONC, MGMTD = (BUILD / "bin" / name for name in ("gnomond", "gnomonc", "gnomon-mgmtd"))


def missing(*tools):
    """The reason why the tests cannot run here, or None."""
    for program in (GNOMOND, GNOMONC, MGMTD):
        if not program.exists():
            return f"{program} is missing (scripts/deps, scripts/build)"
    for tool in tools:
        if not shutil.which(tool):
            return f"{tool} is missing (scripts/deps --test)"
    return None


def free_port(kind):
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(condition, timeout_s, what):
    end = time.monotonic() + timeout_s
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError(f"{what}: not within {timeout_s} s")


class Lab:
    """`upstream` serves stable time, `client` follows it under several addresses, `mgmtd` watches `client`."""

    def __init__(self, sources=3, client_config="", poll=0, mgmtd_config=""):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="gnomon-mgmtd-"))
        os.chmod(self.directory, 0o770)
        self.ntp_port, self.serve_port = free_port(socket.SOCK_DGRAM), free_port(socket.SOCK_DGRAM)
        self.http_port = free_port(socket.SOCK_STREAM)
        self.telemetry = self.directory / "telemetry.sock"
        self.history = self.directory / "history" / "history.db"
        self.mgmtd_config = mgmtd_config
        servers = "\n".join(f"server 127.0.0.{i + 1} port {self.ntp_port} iburst minpoll {poll} maxpoll {poll}"
                            for i in range(sources))
        self.write("upstream", f"port {self.ntp_port}\nlocal stratum 1\nallow 127.0.0.0/8\n")
        self.write("client", f"{servers}\nport {self.serve_port}\nallow 127.0.0.0/8\nshadow kalman\n"
                             f"telemetry {self.telemetry}\n{client_config}\n")
        self.processes = {}

    def write(self, name, text):
        user = subprocess.run(["id", "-un"], capture_output=True, text=True).stdout.strip()
        (self.directory / f"{name}.conf").write_text(
            f"{text}cmdport 0\nbindcmdaddress {self.directory}/{name}.sock\n"
            f"pidfile {self.directory}/{name}.pid\nuser {user}\n")

    def start(self, name):
        log = open(self.directory / f"{name}.log", "a")
        if name.startswith("mgmtd"):
            port = self.http_port if name == "mgmtd" else free_port(socket.SOCK_STREAM)
            history = self.history if name == "mgmtd" else "/"
            argv = [MGMTD, f"listen 127.0.0.1:{port}", f"telemetry {self.telemetry}",
                    f"history {history} 16", "user root"] + self.mgmtd_config.splitlines()
        else:
            argv = [GNOMOND, "-x", "-U", "-d", "-f", self.directory / f"{name}.conf"]
        self.processes[name] = subprocess.Popen([str(a) for a in argv], stdout=log, stderr=log,
                                                stdin=subprocess.DEVNULL)
        return self.processes[name]

    def stop(self, name, signal=15):
        process = self.processes.pop(name)
        process.send_signal(signal)
        process.wait(10)

    def log(self, name):
        return (self.directory / f"{name}.log").read_text(errors="replace")

    def command(self, *words):
        return subprocess.run([GNOMONC, "-c", "-n", "-h", self.directory / "client.sock", *words],
                              capture_output=True, text=True, timeout=10).stdout

    def request(self, path, headers=None, method="GET", source="127.0.0.1", timeout=10):
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=timeout,
                                                source_address=(source, 0))
        try:
            connection.request(method, path, headers=headers or {})
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()
        finally:
            connection.close()

    def get(self, path):
        status, _, body = self.request(path)
        assert status == 200, (path, status, body[:300])
        return json.loads(body)

    def status(self, path):
        try:
            return self.request(path)[0]
        except OSError:
            return 0

    def metrics(self):
        values = {}
        for line in self.request("/metrics")[2].decode().splitlines():
            if line and not line.startswith("#"):
                key, value = line.rsplit(" ", 1)
                assert key not in values, f"twice: {key}"
                values[key] = float(value)
        return values

    def start_all(self):
        self.start("upstream")
        self.start("client")
        self.start("mgmtd")
        wait_for(lambda: self.status("/readyz") == 200, 30, "ready")

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        for name in list(self.processes):
            try:
                self.processes[name].send_signal(18)
                self.stop(name)
            except (subprocess.TimeoutExpired, ProcessLookupError):
                self.processes[name].kill() if name in self.processes else None
        if kind is not None:
            for path in sorted(self.directory.glob("*.log")):
                print(f"--- {path.name}\n{path.read_text(errors='replace')[-3000:]}")
        shutil.rmtree(self.directory, ignore_errors=True)


def main(tests):
    reason = missing()
    if reason:
        print(f"skipped: {reason}")
        raise SystemExit(77)
    failed = 0
    for test in tests:
        began = time.monotonic()
        try:
            test()
            print(f"ok      {test.__name__} ({time.monotonic() - began:.1f} s)", flush=True)
        except Exception as error:  # noqa: BLE001: the others shall run
            failed += 1
            import traceback
            traceback.print_exc()
            print(f"FAILED  {test.__name__}: {error}", flush=True)
    raise SystemExit(1 if failed else 0)
