"""How long heavy libraries take to be imported, in seconds: each in a process of its own,
the better of two, since the first reads files from a disk that may be cold."""

import importlib.util
import json
import subprocess
import sys

CODE = "import time; begun = time.perf_counter(); import {}; print(time.perf_counter() - begun)"


def seconds(module):
    return min(float(subprocess.run([sys.executable, "-c", CODE.format(module)], check=True, capture_output=True, text=True).stdout) for _ in range(2))


modules = ["numpy", "pandas", "xarray", "dask.dataframe", "distributed", "geopandas", "matplotlib.pyplot", "holoviews", "datashader"]
print(json.dumps({m: seconds(m) for m in modules if importlib.util.find_spec(m.split(".")[0])}))
