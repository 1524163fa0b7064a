# Dask's collections: graphs that spread over the workers.


@check("array")
def dask_array(clock):
    import dask.array as da
    import numpy as np

    x = da.arange(1_000_000, chunks=100_000)
    total = client.compute((x * 2).sum()).result(timeout=clock.left)
    same("the sum of a Dask array", int(total), 999_999 * 1_000_000)
    want = np.arange(10_000.0).reshape(100, 100)
    square = da.from_array(want, chunks=25)
    product = client.compute(square @ square.T).result(timeout=clock.left)
    if not np.allclose(product, want @ want.T):
        raise Problem("a product of Dask arrays differs from numpy's")
    return "a sum over 10 chunks and a product over 16"


@check("bag")
def dask_bag(clock):
    import dask.bag as db

    words = db.from_sequence(["wind", "tide", "wind", "ice"] * 25, npartitions=5)
    got = dict(client.compute(words.map(str.upper).filter(lambda w: w != "ICE").frequencies()).result(timeout=clock.left))
    same("words counted", got, {"WIND": 50, "TIDE": 25})
    return "100 words over 5 partitions"


@check("delayed")
def delayed_graph(clock):
    import dask

    @dask.delayed
    def add(a, b):
        return a + b

    layer = [add(i, 0) for i in range(32)]
    while len(layer) > 1:
        layer = [add(a, b) for a, b in zip(layer[::2], layer[1::2])]
    same("the sum of a tree", client.compute(layer[0]).result(timeout=clock.left), sum(range(32)))
    return "a tree of 63 tasks"


@check("dataframe")
def dask_dataframe(clock):
    try:
        import dask.dataframe as dd
    except ImportError as error:
        raise Warned(f"dask.dataframe cannot be used in the notebook: {error}")
    import pandas as pd

    frame = pd.DataFrame({"key": list("abcd") * 250, "value": range(1000)})
    grouped = dd.from_pandas(frame, npartitions=5).groupby("key")["value"].sum()
    got = client.compute(grouped).result(timeout=clock.left)
    same("sums by group", {k: int(v) for k, v in got.items()}, {k: int(v) for k, v in frame.groupby("key")["value"].sum().items()})
    return "a groupby over 5 partitions"


@check("persist")
def persist(clock):
    import dask.array as da
    from distributed import wait

    kept = client.persist(da.ones((200, 200), chunks=50) * 3)
    wait(kept, timeout=clock.left)
    first = client.compute(kept.sum()).result(timeout=clock.left)
    second = client.compute(kept.mean()).result(timeout=clock.left)
    same("what was kept", (float(first), float(second)), (120_000.0, 3.0))
    return "16 chunks kept on the workers and used twice"


@check("rechunk")
def rechunk(clock):
    import dask.array as da
    import numpy as np

    want = np.arange(40_000.0).reshape(200, 200)
    turned = da.from_array(want, chunks=(50, 200)).rechunk((200, 50))
    got = client.compute((turned + 1).sum(axis=0)).result(timeout=clock.left)
    if not np.array_equal(got, (want + 1).sum(axis=0)):
        raise Problem("sums after a rechunk differ from numpy's")
    return "rows became columns: every chunk crossed between workers"


@check("shuffle")
def shuffle(clock):
    try:
        import dask.dataframe as dd
    except ImportError as error:
        raise Warned(f"dask.dataframe cannot be used in the notebook: {error}")
    import pandas as pd

    frame = pd.DataFrame({"key": [i * 37 % 1000 for i in range(1000)], "value": range(1000)})
    shuffled = dd.from_pandas(frame, npartitions=4).set_index("key")
    got = client.compute(shuffled).result(timeout=clock.left)
    want = frame.set_index("key").sort_index()
    same("keys after a shuffle", list(got.index), list(want.index))
    same("values after a shuffle", list(got["value"]), list(want["value"]))
    return "1000 rows sorted into 4 partitions, between workers"
