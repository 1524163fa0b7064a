import numpy as np
from bokeh.io import output_notebook, show
from bokeh.plotting import figure
from bokeh.resources import INLINE

output_notebook(resources=INLINE, hide_banner=True)
plot = figure(width=600, height=400, toolbar_location=None)
x = np.linspace(0, 10, 60)
plot.line(x, np.cos(x), line_width=4, color="firebrick")
plot.scatter(x, np.sin(x), size=10, color="navy", alpha=0.6)
show(plot)
