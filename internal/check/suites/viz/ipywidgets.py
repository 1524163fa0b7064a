import ipywidgets
import matplotlib.pyplot as plt
import numpy as np

slider = ipywidgets.IntSlider(value=1, min=1, max=8, description="waves", continuous_update=False)


def draw(waves):
    x = np.linspace(0, 2 * np.pi, 300)
    fig, ax = plt.subplots(figsize=(6, 3))
    ax.plot(x, np.sin(waves * x), lw=3)
    plt.show()


ipywidgets.VBox([slider, ipywidgets.interactive_output(draw, {"waves": slider})])
