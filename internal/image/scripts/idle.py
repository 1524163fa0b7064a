# Keeps a container running until it is told to stop.
import signal, sys

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
while True:
    signal.pause()
