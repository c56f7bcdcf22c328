"""The system clock, really steered: 0.7 s and 80 ppm wrong at the start, by slewing and by a step; as root and
as its user under the system call filter; killed and started again."""
import signal

from guest import (SERVER, STA_UNSYNC, Daemon, Errors, TestNic, clock_error, expect, kernel_status, pathlib,
                   reset_kernel_clock, time, wait_until)

VM = {"minutes": 20}
COMMON = f"server {SERVER} minpoll 0 maxpoll 0 xleave iburst\nhwtimestamp tn0\n"


class Course:
    """The clock's way to the truth: how long it takes, whether it jumped."""

    def __init__(self, seconds, within_s):
        self.reached = None
        self.jumps = []
        start = last = time.monotonic()
        error = clock_error()
        while time.monotonic() < start + seconds:
            time.sleep(0.25)
            before, error, now = error, clock_error(), time.monotonic()
            # The kernel slews by a tenth at most.
            if abs(error - before) > 0.11 * (now - last) + 1e-4:
                self.jumps.append(error - before)
            last = now
            if self.reached is None and abs(error) < within_s:
                self.reached = now - start
        self.error = error


def scenario(extra, options=()):
    reset_kernel_clock()
    nic = TestNic(truth_offset_ns=700_000_000, truth_drift_ppb=80_000, truth_wander_ppt=100, phc_drift_ppb=3000)
    return nic, Daemon("gnomond", COMMON + extra, options)


def check_slew():
    nic, daemon = scenario("")
    course = Course(120, 1e-5)
    expect(course.reached is not None and not course.jumps,
           f"slewed to 10 us within {course.reached and round(course.reached)} s; jumps {course.jumps}")
    errors = Errors(60)
    expect(errors.worst < 2e-6, f"afterwards {errors}")
    kernel = kernel_status()
    correction = kernel["frequency_ppm"] + (kernel["tick"] - 10000) * 100
    expect(abs(float(daemon.tracking()["frequency"]) + 80) < 0.1 and abs(correction - 80) < 0.5,
           f"frequency {daemon.tracking()['frequency']} ppm, the kernel corrects {correction:.3f} ppm "
           f"(tick {kernel['tick']})")
    expect(kernel_status()["status"] & STA_UNSYNC, "without rtcsync the kernel's clock stays unsynchronised")
    daemon.stop()
    nic.unload()


def check_step():
    drift = pathlib.Path("/var/lib/gnomon/drift")
    nic, daemon = scenario("makestep 0.1 3\nrtcsync\ndriftfile /var/lib/gnomon/drift\n",
                           ["-u", "gnomon", "-F", "1"])
    course = Course(30, 1e-3)
    expect(len(course.jumps) == 1 and abs(course.jumps[0] - 0.7) < 0.05,
           f"stepped once by {course.jumps}, within 1 ms after {course.reached and round(course.reached, 1)} s")
    errors = Errors(60)
    expect(abs(errors.values[-1]) < 2e-6, f"as its user under the filter: {errors}")
    status = pathlib.Path(f"/proc/{daemon.process.pid}/status").read_text()
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    expect(fields["Uid"].split()[0] == "102" and fields["Seccomp"] == "2", f"user {fields['Uid'].split()[0]}, "
           f"seccomp {fields['Seccomp']}, capabilities {fields['CapEff'].lstrip('0')}")
    kernel = kernel_status()
    expect(not kernel["status"] & STA_UNSYNC and kernel["state"] != 5 and kernel["maxerror_us"] < 10000,
           f"with rtcsync the kernel's clock is synchronised: {kernel}")
    check_restart(daemon, 1e-6)
    expect(daemon.stop() == 0, "ends with 0")
    expect(drift.exists() and abs(float(drift.read_text().split()[0]) + 80) < 1,
           f"drift file {drift.read_text().strip() if drift.exists() else None}")
    nic.unload()


def check_restart(daemon, limit_s):
    daemon.stop(signal.SIGKILL)
    time.sleep(5)
    held = clock_error()
    expect(abs(held) < 5e-6, f"{daemon.kind}: 5 s after SIGKILL the clock is off by {held * 1e9:.0f} ns")
    daemon.options += ["-R"]
    daemon.start()
    expect(wait_until(daemon.synchronised, 30), f"{daemon.kind}: synchronises after a restart")
    errors = Errors(60)
    expect(abs(errors.values[-1]) < limit_s, f"{daemon.kind}: from the restart on {errors}")


def compare_restart():
    """How far the first samples after a restart lead astray a clock that was right."""
    reset_kernel_clock()
    nic = TestNic(truth_offset_ns=700_000_000, truth_drift_ppb=80_000, truth_wander_ppt=100, phc_drift_ppb=3000)
    daemon = Daemon("chronyd", COMMON + "makestep 0.1 3\ndriftfile /var/lib/chrony/drift\n")
    time.sleep(90)
    check_restart(daemon, 1e-5)
    daemon.stop()
    nic.unload()


def test():
    check_slew()
    check_step()
    compare_restart()
