package deploy

import "testing"

func TestDaskIsCountedByTheLabelsOfAllThreeFlavours(t *testing.T) {
	pods := []map[string]string{
		{"app": "dask", "component": "dask-worker", "dask.org/cluster-name": "dask-ada-1"}, // KubeCluster, scheduler in the notebook
		{"dask.org/cluster-name": "dask-ada-2", "dask.org/component": "worker"},
		{"dask.org/cluster-name": "op", "dask.org/component": "scheduler"}, // operator
		{"dask.org/cluster-name": "op", "dask.org/component": "worker"},
		{"dask.org/cluster-name": "op", "dask.org/component": "worker"},
		{"gateway.dask.org/instance": "gw", "gateway.dask.org/cluster": "g1", "app.kubernetes.io/component": "dask-scheduler"},
		{"gateway.dask.org/instance": "gw", "gateway.dask.org/cluster": "g1", "app.kubernetes.io/component": "dask-worker"},
		{"app": "jupyterhub", "component": "hub"},
		nil,
	}
	if got, want := daskOf(pods), (Dask{Clusters: 4, Workers: 5}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
