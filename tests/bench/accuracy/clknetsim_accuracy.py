#!/usr/bin/env python3
"""The command of clknetsim_bench: gnomond against other time daemons in the simulator clknetsim."""

import sys

from clknetsim_bench.main import main

if __name__ == "__main__":
    sys.exit(main())
