from ipyleaflet import CircleMarker, Map, TileLayer

map = Map(center=(47.4, 8.5), zoom=9, zoom_control=False, attribution_control=False, scroll_wheel_zoom=False,
          basemap=TileLayer(url="https://tiles.gauntlet.example/{z}/{x}/{y}.png"))
map.add(CircleMarker(location=(47.4, 8.5), radius=40, color="crimson", fill_opacity=0.6))
map.layout.width, map.layout.height = "600px", "400px"
map
