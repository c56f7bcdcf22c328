"""Stamps of the test NIC lost, late, swapped and jumping, 1 % of each: how right the clock stays, gnomond's and
chronyd's."""
from guest import (SERVER, Daemon, Errors, TestNic, argument, expect, note, reset_kernel_clock, time, wait_until)

VM = {"minutes": 30}

SECONDS = int(argument("seconds", "120"))
FAULTS = argument("faults", "lost,late,swapped,jumping").split(",")


def measure(kind, fault):
    reset_kernel_clock()
    nic = TestNic(truth_offset_ns=400_000, truth_drift_ppb=20_000, truth_wander_ppt=100, phc_offset_ns=5_000_000,
                  phc_drift_ppb=-7000, phc_wander_ppt=50, jitter_ns="100,100", seed=11)
    daemon = Daemon(kind, f"server {SERVER} minpoll -2 maxpoll -2 xleave iburst\nhwtimestamp tn0\n")
    expect(wait_until(daemon.synchronised, 60), f"{kind}: synchronises")
    time.sleep(60)
    nic.set(f"{fault}_ppm", 10_000)
    before = nic.stamps()["faults"]
    errors = Errors(SECONDS, 0.5)
    faults = nic.stamps()["faults"] - before
    daemon.stop()
    nic.unload()
    note(f"{fault}: {kind}: clock error {errors}; {faults} bad stamps; "
         f"{len(daemon.log.splitlines())} lines of log")
    return errors


def test():
    ratios = []
    for fault in FAULTS:
        ours, theirs = measure("gnomond", fault), measure("chronyd", fault)
        ratios.append(ours.rms / theirs.rms)
        expect(ours.worst < 2e-6, f"{fault}: gnomond's worst {ours.worst * 1e9:.0f} ns")
    note("gnomond's error is " + ", ".join(f"{ratio:.2f} ({fault})" for ratio, fault in zip(ratios, FAULTS))
         + " times chronyd's (goal: 0.5)")
    expect(max(ratios) <= 1.0, "gnomond's error is never the larger one")
