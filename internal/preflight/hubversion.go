package preflight

import "github.com/Masterminds/semver/v3"

// HubVersions are the versions of JupyterHub that a chart brings up with these values
// (the whole ones, as templates see them), as far as the chart says: the one in
// zero-to-jupyterhub's own image. The tag of another image may look like a version, and
// be its team's own.
func HubVersions(charts []Chart, values map[string]any) []*semver.Version {
	f := &Facts{Charts: charts, Values: values}
	var out []*semver.Version
	for _, c := range hubConfigs(f) {
		if _, next := c.hubVersions(f); next != nil {
			out = append(out, next)
		}
	}
	return out
}
