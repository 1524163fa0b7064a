"""How many times faster geopandas is than a plain loop over the same geometries. Both are
taken at their best of three, one after the other."""

import json
import time

import geopandas
import numpy as np
from shapely.geometry import Point, box


def best(function):
    times = []
    for _ in range(3):
        begun = time.perf_counter()
        function()
        times.append(time.perf_counter() - begun)
    return min(times)


rng = np.random.RandomState(0)
xs, ys = rng.uniform(0, 100, (2, 3000))
points = geopandas.GeoSeries([Point(x, y) for x, y in zip(xs, ys)])
shapes = list(points)
square = box(20, 20, 80, 80)
cells = geopandas.GeoSeries([Point(x, y).buffer(3, 4) for x, y in rng.uniform(0, 100, (60, 2))])
left, right = geopandas.GeoDataFrame(geometry=points[:1000]), geopandas.GeoDataFrame(geometry=cells)

pairs = {
    "within": (lambda: points.within(square), lambda: [p.within(square) for p in shapes]),
    "distance": (lambda: points.distance(shapes[0]), lambda: [p.distance(shapes[0]) for p in shapes]),
    "buffer": (lambda: points.buffer(1, 1), lambda: [p.buffer(1, 1) for p in shapes]),
    "spatial join": (lambda: geopandas.sjoin(left, right), lambda: [(i, j) for i, p in enumerate(shapes[:1000]) for j, c in enumerate(cells) if p.intersects(c)]),
}
for fast, slow in pairs.values():
    fast()
print(json.dumps({name: best(slow) / best(fast) for name, (fast, slow) in pairs.items()}))
