"""A leap second, inserted by the kernel: announced by the server, and known from a list."""
from guest import (SERVER, STA_INS, Daemon, TestNic, clock_error, expect, kernel_status, note, pathlib,
                   reset_kernel_clock, time)

VM = {"minutes": 20, "rtc": "2026-12-31T23:50:00"}

MIDNIGHT = 1798761600          # 2027-01-01T00:00:00Z
NTP_EPOCH = 2208988800
SYSTEM_LIST = pathlib.Path("/usr/share/zoneinfo/leap-seconds.list")
LIST = pathlib.Path("/tmp/leap-seconds.list")


def scenario(name, extra, server_options):
    time.clock_settime(time.CLOCK_REALTIME, MIDNIGHT - 100)
    reset_kernel_clock()
    nic = TestNic(truth_offset_ns=20_000, truth_drift_ppb=10_000, server_options=server_options)
    daemon = Daemon("gnomond", f"server {SERVER} minpoll 0 maxpoll 0 xleave iburst\nhwtimestamp tn0\nrtcsync\n{extra}")
    time.sleep(60)
    before = kernel_status()
    expect(before["status"] & STA_INS and before["state"] == 1, f"{name}: armed: {before}")
    note(f"{name}: {daemon.tracking()['leap']}, clock error {clock_error() * 1e9:.0f} ns")
    # Relative to the truth, which counts on.
    worst_before = worst_after = 0
    start = time.monotonic()
    while time.monotonic() < start + 100:
        system, error = time.time(), clock_error()
        if error > -0.5:
            worst_before = max(worst_before, abs(error))
        else:
            worst_after = max(worst_after, abs(error + 1))
        time.sleep(0.2)
    after = kernel_status()
    expect(abs(clock_error() + 1) < 2e-6, f"{name}: one second inserted: {clock_error():+.9f} s")
    expect(worst_before < 1e-5 and 0 < worst_after < 1e-5,
           f"{name}: worst {worst_before * 1e9:.0f} ns before, {worst_after * 1e9:.0f} ns after")
    expect(system > MIDNIGHT and not after["status"] & STA_INS, f"{name}: disarmed: {after}")
    # The relation of the PHC to UTC changes by the second: stamps may be the kernel's for a while.
    back = daemon.count("has jumped") == daemon.count("are used again")
    expect(back, f"{name}: the card's stamps are used in the end; doubted {daemon.count('has jumped')} times")
    expect(daemon.count("stepped") == 0, f"{name}: the daemon stepped nothing itself")
    daemon.stop()
    nic.unload()
    return before, after


def test():
    scenario("announced", "", ["-l", MIDNIGHT])
    known = [line for line in SYSTEM_LIST.read_text().splitlines() if not line.startswith("#@")]
    LIST.write_text("\n".join([f"#@ {MIDNIGHT + NTP_EPOCH + 10 ** 7}", *known, f"{MIDNIGHT + NTP_EPOCH} 38", ""]))
    before, after = scenario("listed", f"leapseclist {LIST}\n", ["-l", MIDNIGHT])
    expect((before["tai"], after["tai"]) == (37, 38), f"TAI - UTC in the kernel {before['tai']}, then {after['tai']}")
