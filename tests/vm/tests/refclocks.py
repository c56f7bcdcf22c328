"""Reference clocks of a real kernel, each alone: PHC, external stamps, PPS, shared memory, socket."""
import ctypes
import fcntl
import os
import socket
import struct
import threading

from guest import (DEBUG, Daemon, Errors, TestNic, expect, note, pathlib, phc_device, reset_kernel_clock, time, wait_until)

VM = {"minutes": 20}
PTP_ENABLE_PPS = 0x40043d04
SHM_KEY = 0x4e545030


def moment():
    """(system, truth), ns."""
    return tuple(map(int, (DEBUG / "truth").read_text().split()[:2]))


class Writer(threading.Thread):
    """Writes a sample each quarter of a second until it is stopped."""

    def __init__(self, write):
        super().__init__(daemon=True)
        self.write, self.ended = write, threading.Event()
        self.start()

    def run(self):
        while not self.ended.wait(0.25):
            self.write()

    def stop(self):
        self.ended.set()
        self.join()


def shared_memory():
    """ntpd's segment 0; returns the writer of a sample."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.shmat.restype = ctypes.c_void_p
    layout = "@iiqiqiiiiiII8i0q"
    identifier = libc.shmget(SHM_KEY, struct.calcsize(layout), 0o600 | 0o1000)
    address = libc.shmat(identifier, None, 0)
    view = (ctypes.c_char * struct.calcsize(layout)).from_address(address)
    count = [0]

    def write():
        system, truth = moment()
        count[0] += 1
        fields = [1, count[0], truth // 10 ** 9, truth % 10 ** 9 // 1000, system // 10 ** 9, system % 10 ** 9 // 1000,
                  0, -20, 3, 1, truth % 10 ** 9, system % 10 ** 9] + [0] * 8
        struct.pack_into(layout, view, 0, *fields)
    return write


def sock_writer(path):
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)

    def write():
        system, truth = moment()
        # Of the last second of truth: a pulse.
        offset = (truth - system) / 1e9
        sample = struct.pack("@qqdiiii", system // 10 ** 9, system % 10 ** 9 // 1000,
                             offset - round(offset), 1, 0, 0, 0x534F434B)
        try:
            connection.sendto(sample, path)
        except OSError:
            pass
    return write


def compare(name, lines, limit_s):
    ours, theirs = check(name, lines, limit_s), check(name, lines, None, kind="chronyd")
    note(f"{name}: gnomond's clock error is {ours.rms / theirs.rms:.2f} times chronyd's")


def check(name, lines, limit_s, write=None, kind="gnomond"):
    reset_kernel_clock()
    nic = TestNic(serve=False, truth_offset_ns=300_000, truth_drift_ppb=15_000, truth_wander_ppt=100,
                  phc_offset_ns=5_000_000, phc_drift_ppb=-4000, phc_wander_ppt=50)
    with open(phc_device("testnic1"), "r+b", buffering=0) as device:
        fcntl.ioctl(device, PTP_ENABLE_PPS, 1)
        fields = {"near": phc_device("testnic0"), "true": phc_device("testnic1"), "pps": true_pps()}
        daemon = Daemon(kind, lines.format(**fields))
        writer = Writer(write) if write else None
        synchronised = wait_until(daemon.synchronised, 60)
        expect(synchronised, f"{name}: {kind} synchronises")
        time.sleep(40)
        errors = Errors(40, 0.5)
        text = f"{name}: {kind}: clock error {errors}"
        if limit_s is None:
            note(text)
        else:
            expect(errors.worst < limit_s, f"{text}, limit {limit_s * 1e9:.0f} ns")
        for row in daemon.ask("sources"):
            note(f"{name}: {','.join(row)}")
        if writer:
            writer.stop()
        daemon.stop()
        fcntl.ioctl(device, PTP_ENABLE_PPS, 0)
    nic.unload()
    return errors


def true_pps():
    """The PPS device of the far end's PHC: named as the PHC's number."""
    number = phc_device("testnic1").removeprefix("/dev/")
    for entry in sorted(os.listdir("/sys/class/pps")):
        if pathlib.Path(f"/sys/class/pps/{entry}/name").read_text().strip() == number:
            return f"/dev/{entry}"
    raise RuntimeError(f"no PPS source {number} in {os.listdir('/sys/class/pps')}")


def test():
    socket_path = "/run/gnomon/samples.sock"
    compare("PHC", "refclock PHC {true} poll 0 dpoll -2\n", 1e-6)
    compare("PPS, locked to a PHC", "refclock PHC {true} poll 0 dpoll -2 refid TRUE noselect\n"
          "refclock PPS {pps} poll 2 lock TRUE refid PULS\n", 1e-6)
    compare("extpps, locked to a PHC", "refclock PHC {true} poll 0 dpoll -2 refid TRUE noselect\n"
          "refclock PHC {near}:extpps:pin=0 poll 2 lock TRUE refid PULS\n", 1e-6)
    check("SHM", "refclock SHM 0 poll 0 dpoll -2\n", 2e-6, shared_memory())
    check("SOCK, a pulse locked to SHM", f"refclock SHM 0 poll 0 dpoll -2 refid SHMT noselect\n"
          f"refclock SOCK {socket_path} poll 0 lock SHMT refid SOCT\n", 2e-6,
          (lambda a, b: lambda: (a(), b()))(shared_memory(), sock_writer(socket_path)))
