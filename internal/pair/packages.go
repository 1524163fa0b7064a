package pair

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gauntlet/internal/check"
)

// factsMark begins the line that boot.py prints.
const factsMark = "gauntlet-facts "

// Facts are what an image holds.
type facts struct {
	Python   string            `json:"python"`   // "3.11.2"
	Packages map[string]string `json:"packages"` // normalised name to version
}

// shared are packages whose objects or messages cross between notebook and
// worker: other versions on the other side are a fault.
var shared = []string{
	"dask", "distributed", "dask-expr", "cloudpickle", "msgpack", "tornado", "toolz", "lz4", "blosc", "zstandard", "python-snappy",
	"numpy", "pandas", "pyarrow", "scipy", "numba", "xarray", "zarr", "numcodecs", "netcdf4", "h5netcdf", "fsspec", "gcsfs", "s3fs", "adlfs",
	"geopandas", "shapely", "pyproj", "rasterio", "dask-geopandas", "dask-ml", "scikit-learn", "sparse",
}

// facts reads the line that a pod's boot script printed.
func (m *match) facts(ctx context.Context, pod string) (facts, error) {
	line, err := m.Client.FindLog(ctx, m.bench.Namespace, pod, "", factsMark)
	if err != nil {
		return facts{}, err
	}
	return parseFacts(line)
}

func parseFacts(line string) (facts, error) {
	var f facts
	if err := json.Unmarshal([]byte(line), &f); err != nil {
		return f, fmt.Errorf("read what the image holds: %w", err)
	}
	if f.Python == "" || len(f.Packages) == 0 {
		return f, errors.New("the image told no Python version or no packages")
	}
	return f, nil
}

func (m *match) bothFacts(ctx context.Context) (notebook, worker facts, err error) {
	if notebook, err = m.facts(ctx, m.notebook); err != nil {
		return notebook, worker, fmt.Errorf("notebook: %w", err)
	}
	if worker, err = m.facts(ctx, m.workers[0]); err != nil {
		return notebook, worker, fmt.Errorf("worker: %w", err)
	}
	return notebook, worker, nil
}

func (m *match) samePython(ctx context.Context) (string, error) {
	n, w, err := m.bothFacts(ctx)
	if err != nil {
		return "", err
	}
	return comparePython(n.Python, w.Python)
}

func (m *match) packagesAgree(ctx context.Context) (string, error) {
	n, w, err := m.bothFacts(ctx)
	if err != nil {
		return "", err
	}
	return comparePackages(n.Packages, w.Packages)
}

// comparePython fails for another minor version: functions do not cross between
// them. Another patch level is a warning.
func comparePython(notebook, worker string) (string, error) {
	minor := func(v string) string {
		parts := strings.SplitN(v, ".", 3)
		return strings.Join(parts[:min(2, len(parts))], ".")
	}
	switch {
	case minor(notebook) != minor(worker):
		return "", fmt.Errorf("the notebook has Python %s, the worker Python %s: functions cannot cross between them; build both on the same base", notebook, worker)
	case notebook != worker:
		return "", check.Warning{Message: fmt.Sprintf("the notebook has Python %s, the worker Python %s", notebook, worker)}
	}
	return "Python " + notebook, nil
}

// comparePackages fails when a package whose objects cross has another version on
// the other side; any other difference between packages that both have is a
// warning, and so is a shared package that only the notebook has.
func comparePackages(notebook, worker map[string]string) (string, error) {
	var faults, oddities []string
	both := 0
	for name, v := range notebook {
		other, ok := worker[name]
		switch {
		case !ok && slices.Contains(shared, name):
			oddities = append(oddities, name+" is in the notebook only")
		case !ok:
		case other == v:
			both++
		case slices.Contains(shared, name):
			faults = append(faults, fmt.Sprintf("%s %s / %s", name, v, other))
		default:
			oddities = append(oddities, fmt.Sprintf("%s %s / %s", name, v, other))
		}
	}
	slices.Sort(faults)
	slices.Sort(oddities)
	if len(faults) > 0 {
		return "", fmt.Errorf("versions differ (notebook / worker): %s", short(faults))
	}
	if len(oddities) > 0 {
		return "", check.Warning{Message: "differences (notebook / worker): " + short(oddities)}
	}
	if both == 0 {
		return "", errors.New("the images have no package in common: nothing was compared")
	}
	return fmt.Sprintf("%d packages are in both, all in the same versions", both), nil
}

// short lists the first of many.
func short(list []string) string {
	const most = 8
	if len(list) <= most {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
}
