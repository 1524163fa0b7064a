package preflight

import "github.com/Masterminds/semver/v3"

// HubVersions are the versions of JupyterHub that a chart brings up with these values
// (the whole ones, as templates see them), as far as chart and values say: the one in
// zero-to-jupyterhub's own image, or the one that the tag of another image begins with.
func HubVersions(charts []Chart, values map[string]any) []*semver.Version {
	f := &Facts{Charts: charts, Values: values}
	var out []*semver.Version
	for _, c := range hubConfigs(f) {
		_, next := c.hubVersions(f)
		if next == nil {
			next = version(text(c.next, "hub", "image", "tag"))
		}
		if next != nil {
			out = append(out, next)
		}
	}
	return out
}
