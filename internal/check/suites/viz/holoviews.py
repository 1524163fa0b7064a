import holoviews
import numpy as np

holoviews.extension("bokeh", inline=True, logo=False)
x = np.linspace(0, 10, 100)
image = holoviews.Image(np.outer(np.sin(x), np.cos(x))).opts(cmap="viridis", width=500, height=400, toolbar=None)
image
