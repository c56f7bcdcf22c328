"""Who is compared: programs, and what their users could have configured.

ntpsec's ntpd is not: it waits in pselect(), which clknetsim does not intercept, so its time stands still.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Contestant:
    name: str
    program: str
    options: str = ""  # of every server and refclock line
    directives: str = ""

    @property
    def ours(self) -> bool:
        return self.program == "gnomond"


def _chronyd(options: str) -> Contestant:
    return Contestant(f"chronyd {options}".strip(), "chronyd", options)


DEFAULT = "chronyd"

CONTESTANTS = {c.name: c for c in [
    Contestant("gnomond", "gnomond"),
    Contestant("gnomond kalman", "gnomond", directives="servo kalman"),
    Contestant("gnomond regression", "gnomond", directives="servo regression"),
    Contestant("gnomond pi", "gnomond", directives="servo pi"),
    _chronyd(""),
    _chronyd("filter 4"),
    _chronyd("filter 16"),
    _chronyd("filter 64"),
    _chronyd("maxdelayquant 0.1"),
    _chronyd("maxdelayquant 0.3"),
    _chronyd("maxdelayquant 0.1 filter 8"),
    _chronyd("maxsamples 6"),
    _chronyd("maxsamples 8"),
    _chronyd("maxsamples 16"),
    _chronyd("maxsamples 32"),
]}

def _variants(*options: str) -> tuple[str, ...]:
    return tuple(_chronyd(o).name for o in options)


# Variants of chronyd that have a chance at short and at long intervals of polling.
VARIANTS_OFTEN = _variants("filter 16", "filter 64", "maxdelayquant 0.1", "maxdelayquant 0.3",
                           "maxsamples 16", "maxsamples 32")
VARIANTS_SELDOM = _variants("maxdelayquant 0.1", "maxdelayquant 0.3", "maxsamples 6", "maxsamples 8",
                            "maxsamples 16")
VARIANTS_REFCLOCK = _variants("maxsamples 6", "maxsamples 8", "maxsamples 16", "maxsamples 32")
VARIANTS_HARDWARE = _variants("filter 4", "filter 16", "maxsamples 16", "maxsamples 32")
