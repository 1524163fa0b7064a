package pair

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gauntlet/internal/check"
	"gauntlet/internal/config"
	"gauntlet/internal/packages"
)

// align compares what notebook and worker hold, as the registry tells: a pair that
// cannot work is found before a pod starts. The Pythons that the two PATHs lead to
// must agree, wherever they are, and so must any other environment that both have in
// the same place: users' kernels may run in it.
func (m *match) align(ctx context.Context) (string, error) {
	if m.Notebook == m.Worker {
		return "both are one image", nil
	}
	if m.Images.Alignment.Off() {
		return "", check.Warning{Message: "images.alignment ignores every package: nothing was compared"}
	}
	var lists [2]packages.List
	var runs [2]packages.Environment
	for i, name := range []string{m.Notebook, m.Worker} {
		var err error
		if lists[i], err = m.Inspector.Packages(ctx, m.Refs[name]); err != nil {
			return "", err
		}
		paths, err := m.Inspector.Path(ctx, m.Refs[name])
		if err != nil {
			return "", err
		}
		var ok bool
		if runs[i], ok = packages.OnPath(lists[i], paths); !ok {
			return "", check.Warning{Message: fmt.Sprintf("the registry tells of no Python that the PATH of %s leads to: nothing was compared before the pods start", name)}
		}
	}
	return compareEnvironments(lists, runs, m.Images.Alignment)
}

// compareEnvironments is align without the registry: lists and the environments that
// run, notebook first.
func compareEnvironments(lists [2]packages.List, runs [2]packages.Environment, rules config.Alignment) (string, error) {
	pairs := [][2]packages.Environment{runs}
	for _, n := range lists[0] {
		i := slices.IndexFunc(lists[1], func(w packages.Environment) bool { return w.Path == n.Path && w.Kind == n.Kind })
		if n.Kind != packages.Debian && i >= 0 && (n.Path != runs[0].Path || n.Kind != runs[0].Kind) && share(n, lists[1][i]) {
			pairs = append(pairs, [2]packages.Environment{n, lists[1][i]})
		}
	}
	var faults, oddities, fine []string
	for _, p := range pairs {
		where := p[0].Path
		if p[1].Path != where {
			where += " / " + p[1].Path
		}
		said, err := compare(p[0], p[1], rules)
		var w check.Warning
		switch {
		case errors.As(err, &w):
			oddities = append(oddities, where+": "+w.Message)
		case err != nil:
			faults = append(faults, where+": "+err.Error())
		default:
			fine = append(fine, where+": "+said)
		}
	}
	switch {
	case len(faults) > 0:
		return "", errors.New(strings.Join(faults, "; "))
	case len(oddities) > 0:
		return "", check.Warning{Message: strings.Join(oddities, "; ")}
	}
	return strings.Join(fine, "; "), nil
}

// share says whether two environments have a package in common. Without one there is
// nothing to compare, and no fault where nothing has to run.
func share(a, b packages.Environment) bool {
	for name := range a.Packages {
		if _, ok := b.Packages[name]; ok {
			return true
		}
	}
	return false
}

// crossing are packages whose objects or messages cross between notebook and worker:
// other versions on the other side are fatal unless images.alignment says otherwise.
var crossing = []string{
	"dask", "distributed", "dask-expr", "cloudpickle", "msgpack", "tornado", "toolz", "lz4", "blosc", "zstandard", "python-snappy",
	"numpy", "pandas", "pyarrow", "scipy", "numba", "xarray", "zarr", "numcodecs", "netcdf4", "h5netcdf", "fsspec", "gcsfs", "s3fs", "adlfs",
	"geopandas", "shapely", "pyproj", "rasterio", "dask-geopandas", "dask-ml", "scikit-learn", "sparse",
}

// ruleOf is what another version of a package on the other side means.
func ruleOf(rules config.Alignment, name string) config.Rule {
	if r, ok := rules[name]; ok {
		return r
	}
	if r, ok := rules[config.AnyPackage]; ok {
		return r
	}
	if name == pythonName || slices.Contains(crossing, name) {
		return config.Fatal
	}
	return config.Warn
}

// pythonName is how images.alignment calls Python itself.
const pythonName = "python"

// compare compares two environments by the rules. A package that crosses and that
// only one side has is named in a warning.
func compare(notebook, worker packages.Environment, rules config.Alignment) (string, error) {
	var faults, oddities []string
	add := func(rule config.Rule, said string) {
		switch rule {
		case config.Fatal:
			faults = append(faults, said)
		case config.Warn:
			oddities = append(oddities, said)
		}
	}
	if n, w := notebook.Python, worker.Python; n != "" && w != "" && n != w {
		rule := ruleOf(rules, pythonName)
		if minor(n) == minor(w) && rule == config.Fatal {
			rule = config.Warn // another patch level
		}
		add(rule, fmt.Sprintf("Python %s / %s", n, w))
		if rule == config.Fatal { // every package differs then, and none is the cause
			return "", fmt.Errorf("the notebook has Python %s, the worker Python %s: functions cannot cross between them; build both on the same base", n, w)
		}
	}
	both := 0
	only := [2][]string{} // packages that the notebook or the worker alone has
	for name, v := range notebook.Packages {
		other, ok := worker.Packages[name]
		switch {
		case !ok:
			only[0] = append(only[0], name)
		case other == v:
			both++
		default:
			add(ruleOf(rules, name), fmt.Sprintf("%s %s / %s", name, v, other))
		}
	}
	for name := range worker.Packages {
		if _, ok := notebook.Packages[name]; !ok {
			only[1] = append(only[1], name)
		}
	}
	slices.Sort(faults)
	slices.Sort(oddities)
	if len(faults) > 0 {
		return "", fmt.Errorf("versions differ (notebook / worker): %s", short(faults))
	}
	for i, where := range []string{"the notebook only", "the worker only"} {
		slices.Sort(only[i])
		crosses := slices.DeleteFunc(slices.Clone(only[i]), func(name string) bool {
			return !slices.Contains(crossing, name) || ruleOf(rules, name) == config.Ignore
		})
		if len(crosses) > 0 {
			oddities = append(oddities, fmt.Sprintf("in %s: %s", where, short(crosses)))
		}
	}
	if len(oddities) > 0 {
		return "", check.Warning{Message: "differences (notebook / worker): " + short(oddities)}
	}
	if both == 0 {
		return "", errors.New("the images have no package in common: nothing was compared")
	}
	said := fmt.Sprintf("Python %s, %d packages in both, all in the same versions", notebook.Python, both)
	for i, where := range []string{"the notebook only", "the worker only"} {
		if len(only[i]) > 0 {
			said += fmt.Sprintf("; in %s: %s", where, short(only[i]))
		}
	}
	return said, nil
}

// minor is a Python's version without its patch level.
func minor(version string) string {
	parts := strings.SplitN(version, ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
}

// short lists the first of many.
func short(list []string) string {
	const most = 8
	if len(list) <= most {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
}
