"""Runs in a kernel that is held open while its hub is changed: counts, a line each,
until it is interrupted, and then says how far it came."""

import signal
import sys
import time

# A flag and no exception, which might tear a line apart.
asked = []
before = signal.signal(signal.SIGINT, lambda *_: asked.append(True))
try:
    n, end = 0, time.monotonic() + 4 * 3600
    while not asked and time.monotonic() < end:
        # In one piece: what a cut connection loses are whole lines.
        sys.stdout.write(f"{n}\n")
        sys.stdout.flush()
        n += 1
        time.sleep(0.2)
finally:
    signal.signal(signal.SIGINT, before)
sys.stdout.write(f"end {n}\n")
sys.stdout.flush()
