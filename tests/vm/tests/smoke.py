"""The machine itself: a real kernel, its clocks, the test NIC and what it measures."""
from guest import TestNic, clock_error, expect, kernel_status, note, phc_error, run, time


def test():
    note(f"Linux {run('uname', '-r').strip()}, clock source "
         + run("cat", "/sys/devices/system/clocksource/clocksource0/current_clocksource").strip())
    note(f"{run('gnomond', '-v').strip()}; {run('chronyd', '-v').strip()}")
    nic = TestNic(serve=False, truth_offset_ns=700000000, truth_drift_ppb=80000, phc_offset_ns=37000000000,
                  phc_drift_ppb=-5000)
    start = time.monotonic()
    before, phc_before = clock_error(), phc_error()
    expect(abs(before + 0.7) < 0.01, f"clock error {before:.9f} s, wanted -0.7")
    expect(abs(phc_before - 37) < 0.001, f"PHC error {phc_before:.9f} s, wanted 37")
    time.sleep(10)
    passed = time.monotonic() - start
    drift = (clock_error() - before) / passed * 1e6
    expect(abs(drift + 80) < 0.5, f"clock drifts {drift:.3f} ppm, wanted -80")
    drift = (phc_error() - phc_before) / passed * 1e6
    expect(abs(drift + 5) < 0.1, f"PHC drifts {drift:.3f} ppm, wanted -5")
    expect(run("hwclock", "-r").startswith("2026-01-01"), "the RTC answers")
    status = kernel_status()
    expect(status["status"] & 0x40 and status["tick"] == 10000, f"the kernel's clock is nobody's: {status}")
    nic.unload()
    expect("testnic" not in run("lsmod"), "the module unloads")
