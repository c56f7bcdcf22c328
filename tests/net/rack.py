#!/usr/bin/env python3
"""A rack in network namespaces: two upstream servers, the appliance, a chronyd client, over veth.

Shows the appliance selecting, serving, losing an upstream and going on. Ends by itself in about a
minute; exit status 0 only if every step was seen.
"""
import sys

import harness
from harness import CHRONYC, GNOMONC, Lab, wait_for

FAST = "minpoll 0 maxpoll 1 iburst"


def step(text):
    print(f"\n==> {text}", flush=True)


def system_peer(host, daemon):
    rows = [row for row in host.csv(daemon, "sources") if row[1] == "*"]
    return rows[0][2] if rows else None


def show(host, daemon, client, *words):
    print(f"{host.name}$ {client.name} {' '.join(words)}")
    print(host.control(client, daemon, *words), end="", flush=True)


def main():
    reason = harness.missing()
    if reason:
        sys.exit(f"the rack cannot be built here: {reason}")
    with Lab() as lab:
        upstreams = [lab.host("upstream1"), lab.host("upstream2")]
        appliance, client = lab.host("appliance"), lab.host("client")

        step("two upstream servers (gnomond, local stratum 1) and the appliance that follows them")
        for host in upstreams:
            host.gnomond(["local stratum 1", "allow"])
        gnomond = appliance.gnomond([f"server {h.ipv4} {FAST} xleave" for h in upstreams] +
                                    ["allow", "maxsamples 16"])
        wait_for("the appliance selects a source", lambda: system_peer(appliance, gnomond))
        show(appliance, gnomond, GNOMONC, "sources")

        step("a client: Debian's chronyd follows the appliance")
        chronyd = client.chronyd([f"server {appliance.ipv4} {FAST} xleave"])
        wait_for("the client follows", lambda: system_peer(client, chronyd) == appliance.ipv4)
        show(client, chronyd, CHRONYC, "sources")

        first = system_peer(appliance, gnomond)
        lost = next(h for h in upstreams if h.ipv4 == first)
        step(f"{lost.name} ({first}), the selected one, loses its link")
        lost.set_link("down")
        wait_for("the appliance turns to the other", lambda: system_peer(appliance, gnomond) not in (None, first),
                 60)
        show(appliance, gnomond, GNOMONC, "sources")
        show(appliance, gnomond, GNOMONC, "tracking")

        step("the client has noticed nothing")
        served = int(appliance.csv(gnomond, "serverstats")[0][0])
        wait_for("it is still being served", lambda: int(appliance.csv(gnomond, "serverstats")[0][0]) > served)
        if system_peer(client, chronyd) != appliance.ipv4:
            raise AssertionError("the client lost the appliance")
        show(client, chronyd, CHRONYC, "tracking")
        show(appliance, gnomond, GNOMONC, "serverstats")
        step("everything seen; taking the rack down")


main()
