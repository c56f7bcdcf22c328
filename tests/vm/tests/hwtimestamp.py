"""Hardware stamps in both directions on the test NIC: that they are used, and how right the clock becomes.
gnomond and chronyd one after the other, each with the same oscillators."""
from guest import SERVER, Daemon, Errors, Stamping, TestNic, argument, expect, note, reset_kernel_clock, wait_until

VM = {"minutes": 20}

SECONDS = int(argument("seconds", "240"))
CONFIGURATION = f"server {SERVER} minpoll 0 maxpoll 0 xleave iburst\nhwtimestamp tn0\nmakestep 0.1 3\n"


def measure(kind):
    reset_kernel_clock()
    nic = TestNic(truth_offset_ns=400000, truth_drift_ppb=20000, truth_wander_ppt=100, phc_offset_ns=5000000,
                  phc_drift_ppb=-7000, phc_wander_ppt=50, delay_ns="20000,20000", jitter_ns="100,100", seed=7)
    daemon = Daemon(kind, CONFIGURATION)
    expect(wait_until(daemon.synchronised, 60), f"{kind} synchronises")
    settle = Errors(60)
    before = nic.stamps()
    stamping = Stamping(daemon, 60)
    errors = Errors(SECONDS)
    note(f"{kind}: settling {settle}; stamps {before} -> {nic.stamps()}")
    daemon.stop()
    nic.unload()
    return daemon, stamping, errors


def test():
    results = {kind: measure(kind) for kind in ("gnomond", "chronyd")}
    for kind, (daemon, stamping, errors) in results.items():
        hardware, pairs = stamping.share("Hardware", "Hardware"), len(stamping.seen)
        expect(hardware >= 0.99, f"{kind}: both stamps Hardware in {hardware * 100:.0f} % of {pairs} polls")
        expect(stamping.interleaved >= 0.99 * pairs, f"{kind}: interleaved in {stamping.interleaved} of {pairs}")
        note(f"{kind}: clock error {errors}")
    ratio = results["gnomond"][2].rms / results["chronyd"][2].rms
    expect(ratio <= 1.0, f"gnomond's clock error is {ratio:.2f} times chronyd's (goal: 0.5)")
    expect(results["gnomond"][2].worst < 1e-6, "gnomond is never off by a microsecond")
