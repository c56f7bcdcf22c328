"""What survives a reboot: the frequency in the drift file, the time in the RTC (rtcsync)."""
import calendar
import fcntl

from guest import (SERVER, STATE, Daemon, TestNic, clock_error, expect, kernel_status, note, phase, reboot, time,
                   wait_until)

DRIFT = STATE / "drift"
CONFIGURATION = (f"server {SERVER} minpoll 0 maxpoll 0 xleave iburst\nhwtimestamp tn0\nmakestep 0.1 3\nrtcsync\n"
                 f"driftfile {DRIFT}\n")


def rtc_error():
    """RTC - system clock, seconds, at the RTC's next second."""
    with open("/dev/rtc0", "rb") as device:
        def seconds():
            buffer = bytearray(36)
            fcntl.ioctl(device, 0x80247009, buffer)   # RTC_RD_TIME
            sec, minute, hour, day, month, year = (int.from_bytes(buffer[i:i + 4], "little") for i in range(0, 24, 4))
            return calendar.timegm((year + 1900, month + 1, day, hour, minute, sec))
        first = seconds()
        while (now := seconds()) == first:
            pass
        return now - time.time()


def correction_ppm():
    kernel = kernel_status()
    return kernel["frequency_ppm"] + (kernel["tick"] - 10000) * 100


def first_boot():
    TestNic(truth_offset_ns=7_300_000_000, truth_drift_ppb=80_000, truth_wander_ppt=100, phc_drift_ppb=3000)
    note(f"RTC - system before: {rtc_error():+.3f} s")
    daemon = Daemon("gnomond", CONFIGURATION)
    expect(wait_until(daemon.synchronised, 30), "synchronises")
    time.sleep(90)
    expect(abs(clock_error()) < 2e-6, f"clock error {clock_error() * 1e9:.0f} ns")
    expect(abs(rtc_error()) < 1, f"rtcsync: RTC - system {rtc_error():+.3f} s, after a step of 7.3 s")
    expect(daemon.stop() == 0, "ends with 0")
    note(f"drift file: {DRIFT.read_text().strip()}")
    reboot(1)


def second_boot():
    expect(abs(rtc_error()) < 1, f"after the reboot RTC - system {rtc_error():+.3f} s")
    expect(abs(correction_ppm()) < 0.001, f"the kernel starts with {correction_ppm():.3f} ppm")
    TestNic(serve=False, truth_drift_ppb=80_000)
    daemon = Daemon("gnomond", CONFIGURATION)
    time.sleep(2)
    expect(abs(correction_ppm() - 80) < 0.5, f"the daemon, without a server, corrects {correction_ppm():.3f} ppm")
    before, start = clock_error(), time.monotonic()
    time.sleep(30)
    drift = (clock_error() - before) / (time.monotonic() - start) * 1e6
    expect(abs(drift) < 0.2, f"the clock drifts {drift:+.4f} ppm")
    daemon.stop()


def test():
    first_boot() if phase() == 0 else second_boot()
