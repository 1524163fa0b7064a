import matplotlib.pyplot as plt
import numpy as np

x = np.linspace(0, 10, 300)
fig, ax = plt.subplots(figsize=(6, 4))
ax.plot(x, np.sin(x), lw=3)
ax.fill_between(x, 0, np.sin(x), alpha=0.3)
ax.imshow(np.linspace(0, 1, 100).reshape(1, -1), extent=(0, 10, -1.6, -1.3), aspect="auto", cmap="viridis")
ax.set_ylim(-1.7, 1.2)
plt.show()
