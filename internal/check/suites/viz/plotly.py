import numpy as np
import plotly.graph_objects

x = np.linspace(0, 10, 100)
figure = plotly.graph_objects.Figure(plotly.graph_objects.Scatter(x=x, y=np.sin(x), line={"width": 4}))
figure.update_layout(width=600, height=400, template="simple_white")
figure.show(config={"displayModeBar": False})
