"""An emulated 82576 (igb): it stamps every packet it sends, and no NTP packet it receives."""
from guest import SERVER, Daemon, Errors, Stamping, TestNic, expect, note, reset_kernel_clock, time, wait_until

VM = {"minutes": 15, "nics": ["igb", "igb"]}


def measure(kind):
    reset_kernel_clock()
    nic = TestNic(devices=("eth0", "eth1"), stamped=False, truth_offset_ns=400_000, truth_drift_ppb=20_000,
                  truth_wander_ppt=100)
    daemon = Daemon(kind, f"server {SERVER} minpoll 0 maxpoll 0 xleave iburst\nhwtimestamp *\n")
    expect(wait_until(daemon.synchronised, 60), f"{kind}: synchronises")
    time.sleep(60)
    stamping, errors = Stamping(daemon, 60), Errors(60)
    daemon.stop()
    nic.disconnect()
    share = stamping.share("Hardware", "Kernel")
    expect(share >= 0.95, f"{kind}: TX Hardware, RX Kernel in {share * 100:.0f} % of {len(stamping.seen)} polls")
    note(f"{kind}: clock error {errors}")
    note(f"{kind}: {' | '.join(line[21:] for line in daemon.log.splitlines()[1:])}")
    return errors


def test():
    ours, theirs = measure("gnomond"), measure("chronyd")
    note(f"gnomond's clock error is {ours.rms / theirs.rms:.2f} times chronyd's")
    expect(ours.worst < 1e-3, "gnomond stays within a millisecond")
