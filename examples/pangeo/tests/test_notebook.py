"""What this team's users count on in the notebook. Runs in every image test."""

import os
import pathlib

import geopandas
import pandas
import shapely


def test_areas_of_buffers():
    points = geopandas.GeoSeries([shapely.Point(x, 0) for x in range(100)], crs="EPSG:3857")
    assert abs(points.buffer(1).area.sum() - 100 * 3.1365) < 0.1


def test_parquet_is_read_back(tmp_path):
    frame = pandas.DataFrame({"place": ["Föhr", "Sylt"], "level": [1.5, None]})
    frame.to_parquet(tmp_path / "levels.parquet")
    pandas.testing.assert_frame_equal(pandas.read_parquet(tmp_path / "levels.parquet"), frame)


def test_home_can_be_written():
    path = pathlib.Path.home() / ".gauntlet-test"
    path.write_text("x")
    path.unlink()
    assert os.getuid() != 0
