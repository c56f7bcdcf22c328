#!/usr/bin/env python3
"""gnomond with `serverthreads`: what the control loop and the workers have to do together."""
import sys
import unittest

import harness
from harness import GNOMONC, Lab, wait_for

FAST = "minpoll 0 maxpoll 0"


def served(host, daemon):
    return int(host.csv(daemon, "serverstats")[0][0])


def samples(host, daemon):
    return sum(int(row[2]) for row in host.csv(daemon, "sourcestats"))


class Workers(unittest.TestCase):
    def command(self, host, daemon, *words):
        self.assertIn("200 OK", host.control(GNOMONC, daemon, *words))

    def test_denied_at_run_time_and_allowed_again(self):
        with Lab() as lab:
            server, client = lab.host("server"), lab.host("client")
            upstream = server.gnomond(["local stratum 1", "allow", "serverthreads 2"], ["-F", "1"])
            daemon = client.chronyd([f"server {server.ipv4} {FAST} filter 1"])
            wait_for("the workers count", lambda: served(server, upstream) >= 3)
            self.assertIn(client.ipv4, server.control(GNOMONC, upstream, "clients"))

            # All of IPv4 stays allowed but the client: the sockets remain open.
            self.command(server, upstream, "deny", client.ipv4)
            row = lambda: client.csv(daemon, "ntpdata")[0]
            wait_for("no more answers", lambda: (lambda a: client.run(["sleep", "2.5"]) == "" and a == row()[-2])(
                row()[-2]))
            self.command(server, upstream, "allow", client.ipv4)
            before = row()[-2]
            wait_for("answers again", lambda: row()[-2] != before)

    def test_sockets_close_when_nobody_is_allowed_and_open_again(self):
        with Lab() as lab:
            server = lab.host("server")
            daemon = server.gnomond(["local stratum 1", "allow", "serverthreads 1"], ["-F", "1"])
            ports = lambda: server.run(["ss", "-Hulnp", "sport = :123"])
            wait_for("both families", lambda: len(ports().splitlines()) == 2)
            self.command(server, daemon, "deny", "all")
            wait_for("closed", lambda: ports() == "")
            self.command(server, daemon, "allow", "10.77.0.0/24")
            wait_for("IPv4 only", lambda: len(ports().splitlines()) == 1)
            self.assertTrue(daemon.alive())
            self.assertEqual(daemon.stop(), 0)

    def test_symmetric_peers_hear_each_other_through_workers(self):
        for kind in ("chronyd", "gnomond"):
            with self.subTest(peer=kind), Lab() as lab:
                one, other = lab.host("one"), lab.host("other")
                first = one.gnomond([f"peer {other.ipv4} {FAST} xleave", "local stratum 1", "allow",
                                     "serverthreads 2"], ["-F", "1"])
                second = getattr(other, kind)([f"peer {one.ipv4} {FAST} xleave", "allow"])
                wait_for("the other follows", lambda: any(
                    row[1] == "*" and row[2] == one.ipv4 for row in other.csv(second, "sources")))
                wait_for("packets of the other arrive", lambda: int(one.csv(first, "ntpdata")[0][-2]) >= 3)
                # Stamps of what the control loop sends come back from the worker's socket.
                wait_for("interleaved, stamped by the kernel",
                         lambda: other.csv(second, "ntpdata")[0][26] == "Yes"
                         and one.csv(first, "ntpdata")[0][28] == "Kernel")

    def test_new_keys_reach_the_workers(self):
        with Lab() as lab:
            server, client = lab.host("server"), lab.host("client")
            keys = [host.dir / "keys" for host in (server, client)]
            keys[0].write_text("1 SHA1 HEX:00000000000000000000000000000000000000AA\n")
            keys[1].write_text("1 SHA1 HEX:00000000000000000000000000000000000000BB\n")
            upstream = server.gnomond(["local stratum 1", "allow", "serverthreads 1", f"keyfile {keys[0]}"])
            daemon = client.chronyd([f"server {server.ipv4} {FAST} key 1", f"keyfile {keys[1]}"])
            wait_for("requests arrive", lambda: served(server, upstream) >= 3)
            self.assertEqual(samples(client, daemon), 0)
            keys[0].write_text(keys[1].read_text())
            self.command(server, upstream, "rekey")
            wait_for("authenticated", lambda: samples(client, daemon) > 0)

    def test_occupied_port_is_named(self):
        with Lab() as lab:
            host = lab.host("host")
            other = host.chronyd(["local stratum 1", "allow"], name="other")
            wait_for("up", lambda: host.csv(other, "tracking"))
            daemon = host.gnomond(["local stratum 1", "allow", "serverthreads 1", "cmdport 0"])
            wait_for("told", lambda: "0.0.0.0:123" in daemon.log and "in use" in daemon.log)
            self.assertTrue(daemon.alive())


if __name__ == "__main__":
    reason = harness.missing()
    if reason:
        print(f"SKIPPED: {reason}")
        sys.exit(77)
    unittest.main(verbosity=2)
