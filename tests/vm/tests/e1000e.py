"""An emulated 82574 (e1000e): it promises stamps and never delivers one, and its clock runs 2.5 times too fast."""
from guest import SERVER, Daemon, Errors, TestNic, expect, note, reset_kernel_clock, time, wait_until

VM = {"minutes": 15, "nics": ["e1000e", "e1000e"]}


def measure(kind):
    reset_kernel_clock()
    nic = TestNic(devices=("eth0", "eth1"), stamped=False, truth_offset_ns=400_000, truth_drift_ppb=20_000,
                  truth_wander_ppt=100)
    daemon = Daemon(kind, f"server {SERVER} minpoll 0 maxpoll 0 xleave iburst\nhwtimestamp *\n")
    start = time.monotonic()
    found = wait_until(daemon.synchronised, 60)
    note(f"{kind}: synchronised after {time.monotonic() - start:.0f} s" if found else f"{kind}: not within 60 s")
    time.sleep(max(0, 60 - (time.monotonic() - start)))
    early = daemon.log.count("\n")
    errors = Errors(180)
    report = daemon.ntpdata()
    daemon.stop()
    nic.disconnect()
    lines = daemon.log.splitlines()
    note(f"{kind}: stamps {report.get('TX timestamping')}/{report.get('RX timestamping')}; clock error {errors}")
    note(f"{kind}: {' | '.join(line[21:] for line in lines[1:12])}")
    return found, daemon, errors, len(lines) - early


def test():
    found, daemon, errors, later = measure("gnomond")
    expect(found and daemon.count("Can't synchronise") <= 1, "gnomond synchronises within a minute")
    expect(later <= 2, f"gnomond says nothing more after the first minute: {later} lines")
    expect(errors.worst < 1e-3, f"gnomond's clock is unharmed: {errors}")
    measure("chronyd")
