# The client of a pairing, in the notebook image: the files of this folder, one after
# another, are one program. It reads one line of JSON with its settings, then one for
# each check ({"check": ..., "timeout": seconds}), and answers each with one line,
# {"check", "state", "message", "seconds"}; nothing else goes to standard output. A
# check that hangs is left behind in its thread and answered as failed.
import json, os, sys, threading, time

OUT = os.dup(1)
os.dup2(2, 1)  # what libraries print must not mix with the answers

SETTINGS = json.loads(sys.stdin.buffer.readline())  # address, expected, tls: ca, cert and key
CHECKS = {}
client = None


class Problem(Exception):
    """What is wrong, in words for people."""


class Warned(Exception):
    """What is not as it should be and no reason to stop."""


class Clock:
    """The time that a check has."""

    def __init__(self, seconds):
        self.start, self.end = time.time(), time.time() + seconds

    @property
    def left(self):
        return max(0.1, self.end - time.time())

    @property
    def over(self):
        return time.time() > self.end

    @property
    def spent(self):
        return time.time() - self.start


def check(name):
    def add(function):
        CHECKS[name] = function
        return function

    return add


def same(what, got, want):
    if got != want:
        raise Problem(f"{what}: got {str(got)[:200]}, want {str(want)[:200]}")


def workers():
    # The scheduler is asked itself: what the client keeps of it is also written by its own
    # questions beside, which ask for few workers or none.
    try:
        info = client.sync(client.scheduler.identity, n_workers=-1)
    except TypeError:  # an older scheduler, which always tells of all
        info = client.sync(client.scheduler.identity)
    return sorted(info["workers"])


def one_worker():
    found = workers()
    if not found:
        raise Problem("no worker is left")
    return found[0]


def send(function, *arguments, **options):
    """A task of its own, never one that was computed before."""
    options.setdefault("pure", False)
    return client.submit(function, *arguments, **options)


def each_worker(clock, function, *arguments):
    """The function's result on each worker, by address."""
    futures = {w: send(function, *arguments, workers=[w]) for w in workers()}
    if not futures:
        raise Problem("no worker is left")
    return {w: f.result(timeout=clock.left) for w, f in futures.items()}


def await_workers(clock, count, why):
    """Waits until so many workers are there."""
    while len(workers()) < count:
        if clock.over:
            raise Problem(f"{why}: {len(workers())} of {count} workers are there after {clock.spent:.0f} s")
        time.sleep(0.05)
