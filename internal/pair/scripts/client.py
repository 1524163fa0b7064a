# The client of a pairing, in the notebook image. It reads one line of JSON for
# each check ({"check": ..., "timeout": seconds}) from standard input and answers
# each with one line, {"check", "state", "message", "seconds"}; nothing else goes
# to standard output. A check that hangs is left behind in its thread and
# answered as failed.
import json, os, sys, threading, time

OUT = os.dup(1)
os.dup2(2, 1)  # what libraries print must not mix with the answers

ADDRESS, EXPECTED = sys.argv[1], int(sys.argv[2])
CHECKS = {}
client = None


class Problem(Exception):
    """What is wrong, in words for people."""


class Warned(Exception):
    """What is not as it should be and no reason to stop."""


def check(name):
    def add(function):
        CHECKS[name] = function
        return function

    return add


def same(what, got, want):
    if got != want:
        raise Problem(f"{what}: got {str(got)[:200]}, want {str(want)[:200]}")


def workers():
    return sorted(client.scheduler_info()["workers"])


def each_worker(function, timeout, *arguments):
    """The function's result on each worker, by address."""
    futures = {w: client.submit(function, *arguments, workers=[w], pure=False) for w in workers()}
    if not futures:
        raise Problem("no worker is left")
    end = time.time() + timeout
    return {w: f.result(timeout=max(0.1, end - time.time())) for w, f in futures.items()}


@check("connect")
def connect(timeout):
    global client
    from distributed import Client

    client = Client(ADDRESS, timeout=timeout, set_as_default=True)
    return f"to the scheduler at {ADDRESS}"


@check("join")
def join(timeout):
    start = time.time()
    while True:
        n, waited = len(workers()), time.time() - start
        if n >= EXPECTED:
            return f"{n} workers in {waited:.1f} s"
        if n and waited > timeout * 0.7:
            raise Warned(f"only {n} of {EXPECTED} workers joined in {waited:.0f} s")
        if waited > timeout - 2:
            raise Problem(f"no worker joined in {waited:.0f} s")
        time.sleep(0.1)


@check("versions")
def versions(timeout):
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


@check("builtin")
def builtin(timeout):
    for worker, got in each_worker(sum, timeout, [1, 2, 3]).items():
        same(f"sum([1, 2, 3]) on {worker}", got, 6)
    return f"sum on each of {len(workers())} workers"


@check("lambda")
def a_lambda(timeout):
    secret = 20
    got = each_worker(lambda x: (x + secret, __import__("socket").gethostname()), timeout, 22)
    import socket

    for worker, (value, host) in got.items():
        same(f"a lambda on {worker}", value, 42)
        if host == socket.gethostname():
            raise Problem(f"worker {worker} runs in the notebook's own pod: nothing crossed")
    return f"on each of {len(got)} workers, with a captured variable"


@check("map")
def a_map(timeout):
    futures = client.map(lambda i: i * i, range(500), pure=False)
    end = time.time() + timeout
    total = client.submit(lambda parts: sum(parts), futures).result(timeout=end - time.time())
    same("the sum of 500 squares", total, sum(i * i for i in range(500)))
    return "500 tasks and their sum"


@check("numpy")
def numpy_arrays(timeout):
    import numpy as np

    end = time.time() + timeout
    arrays = {
        "float64": np.linspace(-1, 1, 10_001).reshape(73, 137),
        "int32, Fortran order": np.asfortranarray(np.arange(600, dtype="int32").reshape(20, 30)),
        "bool": np.array([True, False, True]),
        "complex": np.array([1 + 2j, -3j]),
        "text": np.array(["a", "häß", ""]),
        "datetime64": np.array(["2020-01-01", "NaT"], dtype="datetime64[ns]"),
        "record": np.array([(1, 2.5)], dtype=[("i", "i4"), ("x", "f8")]),
        "object": np.array([1, "two", None], dtype=object),
    }
    for what, array in arrays.items():
        sent = client.scatter(array, timeout=timeout)
        back, described, checksum = client.submit(
            lambda a: (a, f"{a.dtype.str} {a.shape}", repr(a.tolist())), sent, pure=False
        ).result(timeout=end - time.time())
        same(f"{what} as the worker sees it", described, f"{array.dtype.str} {array.shape}")
        same(f"content of {what} on the worker", checksum, repr(array.tolist()))
        same(f"content of {what} back in the notebook", repr(back.tolist()), repr(array.tolist()))
    return f"{len(arrays)} kinds of array, contents compared on both sides"


@check("pandas")
def pandas_frames(timeout):
    import numpy as np
    import pandas as pd

    end = time.time() + timeout
    frame = pd.DataFrame({
        "int": np.arange(1000), "float": np.linspace(0, 1, 1000), "text": [f"row {i}" for i in range(1000)],
        "kind": pd.Categorical(["a", "b"] * 500), "time": pd.date_range("2020-01-01", periods=1000, freq="h", tz="UTC"),
    })
    frame.loc[3, "float"] = np.nan
    frame = frame.set_index("time")

    def work(f):
        out = f.copy()
        out["twice"] = out["int"] * 2
        return out, repr([str(t) for t in f.dtypes]), float(f["float"].sum()), "".join(f["text"].head(20))

    sent = client.scatter(frame, timeout=timeout)
    back, types, total, text = client.submit(work, sent, pure=False).result(timeout=end - time.time())
    same("column types on the worker", types, repr([str(t) for t in frame.dtypes]))
    same("a sum on the worker", total, float(frame["float"].sum()))
    same("text on the worker", text, "".join(frame["text"].head(20)))
    pd.testing.assert_frame_equal(back.drop(columns="twice"), frame)
    same("a new column", int(back["twice"].sum()), int(frame["int"].sum()) * 2)
    return "1000 rows of numbers, text, categories and times, compared on both sides"


@check("dask-array")
def dask_array(timeout):
    import dask.array as da
    import numpy as np

    end = time.time() + timeout
    x = da.arange(1_000_000, chunks=100_000)
    total = client.compute((x * 2).sum()).result(timeout=end - time.time())
    same("the sum of a Dask array", int(total), 999_999 * 1_000_000)
    square = da.from_array(np.arange(10_000.0).reshape(100, 100), chunks=25)
    product = client.compute(square @ square.T).result(timeout=end - time.time())
    want = np.arange(10_000.0).reshape(100, 100)
    if not np.allclose(product, want @ want.T):
        raise Problem("a product of Dask arrays differs from numpy's")
    return "a sum over 10 chunks and a product over 16"


@check("dask-dataframe")
def dask_dataframe(timeout):
    try:
        import dask.dataframe as dd
    except ImportError as error:
        raise Warned(f"dask.dataframe cannot be used in the notebook: {error}")
    import pandas as pd

    end = time.time() + timeout
    frame = pd.DataFrame({"key": list("abcd") * 250, "value": range(1000)})
    grouped = dd.from_pandas(frame, npartitions=5).groupby("key")["value"].sum()
    got = client.compute(grouped).result(timeout=end - time.time())
    same("sums by group", {k: int(v) for k, v in got.items()}, {k: int(v) for k, v in frame.groupby("key")["value"].sum().items()})
    return "a groupby over 5 partitions"


@check("geopandas")
def geopandas_task(timeout):
    import geopandas as gpd

    def areas(points):
        import geopandas as there

        series = there.GeoSeries.from_xy([p[0] for p in points], [p[1] for p in points], crs="EPSG:3857")
        return there.GeoDataFrame({"area": series.buffer(2.0).area}, geometry=series)

    points = [(float(i), float(-i)) for i in range(50)]
    want = areas(points)
    got = client.submit(areas, points, pure=False).result(timeout=timeout)
    if not isinstance(got, gpd.GeoDataFrame):
        raise Problem(f"a GeoDataFrame came back as {type(got).__name__}")
    if abs(got["area"].sum() - want["area"].sum()) > 1e-6 or not 12.4 < got["area"].iloc[0] < 12.6:
        raise Problem(f"areas of buffers differ: {got['area'].sum()} on the worker, {want['area'].sum()} in the notebook")
    if not got.geometry.geom_equals(want.geometry).all():
        raise Problem("the points came back changed")
    same("the coordinate system", str(got.crs), str(want.crs))
    return "50 points, their buffers and areas"


@check("xarray")
def xarray_task(timeout):
    import numpy as np
    import xarray as xr

    end = time.time() + timeout
    values = np.arange(24.0 * 36).reshape(24, 36)
    array = xr.DataArray(values, dims=("time", "place"), coords={"time": np.arange(24)}, name="v").chunk({"time": 6})
    mean = client.compute(array.mean("time")).result(timeout=end - time.time())
    if not np.allclose(mean.values, values.mean(axis=0)):
        raise Problem("a mean over time differs from numpy's")
    whole = client.submit(lambda a: a.sel(time=3) + 1, xr.DataArray(values, dims=("time", "place"), coords={"time": np.arange(24)}), pure=False)
    if not np.array_equal(whole.result(timeout=end - time.time()).values, values[3] + 1):
        raise Problem("a selection made on the worker differs")
    return "a mean over 4 chunks and a selection"


class Storm(Exception):
    """An exception of the user's own."""


@check("exceptions")
def exceptions(timeout):
    end = time.time() + timeout

    def fail():
        raise Storm("wind force 12")

    for function, kind, words in ((fail, "Storm", "wind force 12"), (lambda: {}["nowhere"], "KeyError", "nowhere")):
        try:
            got = client.submit(function, pure=False, retries=0).result(timeout=end - time.time())
        except Exception as error:
            if type(error).__name__ != kind or words not in str(error):
                raise Problem(f"{kind}({words!r}) came back as {type(error).__name__}: {error}")
        else:
            raise Problem(f"a task that raises {kind} gave {got!r}")
    return "the user's own and a KeyError, with their words"


@check("cancelling")
def cancelling(timeout):
    end = time.time() + timeout
    slow = client.submit(time.sleep, 3, pure=False)
    try:
        slow.result(timeout=0.3)
        raise Problem("result(timeout=0.3) of a task of 3 s did not time out")
    except Problem:
        raise
    except BaseException as error:
        if "Timeout" not in type(error).__name__:
            raise
    slow.cancel()
    while not slow.cancelled():
        if time.time() > end:
            raise Problem(f"a cancelled task is still {slow.status}")
        time.sleep(0.05)
    got = client.submit(lambda: 42, pure=False).result(timeout=end - time.time())
    same("a task after the cancelled one", got, 42)
    return "a wait that times out, a task that is cancelled, and one after it"


@check("large")
def large(timeout):
    import hashlib

    end = time.time() + timeout
    data = os.urandom(20 << 20)
    want = hashlib.sha256(data).hexdigest()
    sent = client.scatter(data, timeout=timeout, hash=False)
    size, there = client.submit(lambda d: (len(d), hashlib.sha256(d).hexdigest()), sent, pure=False).result(timeout=end - time.time())
    same("20 MB on the worker", (size, there), (len(data), want))
    back = client.submit(lambda d: bytes(reversed(d)), sent, pure=False).result(timeout=end - time.time())
    same("20 MB back in the notebook", hashlib.sha256(bytes(reversed(back))).hexdigest(), want)
    return "20 MB to a worker and back, compared"


def run(name, timeout):
    result = {}

    def work():
        try:
            result.update(state="passed", message=CHECKS[name](timeout))
        except Warned as warning:
            result.update(state="warned", message=str(warning))
        except Problem as problem:
            result.update(state="failed", message=str(problem))
        except BaseException as error:
            kind = type(error).__name__
            words = f"no result in {timeout} s" if "Timeout" in kind else str(error)
            result.update(state="failed", message=f"{kind}: {words}")

    start = time.time()
    if name in CHECKS:
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        thread.join(timeout + 3)
    else:
        result = {"state": "failed", "message": "the client knows no such check"}
    answer = dict(result) or {"state": "failed", "message": f"hangs: no result in {timeout} s"}
    answer["message"] = answer["message"][:2000]
    answer.update(check=name, seconds=round(time.time() - start, 3))
    os.write(OUT, (json.dumps(answer) + "\n").encode())


for line in sys.stdin:
    asked = json.loads(line)
    run(asked["check"], asked["timeout"])
os._exit(0)
