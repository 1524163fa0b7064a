package helm

import (
	"fmt"
	"slices"

	"helm.sh/helm/v4/pkg/chart/common/util"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"

	"gauntlet/internal/release"
)

// AllValues are the values that a chart's templates see: its own defaults and those
// of its subcharts, under what it is given.
func AllValues(tgz []byte, values release.Values) (release.Values, error) {
	ch, v, err := load(tgz, values)
	if err != nil {
		return nil, err
	}
	if err := chartutil.ProcessDependencies(ch, v); err != nil {
		return nil, fmt.Errorf("read the dependencies of chart %s: %w", ch.Name(), err)
	}
	all, err := util.CoalesceValues(ch, v)
	if err != nil {
		return nil, fmt.Errorf("merge the values of chart %s: %w", ch.Name(), err)
	}
	return release.Values(all), nil
}

// Find says where a packaged chart has its values of a chart of that name: an empty
// path for the chart itself, else the names of the dependencies that lead to it, by
// their aliases.
func Find(tgz []byte, name string) ([]release.Path, error) {
	ch, _, err := load(tgz, nil)
	if err != nil {
		return nil, err
	}
	return find(ch, name, nil), nil
}

func find(ch *chart.Chart, name string, at release.Path) []release.Path {
	if ch.Name() == name {
		return []release.Path{at}
	}
	below := map[string]*chart.Chart{}
	for _, d := range ch.Dependencies() {
		below[d.Name()] = d
	}
	var out []release.Path
	for _, d := range ch.Metadata.Dependencies {
		if d.Alias != "" {
			out = append(out, find(below[d.Name], name, append(slices.Clone(at), d.Alias))...)
			continue
		}
		out = append(out, find(below[d.Name], name, append(slices.Clone(at), d.Name))...)
	}
	// A chart may lie in charts/ without being named in Chart.yaml.
	for _, d := range ch.Dependencies() {
		if !slices.ContainsFunc(ch.Metadata.Dependencies, func(m *chart.Dependency) bool { return m.Name == d.Name() }) {
			out = append(out, find(d, name, append(slices.Clone(at), d.Name()))...)
		}
	}
	return out
}
