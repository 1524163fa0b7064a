# Data that crosses: contents are compared on both sides.


@check("numpy")
def numpy_arrays(clock):
    import numpy as np

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
        sent = client.scatter(array, timeout=clock.left)
        back, described, text = send(lambda a: (a, f"{a.dtype.str} {a.shape}", repr(a.tolist())), sent).result(timeout=clock.left)
        same(f"{what} as the worker sees it", described, f"{array.dtype.str} {array.shape}")
        same(f"content of {what} on the worker", text, repr(array.tolist()))
        same(f"content of {what} back in the notebook", repr(back.tolist()), repr(array.tolist()))
    return f"{len(arrays)} kinds of array, contents compared on both sides"


@check("pandas")
def pandas_frames(clock):
    import numpy as np
    import pandas as pd

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

    sent = client.scatter(frame, timeout=clock.left)
    back, types, total, text = send(work, sent).result(timeout=clock.left)
    same("column types on the worker", types, repr([str(t) for t in frame.dtypes]))
    same("a sum on the worker", total, float(frame["float"].sum()))
    same("text on the worker", text, "".join(frame["text"].head(20)))
    pd.testing.assert_frame_equal(back.drop(columns="twice"), frame)
    same("a new column", int(back["twice"].sum()), int(frame["int"].sum()) * 2)
    return "1000 rows of numbers, text, categories and times, compared on both sides"


@check("arrow")
def arrow_tables(clock):
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({
        "number": pa.array([1, None, 3], pa.int32()), "text": ["a", "häß", None], "list": [[1, 2], [], None],
        "kind": pa.array(["x", "y", "x"]).dictionary_encode(), "time": pa.array([0, 1, 2], pa.timestamp("us", tz="UTC")),
    })
    written = io.BytesIO()
    pq.write_table(table, written)

    def work(t, parquet):
        import io

        import pyarrow.parquet as pq

        out = io.BytesIO()
        pq.write_table(t, out)
        return str(t.schema), pq.read_table(io.BytesIO(parquet)).to_pylist(), t, out.getvalue()

    schema, rows, back, theirs = send(work, table, written.getvalue()).result(timeout=clock.left)
    same("the schema on the worker", schema, str(table.schema))
    same("rows of the notebook's Parquet file on the worker", rows, table.to_pylist())
    same("rows of the table back in the notebook", back.to_pylist(), table.to_pylist())
    same("rows of the worker's Parquet file in the notebook", pq.read_table(io.BytesIO(theirs)).to_pylist(), table.to_pylist())
    return "a table both ways, and a Parquet file of each side read on the other"


@check("xarray")
def xarray_task(clock):
    import numpy as np
    import xarray as xr

    values = np.arange(24.0 * 36).reshape(24, 36)
    array = xr.DataArray(values, dims=("time", "place"), coords={"time": np.arange(24)}, name="v", attrs={"units": "m"})
    mean = client.compute(array.chunk({"time": 6}).mean("time")).result(timeout=clock.left)
    if not np.allclose(mean.values, values.mean(axis=0)):
        raise Problem("a mean over time differs from numpy's")
    got = send(lambda a: a.sel(time=3, drop=False) + 1, array).result(timeout=clock.left)
    if not np.array_equal(got.values, values[3] + 1):
        raise Problem("a selection made on the worker differs")
    same("the coordinate that came back", int(got.time), 3)
    dataset = xr.Dataset({"v": array, "w": array * 2})
    groups = client.compute(dataset.chunk({"place": 12}).groupby(dataset.time // 12).mean()).result(timeout=clock.left)
    same("a mean by group", float(groups.w.sum()), float(dataset.groupby(dataset.time // 12).mean().w.sum()))
    return "a mean over 4 chunks, a selection and a mean by group"


@check("zarr")
def zarr_stores(clock):
    import tempfile

    import numpy as np
    import zarr

    values = np.arange(10_000.0).reshape(100, 100)

    def write(scale):
        import os, tempfile

        import numpy as np
        import zarr

        with tempfile.TemporaryDirectory() as folder:
            array = zarr.open(folder, mode="w", shape=(100, 100), chunks=(25, 50), dtype="f8")
            array[:] = np.arange(10_000.0).reshape(100, 100) * scale
            array.attrs["scale"] = scale
            found = {}
            for top, _, names in os.walk(folder):
                for name in names:
                    path = os.path.join(top, name)
                    with open(path, "rb") as f:
                        found[os.path.relpath(path, folder)] = f.read()
            return found

    def read(files):
        import os, tempfile

        import zarr

        with tempfile.TemporaryDirectory() as folder:
            for name, data in files.items():
                path = os.path.join(folder, name)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with open(path, "wb") as f:
                    f.write(data)
            array = zarr.open(folder, mode="r")
            return float(array[:].sum()), array.attrs["scale"]

    same("the notebook's store on the worker", send(read, write(2)).result(timeout=clock.left), (float(values.sum() * 2), 2))
    same("the worker's store in the notebook", read(send(write, 3).result(timeout=clock.left)), (float(values.sum() * 3), 3))
    return f"a store of each side read on the other, zarr {zarr.__version__}"


@check("sparse")
def sparse_arrays(clock):
    import dask.array as da
    import numpy as np
    import sparse

    dense = np.where(np.arange(10_000) % 97 == 0, 1.5, 0).reshape(100, 100)
    back, stored = send(lambda a: (a * 2, int(a.nnz)), sparse.COO.from_numpy(dense)).result(timeout=clock.left)
    same("stored values on the worker", stored, int(np.count_nonzero(dense)))
    same("the sum back in the notebook", float(back.sum()), float(dense.sum() * 2))
    chunked = da.from_array(dense, chunks=25).map_blocks(sparse.COO)
    total = client.compute(chunked.sum()).result(timeout=clock.left)
    # Of sparse chunks the sum is sparse as well.
    same("a sum over sparse chunks", float(getattr(total, "todense", lambda: total)()), float(dense.sum()))
    return "an array both ways and a sum over 16 sparse chunks"


@check("geopandas")
def geopandas_task(clock):
    import geopandas as gpd

    def areas(points):
        import geopandas as there

        series = there.GeoSeries.from_xy([p[0] for p in points], [p[1] for p in points], crs="EPSG:3857")
        return there.GeoDataFrame({"area": series.buffer(2.0).area}, geometry=series)

    points = [(float(i), float(-i)) for i in range(50)]
    want = areas(points)
    got = send(areas, points).result(timeout=clock.left)
    if not isinstance(got, gpd.GeoDataFrame):
        raise Problem(f"a GeoDataFrame came back as {type(got).__name__}")
    if abs(got["area"].sum() - want["area"].sum()) > 1e-6 or not 12.4 < got["area"].iloc[0] < 12.6:
        raise Problem(f"areas of buffers differ: {got['area'].sum()} on the worker, {want['area'].sum()} in the notebook")
    if not got.geometry.geom_equals(want.geometry).all():
        raise Problem("the points came back changed")
    same("the coordinate system", str(got.crs), str(want.crs))
    sent = send(lambda f: float(f.to_crs(4326).geometry.x.iloc[1] * 1e6) // 1, want).result(timeout=clock.left)
    same("a longitude after a change of coordinates on the worker", sent, float(want.to_crs(4326).geometry.x.iloc[1] * 1e6) // 1)
    return "50 points, their buffers and areas, a change of coordinates"


@check("arguments")
def arguments(clock):
    import hashlib

    data = os.urandom(20 << 20)
    want = hashlib.sha256(data).hexdigest()
    got = send(lambda d: (len(d), __import__("hashlib").sha256(d).hexdigest()), data).result(timeout=clock.left)
    same("20 MB given to a task", got, (len(data), want))
    # What compresses well is sent compressed, by a library that both must have.
    text = b"the same line again\n" * (1 << 20)
    got = send(lambda d: (len(d), __import__("hashlib").sha256(d).hexdigest()), text).result(timeout=clock.left)
    same("20 MB that compress well", got, (len(text), hashlib.sha256(text).hexdigest()))
    return "20 MB of noise and 20 MB of text to a worker, compared"


@check("results")
def results(clock):
    import hashlib

    seed = b"gauntlet"
    make = lambda s: __import__("hashlib").sha256(s).digest() * (20 << 15)
    got = send(make, seed).result(timeout=clock.left)
    same("20 MB from a worker", hashlib.sha256(got).hexdigest(), hashlib.sha256(make(seed)).hexdigest())
    return f"{len(got) >> 20} MB from a worker, compared"
