"""What this team's users do on workers. Runs in every pairing: Client() finds the
scheduler of the pair that is tested."""

import pytest
from distributed import Client


@pytest.fixture(scope="module")
def client():
    with Client(timeout=30) as client:
        yield client


def test_levels_by_month(client):
    import numpy
    import pandas
    import xarray

    time = pandas.date_range("2025-01-01", periods=365)
    levels = xarray.DataArray(numpy.arange(365.0), coords={"time": time}, dims="time").chunk(time=73)
    got = client.compute(levels.groupby("time.month").mean()).result(timeout=60)
    assert got.sizes["month"] == 12 and float(got[0]) == 15.0


def test_a_worker_knows_the_coordinates(client):
    def there(x, y):
        import geopandas

        point = geopandas.GeoSeries.from_xy([x], [y], crs="EPSG:4326").to_crs("EPSG:3857")
        return float(point.x.iloc[0])

    assert abs(client.submit(there, 180.0, 0.0).result(timeout=60) - 20037508.34) < 1
