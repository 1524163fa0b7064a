import geopandas
from shapely.geometry import box

squares = [box(x, y, x + 0.9, y + 0.9) for x in range(8) for y in range(5)]
frame = geopandas.GeoDataFrame({"value": range(len(squares))}, geometry=squares, crs=4326)
frame.plot(column="value", cmap="plasma", figsize=(6, 4));
