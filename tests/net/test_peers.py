#!/usr/bin/env python3
"""gnomond among real peers: Debian's chronyd and ntpsec, over veth, IPv4 and IPv6."""
import re
import sys
import time
import unittest

import harness
from harness import CHRONYC, GNOMONC, Lab, wait_for

FAST = "minpoll 0 maxpoll 0 iburst"


def selected(host, daemon):
    """Address of the system peer as Debian's chronyc sees it, or None."""
    rows = [row for row in host.csv(daemon, "sources") if row[1] == "*"]
    return rows[0][2] if rows else None


def offset_s(host, daemon):
    return abs(float(host.csv(daemon, "tracking")[0][4]))


class Following(unittest.TestCase):
    def follow(self, server_kind, client_kind, family, options="", server_lines=()):
        """Brings a server and a client up; the client's ntpdata once it has settled."""
        with Lab() as lab:
            server, client = lab.host("server"), lab.host("client")
            address = server.ipv4 if family == 4 else server.ipv6
            upstream = getattr(server, server_kind)(["local stratum 1", "allow", *server_lines])
            wait_for("server up", lambda: server.csv(upstream, "tracking"))
            daemon = getattr(client, client_kind)([f"server {address} {FAST} {options}"])
            wait_for("selection", lambda: selected(client, daemon) == address)
            time.sleep(4)
            self.assertLess(offset_s(client, daemon), 1e-3)
            self.assertGreaterEqual(int(server.csv(upstream, "serverstats")[0][0]), 4, "requests were counted")
            ntpdata = client.csv(daemon, "ntpdata")[0]
            self.assertEqual(ntpdata[0], address)
            return ntpdata

    # Columns of `chronyc -c ntpdata`: 26 interleaved, 27 authenticated, 28 and 29 TX and RX timestamping.
    def test_gnomond_follows_chronyd_ipv4(self):
        ntpdata = self.follow("chronyd", "gnomond", 4)
        self.assertEqual(ntpdata[26], "No")
        self.assertEqual(ntpdata[28:30], ["Kernel", "Kernel"], "both stamps from the kernel")

    def test_gnomond_follows_chronyd_ipv6(self):
        self.follow("chronyd", "gnomond", 6)

    def test_gnomond_follows_chronyd_interleaved(self):
        ntpdata = self.follow("chronyd", "gnomond", 4, "xleave")
        self.assertEqual(ntpdata[26], "Yes")

    def test_chronyd_follows_gnomond_ipv4(self):
        self.follow("gnomond", "chronyd", 4)

    def test_chronyd_follows_gnomond_ipv6(self):
        self.follow("gnomond", "chronyd", 6)

    def test_chronyd_follows_gnomond_interleaved(self):
        ntpdata = self.follow("gnomond", "chronyd", 4, "xleave")
        self.assertEqual(ntpdata[26], "Yes")

    def test_chronyd_follows_gnomond_interleaved_ipv6_from_a_worker(self):
        ntpdata = self.follow("gnomond", "chronyd", 6, "xleave", server_lines=["serverthreads 1"])
        self.assertEqual(ntpdata[26], "Yes")

    def test_ntpsec_follows_gnomond(self):
        for family in (4, 6):
            with self.subTest(family=family), Lab() as lab:
                server, client = lab.host("server"), lab.host("client")
                address = server.ipv4 if family == 4 else server.ipv6
                server.gnomond(["local stratum 1", "allow"])
                client.ntpd(f"server {address} iburst minpoll 3 maxpoll 3")
                wait_for("ntpd selects gnomond", lambda: harness.ntpd_selected(client) == {address}, 60)


class Authentication(unittest.TestCase):
    KEYS = "1 SHA1 HEX:1F2E3D4C5B6A79880102030405060708090A0B0C\n2 AES128 HEX:000102030405060708090A0B0C0D0E0F\n" \
           "3 SHA256 HEX:1F2E3D4C5B6A79880102030405060708090A0B0C0D0E0F1011121314\n"

    def follow(self, server_kind, client_kind, key):
        with Lab() as lab:
            server, client = lab.host("server"), lab.host("client")
            for host in (server, client):
                keys = host.dir / "keys"
                keys.write_text(self.KEYS)
                keys.chmod(0o600)
            getattr(server, server_kind)(["local stratum 1", "allow", f"keyfile {server.dir}/keys"])
            daemon = getattr(client, client_kind)([f"server {server.ipv4} {FAST} key {key}",
                                                   f"keyfile {client.dir}/keys"])
            wait_for("selection", lambda: selected(client, daemon) == server.ipv4)
            self.assertEqual(client.csv(daemon, "ntpdata")[0][27], "Yes", "authenticated")

    def test_gnomond_follows_chronyd_with_each_key_type(self):
        for key in (1, 2, 3):
            with self.subTest(key=key):
                self.follow("chronyd", "gnomond", key)

    def test_chronyd_follows_gnomond_with_each_key_type(self):
        for key in (1, 2, 3):
            with self.subTest(key=key):
                self.follow("gnomond", "chronyd", key)

    def test_wrong_key_is_not_followed(self):
        with Lab() as lab:
            server, client = lab.host("server"), lab.host("client")
            (server.dir / "keys").write_text("1 SHA1 HEX:00000000000000000000000000000000000000AA\n")
            (client.dir / "keys").write_text("1 SHA1 HEX:00000000000000000000000000000000000000BB\n")
            upstream = server.chronyd(["local stratum 1", "allow", f"keyfile {server.dir}/keys"])
            daemon = client.gnomond([f"server {server.ipv4} {FAST} key 1", f"keyfile {client.dir}/keys"])
            wait_for("requests arrive",
                     lambda: int(server.csv(upstream, "serverstats")[0][0]) >= 4)
            self.assertIsNone(selected(client, daemon))


class Selection(unittest.TestCase):
    def test_falseticker_among_three_is_rejected(self):
        with Lab() as lab:
            good = [lab.host("good1"), lab.host("good2")]
            bad, client = lab.host("bad"), lab.host("client")
            for host in good:
                host.chronyd(["local stratum 1", "allow"])
            # With -x chronyd serves its own NTP clock, which follows this source wrong by a second.
            liar = bad.chronyd([f"server {good[0].ipv4} {FAST} offset 1.0", "allow"])
            wait_for("the liar believes itself", lambda: selected(bad, liar))
            daemon = client.gnomond([f"server {h.ipv4} {FAST}" for h in (*good, bad)])
            wait_for("falseticker found", lambda: any(
                row[1] == "x" and row[2] == bad.ipv4 for row in client.csv(daemon, "sources")))
            self.assertIn(selected(client, daemon), [h.ipv4 for h in good])
            self.assertLess(offset_s(client, daemon), 1e-3)

    def test_loss_and_return_of_the_upstream(self):
        with Lab() as lab:
            first, second, client = lab.host("first"), lab.host("second"), lab.host("client")
            for host in (first, second):
                host.chronyd(["local stratum 1", "allow"])
            # A silent source goes stale when its last sample is older than the oldest of those that answer.
            daemon = client.gnomond([f"server {first.ipv4} {FAST} prefer", f"server {second.ipv4} {FAST}",
                                     "maxsamples 8", "reselectdist 0"])
            wait_for("first selected", lambda: selected(client, daemon) == first.ipv4)
            first.set_link("down")
            wait_for("second takes over", lambda: selected(client, daemon) == second.ipv4, 60)
            first.set_link("up")
            wait_for("first comes back", lambda: selected(client, daemon) == first.ipv4, 60)
            self.assertTrue(daemon.alive())


class Commands(unittest.TestCase):
    """Debian's chronyc 4.3 and gnomonc ask the same daemon. gnomonc prints what chrony's head prints, which
    adds lines to two reports and words to one legend; all else is byte for byte the same."""
    STILL = [["sources"], ["sources", "-v"], ["sources", "-a"], ["activity"], ["authdata"], ["authdata", "-v"],
             ["smoothing"], ["rtcdata"], ["manual", "list"]]
    # Reports with figures that change between two questions: the same text but for the digits.
    MOVING = [["tracking"], ["sourcestats"], ["sourcestats", "-v"], ["selectdata"], ["clients"],
              ["ntpdata"], ["serverstats"]]
    NEWER_LINES = ("Total kernel", "Total hardware", "Total HW", "NTP daemon", "NTP kernel", "NTP hardware")

    def both(self, host, daemon, words):
        chronyc = [host.control(client, daemon, *words, check=False) for client in (CHRONYC, GNOMONC)]
        return chronyc[0], "".join(line for line in chronyc[1].splitlines(True)
                                   if not line.startswith(self.NEWER_LINES))

    def test_gnomonc_prints_what_chronyc_prints(self):
        with Lab() as lab:
            server, client = lab.host("server"), lab.host("client")
            server.chronyd(["local stratum 1", "allow"])
            # A long poll keeps the figures still between the two clients.
            daemon = client.gnomond([f"server {server.ipv4} minpoll 6 maxpoll 6 iburst", "allow"])
            wait_for("selection", lambda: selected(client, daemon))
            for words in self.STILL:
                with self.subTest(command=words):
                    for attempt in range(3):  # "LastRx" may tick in between
                        theirs, ours = self.both(client, daemon, words)
                        if theirs == ours:
                            break
                    self.assertTrue(theirs)
                    self.assertEqual(theirs, ours)
            for words in self.MOVING:
                with self.subTest(command=words):
                    for attempt in range(5):  # a sign or a unit may change in between
                        theirs, ours = (self.without_figures(text) for text in self.both(client, daemon, words))
                        if theirs == ours:
                            break
                    self.assertTrue(theirs)
                    self.assertEqual(theirs, ours)

    @staticmethod
    def without_figures(text):
        return re.sub(r" *[+-]?[0-9][0-9.]*([num]?s\b)?", " 0", text)

    def test_waitsync_ends_when_synchronised(self):
        with Lab() as lab:
            server, client = lab.host("server"), lab.host("client")
            server.chronyd(["local stratum 1", "allow"])
            daemon = client.gnomond([f"server {server.ipv4} {FAST}"])
            wait_for("up", lambda: client.csv(daemon, "tracking"))
            output = client.control(CHRONYC, daemon, "waitsync", "30", "0", "0", "1")
            self.assertIn("try: ", output)

    def test_commands_over_udp_are_read_only(self):
        with Lab() as lab:
            server, client = lab.host("server"), lab.host("client")
            daemon = server.gnomond(["local stratum 1", "allow"])
            wait_for("up", lambda: server.csv(daemon, "tracking"))
            remote = client.run([CHRONYC, "-n", "-h", server.ipv4, "tracking"])
            self.assertIn("7F7F0101", remote)
            refused = client.run([CHRONYC, "-n", "-h", server.ipv4, "makestep"], check=False)
            self.assertIn("501 Not authorised", refused)


if __name__ == "__main__":
    reason = harness.missing()
    if reason:
        print(f"SKIPPED: {reason}")
        sys.exit(77)
    unittest.main(verbosity=2)
