import folium

map = folium.Map(location=[47.4, 8.5], zoom_start=9, width=600, height=400, zoom_control=False,
                 tiles="https://tiles.gauntlet.example/{z}/{x}/{y}.png", attr="tiles of the test")
folium.CircleMarker([47.4, 8.5], radius=40, color="crimson", fill=True, fill_opacity=0.6).add_to(map)
map
