#!/usr/bin/env python3
"""gnomond built with ThreadSanitizer, two workers under load, everything changed meanwhile: no report.

Needs such a build: $GNOMON_TSAN_BUILD, or build/tsan (cmake --preset tsan). Ends with 77 and the reason
where there is none.
"""
import os
import pathlib
import re
import subprocess
import sys
import time
import unittest

import harness
from harness import GNOMONC, ROOT, Lab, wait_for

TSAN = pathlib.Path(os.environ.get("GNOMON_TSAN_BUILD", ROOT / "build/tsan")) / "bin"
SECONDS = float(os.environ.get("GNOMON_TSAN_SECONDS", "20"))


def sanitized(program):
    return program.exists() and b"__tsan_init" in program.read_bytes()


class Races(unittest.TestCase):
    def test_two_workers_under_load_and_commands(self):
        with Lab() as lab:
            server, client, peer = lab.host("server"), lab.host("client"), lab.host("peer")
            keys = server.dir / "keys"
            keys.write_text("1 SHA1 HEX:00000000000000000000000000000000000000AA\n")
            report = server.dir / "tsan"
            os.environ["TSAN_OPTIONS"] = f"log_path={report} halt_on_error=0 exitcode=66"
            harness.GNOMOND = TSAN / "gnomond"
            daemon = server.gnomond(["local stratum 1", "allow", "serverthreads 2", f"keyfile {keys}",
                                     "ratelimit interval -4 burst 16", f"peer {peer.ipv4} minpoll 0 maxpoll 0 xleave"])
            peer.chronyd([f"peer {server.ipv4} minpoll 0 maxpoll 0 xleave", "local stratum 2", "allow"])
            wait_for("up", lambda: server.csv(daemon, "tracking"), 60)
            load = [subprocess.Popen(["ip", "netns", "exec", client.namespace, harness.BUILD / "bin/ntp_load",
                                      f"--server={address}", "--clients=64", f"--seconds={SECONDS}", "--rate=4000",
                                      "--interleaved"], stdout=subprocess.PIPE, text=True)
                    for address in (server.ipv4, server.ipv6)]
            deadline = time.monotonic() + SECONDS
            rounds = 0
            while time.monotonic() < deadline:
                for words in (["serverstats"], ["clients"], ["clients", "-r"], ["deny", client.ipv4],
                              ["allow", client.ipv4], ["deny", "all"], ["allow", "0/0"], ["allow", "::/0"], ["rekey"],
                              ["offline"], ["online"], ["tracking"], ["activity"]):
                    server.control(GNOMONC, daemon, *words, check=False)
                rounds += 1
            sent = [int(process.communicate()[0].split()[0]) for process in load]
            hits = int(server.csv(daemon, "serverstats")[0][0])
            status = daemon.stop()
            findings = "".join(path.read_text() for path in server.dir.glob("tsan.*"))
            print(f"{sum(sent)} requests sent, {hits} heard, {rounds} rounds of commands", flush=True)
            self.assertEqual(re.findall("WARNING: ThreadSanitizer.*", findings), [], findings[:6000])
            self.assertEqual(status, 0)
            self.assertGreater(hits, 1000)
            self.assertGreater(rounds, 0)


if __name__ == "__main__":
    reason = harness.missing()
    if not reason and not (sanitized(TSAN / "gnomond") and (harness.BUILD / "bin/ntp_load").exists()):
        reason = f"no ThreadSanitizer build of gnomond in {TSAN} (cmake --preset tsan), or no {harness.BUILD}/bin/ntp_load"
    if reason:
        print(f"SKIPPED: {reason}")
        sys.exit(77)
    unittest.main(verbosity=2)
