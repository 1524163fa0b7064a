# How the client meets scheduler and workers, and what all of them are.


@check("connect")
def connect(clock):
    global client
    from distributed import Client

    client = Client(SETTINGS["address"], timeout=clock.left, set_as_default=True)
    return f"to the scheduler at {SETTINGS['address']}"


@check("join")
def join(clock):
    expected = SETTINGS["expected"]
    while True:
        n = len(workers())
        if n >= expected:
            return f"{n} workers in {clock.spent:.1f} s"
        if n and clock.left < 0.3 * (clock.end - clock.start):
            raise Warned(f"only {n} of {expected} workers joined in {clock.spent:.0f} s")
        if clock.left < 2:
            raise Problem(f"no worker joined in {clock.spent:.0f} s")
        time.sleep(0.05)


@check("versions")
def versions(clock):
    found = client.get_versions(check=False)
    packages = ["python", "dask", "distributed", "msgpack", "cloudpickle", "tornado", "toolz", "numpy", "pandas", "lz4"]

    def of(host):
        known = dict(host["packages"].items() if hasattr(host["packages"], "items") else host["packages"])
        known.setdefault("python", dict(host["host"]).get("python") if not isinstance(host["host"], str) else None)
        return known

    if not found["workers"]:
        raise Problem("no worker told its versions")
    want, differ = of(found["client"]), []
    others = dict(found["workers"], scheduler=found["scheduler"])
    for package in packages:
        for where, host in sorted(others.items()):
            got = of(host).get(package)
            if got != want.get(package):
                side = "scheduler" if where == "scheduler" else "worker"
                differ.append(f"{package} {want.get(package)} (client) / {got} ({side})")
    if differ:
        raise Problem("versions differ: " + ", ".join(dict.fromkeys(differ)))
    return ", ".join(f"{p} {want[p]}" for p in packages if want.get(p)) + f" on {len(found['workers'])} workers"


def surroundings():
    """What surrounds a task and shapes its results."""
    import locale, os, sys, time

    return {
        "encoding of text": locale.getpreferredencoding(False),
        "encoding of file names": sys.getfilesystemencoding(),
        "time zone": "{} {}".format(time.tzname[0], -time.timezone),
        "order of bytes": sys.byteorder,
        "LANG": os.environ.get("LC_ALL") or os.environ.get("LANG") or "none",
        "umask": "%03o" % (lambda mask: (os.umask(mask), mask)[1])(os.umask(0)),
    }


def threads():
    """How many threads a numeric library takes, by its own variables."""
    import os

    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
    return {name: os.environ[name] for name in names if os.environ.get(name)}


@check("environment")
def environment(clock):
    here, shaping = surroundings(), {"encoding of text", "encoding of file names", "time zone", "order of bytes"}
    faults, oddities = [], []
    for there in each_worker(clock, surroundings).values():
        for what, value in here.items():
            if there[what] != value:
                (faults if what in shaping else oddities).append(f"{what} {value} / {there[what]}")
    told = [threads()] + list(each_worker(clock, threads).values())
    if any(one != told[1] for one in told[1:]):
        oddities.append("the workers' numbers of threads differ among themselves")
    if faults:
        raise Problem("differs (notebook / worker): " + ", ".join(dict.fromkeys(faults + oddities)))
    if oddities:
        raise Warned("differs (notebook / worker): " + ", ".join(dict.fromkeys(oddities)))
    said = " ".join(f"{k}={v}" for k, v in sorted(told[1].items())) or "no limit"
    return f"{here['encoding of text']}, {here['time zone'].split()[0]}, {here['LANG']}; threads of a task: {said}"
