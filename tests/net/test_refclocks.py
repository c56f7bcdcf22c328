#!/usr/bin/env python3
"""A daemon that leaves the clock alone (-x), with reference clocks fed from here: a real shared
memory segment and a real Unix socket. It has to select the clock and to show the offset it was told.

Needs no privileges and no network; leaves nothing behind. Exit status 77: cannot run here.
"""
import ctypes
import os
import socket
import struct
import subprocess
import sys
import tempfile
import time

BUILD = os.environ.get("GNOMON_BUILD", "build")
DAEMON, CLIENT = (os.path.join(BUILD, "bin", name) for name in ("gnomond", "gnomonc"))
SHM_KEY = 0x4E545030
SHM_FORMAT = "@iiqiqiiiiiII8i"
SHM_SIZE = 96
IPC_CREAT, IPC_RMID = 0o1000, 0
libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype = ctypes.c_void_p
libc.shmat.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_int]


class Segment:
    """The segment of one unit, written as gpsd does: mode 1, counts around the data."""

    def __init__(self, unit):
        self.id = libc.shmget(SHM_KEY + unit, SHM_SIZE, IPC_CREAT | 0o600)
        if self.id < 0:
            sys.exit(77)
        self.address = libc.shmat(self.id, None, 0)
        self.count = 0

    def write(self, offset_s):
        now_ns = time.clock_gettime_ns(time.CLOCK_REALTIME)
        clock_ns = now_ns + round(offset_s * 1e9)
        self.count += 1
        (cs, cn), (rs, rn) = divmod(clock_ns, 10**9), divmod(now_ns, 10**9)
        data = struct.pack(SHM_FORMAT, 1, self.count, cs, cn // 1000, rs, rn // 1000, 0, -20, 0, 1,
                           cn, rn, *[0] * 8)
        ctypes.memmove(self.address, data, len(data))

    def remove(self):
        libc.shmctl(self.id, IPC_RMID, None)


def sock_sample(offset_s, pulse=0, bits=64):
    seconds, ns = divmod(time.clock_gettime_ns(time.CLOCK_REALTIME), 10**9)
    times = "qq" if bits == 64 else "ii"
    return struct.pack("=" + times + "diiii", seconds, ns // 1000, offset_s, pulse, 0, 0, 0x534F434B)


def rows(socket_path, *command):
    done = subprocess.run([CLIENT, "-h", socket_path, "-c", *command], capture_output=True, text=True)
    return [line.split(",") for line in done.stdout.splitlines()]


def unused_unit():
    for unit in range(200, 250):
        if libc.shmget(SHM_KEY + unit, 0, 0) < 0:
            return unit
    sys.exit(77)


def main():
    unit = unused_unit()
    with tempfile.TemporaryDirectory() as directory:
        command = os.path.join(directory, "command.sock")
        samples = os.path.join(directory, "clk.sock")
        config = os.path.join(directory, "conf")
        with open(config, "w") as file:
            file.write(f"refclock SHM {unit} poll 1 refid SHMT\n"
                       f"refclock SOCK {samples} poll 1 refid SOCT noselect\n"
                       f"refclock SOCK {samples}.pps poll 1 refid PPST lock SOCT noselect\n"
                       f"bindcmdaddress {command}\ncmdport 0\nport 0\npidfile {directory}/pid\n")
        segment = Segment(unit)
        daemon = subprocess.Popen([DAEMON, "-x", "-d", "-U", "-f", config, "-u",
                                   __import__("pwd").getpwuid(os.getuid()).pw_name],
                                  stderr=subprocess.PIPE, text=True)
        try:
            deadline = time.monotonic() + 40
            sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            found, count = {}, 0
            while time.monotonic() < deadline:
                time.sleep(0.5)
                if daemon.poll() is not None:
                    raise AssertionError("the daemon ended: " + daemon.stderr.read())
                segment.write(0.1)
                count += 1
                for path, sample in ((samples, sock_sample(-0.25, bits=32 if count % 2 else 64)),
                                     (samples + ".pps", sock_sample(-0.2499, pulse=1)),
                                     (samples, b"garbage")):
                    try:
                        sender.sendto(sample, path)
                    except OSError:
                        pass
                found = {row[2]: row for row in rows(command, "sources")}
                if (len(found) == 3 and found["SHMT"][1] == "*" and
                        all(row[5] == "377" for row in found.values())):
                    break
            tracking = rows(command, "tracking")[0]
            print(tracking)
            assert tracking[1] == "SHMT", tracking
            # What is not done to the system clock is known, and taken off what is measured.
            assert abs(abs(float(tracking[4])) - 0.1) < 1e-3, tracking
            for name, offset_s in (("SHMT", 0.0), ("SOCT", -0.35), ("PPST", -0.3499)):
                row = found[name]
                print(row)
                assert row[0] == "#", row
                assert row[5] == "377", row
                # Positive there: the local clock is ahead.
                assert abs(float(row[8]) + offset_s) < 1e-3, row
            assert found["SHMT"][1] == "*", found
        finally:
            daemon.terminate()
            daemon.wait(10)
            segment.remove()
        assert not os.path.exists(samples), "the socket was left behind"
    print("reference clocks: all seen")


if not (os.path.exists(DAEMON) and os.path.exists(CLIENT)):
    print("no daemon in", BUILD)
    sys.exit(77)
main()
