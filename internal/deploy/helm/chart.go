package helm

import (
	"fmt"

	chartutil "helm.sh/helm/v4/pkg/chart/common/util"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/util"

	"gauntlet/internal/release"
)

// A Chart is a chart of a release: the one that is deployed, or a subchart of it.
type Chart struct {
	Path    string // value path of a subchart, "" for the chart itself
	Name    string
	Version string
	App     string // appVersion
}

// Charts are the charts that these values switch on, the main one first, and the
// values as templates see them: over the charts' own.
func Charts(tgz []byte, values release.Values) ([]Chart, map[string]any, error) {
	ch, vals, err := load(tgz, values)
	if err != nil {
		return nil, nil, err
	}
	if err := util.ProcessDependencies(ch, vals); err != nil {
		return nil, nil, fmt.Errorf("read the subcharts of %s: %w", ch.Name(), err)
	}
	whole, err := chartutil.CoalesceValues(ch, vals)
	if err != nil {
		return nil, nil, fmt.Errorf("lay the values over those of chart %s: %w", ch.Name(), err)
	}
	var out []Chart
	var add func(path, name string, c *chart.Chart)
	add = func(path, name string, c *chart.Chart) {
		out = append(out, Chart{Path: path, Name: name, Version: c.Metadata.Version, App: c.Metadata.AppVersion})
		for _, d := range c.Dependencies() {
			at, name := d.Name(), d.Name()
			for _, req := range c.Metadata.Dependencies {
				if req != nil && req.Alias == name { // helm renames the chart after its alias
					name = req.Name
				}
			}
			if path != "" {
				at = path + "." + at
			}
			add(at, name, d)
		}
	}
	add("", ch.Name(), ch)
	return out, whole, nil
}

// Chart is the chart that the revision was made of; subcharts are not kept.
func (r Record) Chart() Chart {
	if r.release == nil || r.release.Chart == nil || r.release.Chart.Metadata == nil {
		return Chart{}
	}
	m := r.release.Chart.Metadata
	return Chart{Name: m.Name, Version: m.Version, App: m.AppVersion}
}
