import datashader
import numpy as np
import pandas as pd
from datashader import transfer_functions

random = np.random.RandomState(0)
points = pd.DataFrame({"x": random.normal(size=100_000), "y": random.normal(size=100_000)})
canvas = datashader.Canvas(plot_width=500, plot_height=400, x_range=(-3, 3), y_range=(-3, 3))
transfer_functions.shade(canvas.points(points, "x", "y"), cmap=["lightblue", "darkblue"])
