"""A PHC that jumps, stops, runs 2.5 times too fast, and a card pulled out: noticed, told once, and the clock
keeps the time."""
from guest import SERVER, Daemon, Errors, TestNic, expect, note, reset_kernel_clock, time, wait_until

VM = {"minutes": 20}


def running():
    reset_kernel_clock()
    nic = TestNic(truth_offset_ns=100_000, truth_drift_ppb=10_000, truth_wander_ppt=100, phc_drift_ppb=5000)
    daemon = Daemon("gnomond", f"server {SERVER} minpoll 0 maxpoll 0 xleave iburst\nhwtimestamp tn0\n")
    expect(wait_until(daemon.synchronised, 30), "synchronises")
    time.sleep(60)
    return nic, daemon


def check(name, limit_s, *orders, heal=None):
    nic, daemon = running()
    before = daemon.log.count("\n")
    for order in orders:
        nic.order("phc0", order)
    errors = Errors(90, 0.5)
    expect(errors.worst < limit_s, f"{name}: clock error {errors}, limit {limit_s * 1e9:.0f} ns")
    report = daemon.ntpdata()
    lines = daemon.log.splitlines()[before:]
    expect(len(lines) <= 3, f"{name}: {len(lines)} lines: {' | '.join(line[21:] for line in lines)}; "
           f"stamps {report.get('TX timestamping')}/{report.get('RX timestamping')}")
    if heal:
        nic.order("phc0", heal)
        back = wait_until(lambda: daemon.ntpdata().get("RX timestamping") == "Hardware", 120, 2)
        expect(back, f"{name}: its stamps are used again when it is well")
    daemon.stop()
    nic.unload()


def unplug():
    nic, daemon = running()
    before = daemon.log.count("\n")
    nic.unload()
    time.sleep(60)
    expect(daemon.alive(), "unplugged: the daemon lives")
    lines = daemon.log.splitlines()[before:]
    expect(len(lines) <= 4, f"unplugged: {len(lines)} lines: {' | '.join(line[21:] for line in lines)}")
    # In again, with the time that the clock has kept as the truth.
    nic = TestNic(truth_drift_ppb=10_000)
    back = wait_until(lambda: daemon.tracking() and daemon.ntpdata().get("Total valid RX", "0") != "0", 60, 2)
    time.sleep(60)
    report = daemon.ntpdata()
    errors = Errors(20)
    expect(back and errors.worst < 1e-4, f"plugged in: {errors}, stamps {report.get('TX timestamping')}/"
           f"{report.get('RX timestamping')}")
    note(daemon.log.splitlines()[-1])
    daemon.stop()
    nic.unload()


def test():
    check("jump of 1 ms", 2e-5, "step 1000000")
    check("jump of 10 s", 2e-5, "step 10000000000")
    check("stalled", 2e-5, "stall 1", heal="stall 0")
    check("2.5 times too fast", 2e-5, "drift 1500000000000", heal="drift 5000000")
    unplug()
