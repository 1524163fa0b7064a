# What changes the workers. These come last: what is after a restart is not what was
# before it.


@check("upload")
def upload(clock):
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "gauntlet_uploaded.py")
        with open(path, "w") as f:
            f.write("def answer():\n    return 42\n")
        client.upload_file(path)
    for worker, got in each_worker(clock, lambda: __import__("gauntlet_uploaded").answer()).items():
        same(f"the module on {worker}", got, 42)
    return "a module of the notebook is imported on every worker"


@check("plugin")
def plugin(clock):
    from distributed import WorkerPlugin

    class Marks(WorkerPlugin):
        name = "gauntlet-marks"

        def setup(self, worker):
            worker.gauntlet_mark = 42

        def teardown(self, worker):
            del worker.gauntlet_mark

    register = getattr(client, "register_plugin", None) or client.register_worker_plugin
    unregister = getattr(client, "unregister_worker_plugin", None)

    def mark():
        from distributed import get_worker

        return getattr(get_worker(), "gauntlet_mark", None)

    register(Marks())
    for worker, got in each_worker(clock, mark).items():
        same(f"what the plugin set on {worker}", got, 42)
    if unregister:
        unregister("gauntlet-marks")
        for worker, got in each_worker(clock, mark).items():
            same(f"what is left of the plugin on {worker}", got, None)
    return "set up on every worker" + (" and taken down" if unregister else "")


@check("speed")
def speed(clock):
    import socket, statistics, struct

    from distributed.utils import get_ip

    size, rounds, worker = 32 << 20, 50, one_worker()
    door = socket.create_server((get_ip(), 0))
    door.settimeout(clock.left)

    def other_end(host, port, size, rounds):
        import socket

        with socket.create_connection((host, port), timeout=30) as line:
            line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for _ in range(rounds):
                line.sendall(line.recv(1))
            line.sendall(bytes(size))

    visit = send(other_end, *door.getsockname()[:2], size, rounds, workers=[worker])
    with door, door.accept()[0] as line:
        line.settimeout(clock.left)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        trips = []
        for _ in range(rounds):
            start = time.perf_counter()
            line.sendall(b"x")
            line.recv(1)
            trips.append(time.perf_counter() - start)
        start, got = time.perf_counter(), 0
        while got < size:
            part = line.recv(1 << 20)
            if not part:
                raise Problem(f"a raw connection between the pods ended after {got} bytes")
            got += len(part)
        raw_rate, raw_trip = size / (time.perf_counter() - start), statistics.median(trips)
    visit.result(timeout=clock.left)

    trips = []
    for i in range(rounds):
        start = time.perf_counter()
        send(abs, i, workers=[worker]).result(timeout=clock.left)
        trips.append(time.perf_counter() - start)
    noise = send(lambda n: __import__("os").urandom(n), size, workers=[worker])
    send(len, noise, workers=[worker]).result(timeout=clock.left)
    start = time.perf_counter()
    noise.result(timeout=clock.left)
    rate = size / (time.perf_counter() - start)
    return (
        f"a task takes {statistics.median(trips) * 1e3:.1f} ms there and back (a byte: {raw_trip * 1e3:.2f} ms), "
        f"results come at {rate / 1e6:.0f} MB/s (a raw connection: {raw_rate / 1e6:.0f} MB/s)"
    )


@check("tls")
def tls(clock):
    from distributed import Client, LocalCluster
    from distributed.security import Security
    from distributed.utils import get_ip

    pem = SETTINGS["tls"]
    options = {"tls_ca_file": pem["ca"], "require_encryption": True}
    for role in ("scheduler", "worker", "client"):
        options[f"tls_{role}_cert"], options[f"tls_{role}_key"] = pem["cert"], pem["key"]
    security = Security(**options)

    def start(address, pem):
        import os, subprocess, sys, tempfile

        folder = tempfile.mkdtemp(prefix="gauntlet-tls-")
        paths = {}
        for name, text in pem.items():
            paths[name] = os.path.join(folder, name + ".pem")
            with open(os.open(paths[name], os.O_CREAT | os.O_WRONLY, 0o600), "w") as f:
                f.write(text)
        with open(os.path.join(folder, "log"), "w") as log:
            return folder, subprocess.Popen(
                [sys.executable, "-m", "distributed.cli.dask_worker", address, "--no-nanny", "--no-dashboard", "--nthreads", "1",
                 "--death-timeout", "30", "--local-directory", folder,
                 "--tls-ca-file", paths["ca"], "--tls-cert", paths["cert"], "--tls-key", paths["key"]],
                stdout=log, stderr=log,
            ).pid

    def stop(folder, pid):
        import os, shutil, signal

        try:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        except OSError:
            pass
        with open(os.path.join(folder, "log"), errors="replace") as f:
            said = f.read()[-2000:]
        shutil.rmtree(folder, ignore_errors=True)
        return said

    host, said = one_worker(), ""
    with LocalCluster(n_workers=0, protocol="tls://", host=get_ip(), security=security, dashboard_address=None) as cluster:
        folder, pid = send(start, cluster.scheduler_address, pem, workers=[host]).result(timeout=clock.left)
        try:
            with Client(cluster.scheduler_address, security=security, set_as_default=False, timeout=clock.left) as secure:
                try:
                    got = secure.submit(lambda x: (x + 1, __import__("distributed").get_worker().address), 41).result(timeout=clock.left - 2)
                except BaseException:
                    said = send(stop, folder, pid, workers=[host]).result(timeout=clock.left)
                    lines = [line for line in said.splitlines() if " - INFO - " not in line and line.strip()]
                    raise Problem("no task ran over TLS; the worker says: " + (lines[-1] if lines else "nothing"))
        finally:
            if not said:
                send(stop, folder, pid, workers=[host]).result(timeout=clock.left)
    same("a task over TLS", got[0], 42)
    if not got[1].startswith("tls://"):
        raise Problem(f"the worker answers at {got[1]}: not over TLS")
    return "a worker joins over TLS with certificates of both sides, and a task runs"


def process():
    """The process that a task runs in: pods count theirs from one."""
    import os, socket

    return f"{socket.gethostname()}:{os.getpid()}"


def processes(clock):
    return each_worker(clock, process)


@check("death")
def death(clock):
    before = workers()
    victim = send(process, workers=[before[0]]).result(timeout=clock.left)

    def work(victim, _):
        import os, signal, socket, time

        time.sleep(0.1)  # no worker takes them all
        if f"{socket.gethostname()}:{os.getpid()}" == victim:
            os.kill(os.getpid(), signal.SIGKILL)
        return 42

    tasks = client.map(work, [victim] * 2 * len(before), range(2 * len(before)), pure=False)
    for task in tasks:
        same("a task whose worker died", task.result(timeout=clock.left), 42)
    await_new(clock, len(before), victim, "a worker that was killed did not come back")
    return f"a worker killed in mid-task: all {len(tasks)} tasks were done and the worker came back"


@check("memory-limit")
def memory_limit(clock):
    before, worker = workers(), one_worker()
    limit = memory_of(worker)
    victim = send(process, workers=[worker]).result(timeout=clock.left)

    def hoard(victim, limit, _):
        import os, socket, time

        time.sleep(0.1)
        if f"{socket.gethostname()}:{os.getpid()}" != victim:
            return "stopped"
        kept = []
        for _ in range(int(1.5 * limit / (16 << 20))):
            kept.append(bytearray(b"x") * (16 << 20))
        time.sleep(10)
        return f"{len(kept) * 16} MB were taken and nobody minded"

    tasks = client.map(hoard, [victim] * 2 * len(before), [limit] * 2 * len(before), range(2 * len(before)), pure=False)
    for task in tasks:
        same(f"a task that takes more than its worker's {limit >> 20} MB", task.result(timeout=clock.left), "stopped")
    await_new(clock, len(before), victim, "a worker that took too much memory did not come back")
    return f"a task that takes more than {limit >> 20} MB is stopped, its worker comes back"


def await_new(clock, count, old, why):
    """Waits until all workers are there and none is the old process."""
    await_workers(clock, count, why)
    while old in processes(clock).values():
        if clock.over:
            raise Problem(f"process {old} of a worker should have been stopped and still runs")
        time.sleep(0.05)
    await_workers(clock, count, why)


@check("restart")
def restart(clock):
    count, before = len(workers()), set(processes(clock).values())
    client.restart(timeout=clock.left)
    await_workers(clock, count, "not all workers came back after a restart")
    after = set(processes(clock).values())
    if after & before:
        raise Problem("a worker still runs in the process that it had before the restart")
    same("a task after the restart", send(lambda x: x + 1, 41).result(timeout=clock.left), 42)
    return f"{count} workers in new processes"


def memory_of(worker):
    limit = client.scheduler_info()["workers"].get(worker, {}).get("memory_limit")
    if not limit:
        raise Warned("the worker knows no limit to its memory")
    return limit


@check("spill")
def spill(clock):
    worker = one_worker()
    limit, size = memory_of(worker), 16 << 20
    count = int(0.75 * limit / size)

    def spilled():
        from distributed import get_worker

        data = get_worker().data
        return len(getattr(data, "slow", ()) or ())

    parts = client.map(lambda i: bytes([i % 251]) * (16 << 20), range(count), workers=[worker], pure=False)
    from distributed import wait

    wait(parts, timeout=clock.left)
    on_disk = send(spilled, workers=[worker]).result(timeout=clock.left)
    if not on_disk:
        raise Problem(f"the worker holds {count * size >> 20} MB of {limit >> 20} MB and spilled nothing to disk: it will be stopped where it should have spilled")
    checks = client.map(lambda d, i: d.count(bytes([i % 251])), parts, range(count), workers=[worker], pure=False)
    total = send(sum, checks, workers=[worker]).result(timeout=clock.left)
    same("bytes that came back from disk", total, count * size)
    return f"{on_disk} of {count} parts went to disk and came back"
