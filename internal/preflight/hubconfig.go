package preflight

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// A hubConfig is what a JupyterHub of the release is configured with, in the form of
// zero-to-jupyterhub and of charts that follow it: a tree with the keys hub and
// singleuser.
type hubConfig struct {
	path string         // of the values, "" for the top
	next map[string]any // to come
	live map[string]any // what runs now, nil when that is not known
}

// hubConfigs finds them. What runs now is read from the object that the hub reads it
// from: a Secret or ConfigMap that holds the whole tree.
func hubConfigs(f *Facts) []hubConfig {
	var out []hubConfig
	for _, r := range hubRoots("", f.Values, 3) {
		out = append(out, hubConfig{path: r.path, next: r.value.(map[string]any)})
	}
	var docs []hubConfig
	for _, p := range f.Objects {
		next, live := documents(p.New), documents(p.Live)
		for _, k := range slices.Sorted(maps.Keys(next)) {
			if mapAt(next[k], "singleuser") != nil {
				docs = append(docs, hubConfig{next: next[k], live: live[k]})
			}
		}
	}
	if len(out) == 0 {
		return docs
	}
	// One hub a release is what there is; of several it cannot be told which is which.
	if len(out) == 1 && len(docs) == 1 {
		out[0].live = docs[0].live
	}
	return out
}

// hubRoots are the subtrees of values that configure a hub.
func hubRoots(path string, v map[string]any, depth int) []entry {
	if mapAt(v, "hub") != nil && mapAt(v, "singleuser") != nil {
		return []entry{{path, v}}
	}
	var out []entry
	if depth == 0 {
		return out
	}
	for _, k := range slices.Sorted(maps.Keys(v)) {
		if m, ok := v[k].(map[string]any); ok && k != "global" {
			out = append(out, hubRoots(below(path, k), m, depth-1)...)
		}
	}
	return out
}

// below is the path of a key.
func below(path string, keys ...string) string {
	for _, k := range keys {
		if path != "" {
			path += "."
		}
		path += k
	}
	return path
}

func item(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

// z2jh is the name of zero-to-jupyterhub's chart.
const z2jh = "jupyterhub"

// chartVersions are the versions of zero-to-jupyterhub that the hub is at and comes
// to; nil for a chart of another make, and for what is not known.
func (c hubConfig) chartVersions(f *Facts) (live, next *semver.Version) {
	for _, ch := range f.Charts {
		if ch.Name == z2jh && ch.Path == c.path {
			next = version(ch.Version)
		}
	}
	if next == nil {
		return nil, nil
	}
	if text(c.live, "Chart", "Name") == z2jh {
		live = version(text(c.live, "Chart", "Version"))
	}
	if live == nil && f.Helm.Chart.Name == z2jh {
		live = version(f.Helm.Chart.Version)
	}
	for _, p := range f.Objects { // every object of the chart bears its version
		for _, label := range []string{"helm.sh/chart", "chart"} {
			if v, ok := strings.CutPrefix(text(p.Live, "metadata", "labels", label), z2jh+"-"); ok && live == nil {
				live = version(v)
			}
		}
	}
	return live, next
}

// hubVersions are the versions of JupyterHub that run and come; nil when not known.
func (c hubConfig) hubVersions(f *Facts) (live, next *semver.Version) {
	liveChart, nextChart := c.chartVersions(f)
	live = version(f.LiveVersion)
	if live == nil && liveChart != nil {
		live = version(cmp.Or(text(c.live, "Chart", "AppVersion"), f.Helm.Chart.App))
		if live == nil {
			live = version(z2jhHubs[liveChart.Major()])
		}
	}
	if nextChart != nil && c.chartsOwnHub() {
		for _, ch := range f.Charts {
			if ch.Name == z2jh && ch.Path == c.path {
				next = version(ch.App)
			}
		}
		return live, next
	}
	if same := spec(at(c.next, "hub", "image")); same != "" && same == spec(at(c.live, "hub", "image")) {
		return live, live
	}
	// In another chart, or of an image of one's own, the tag may be the version, when it
	// is so of what runs now.
	was, is := version(text(c.live, "hub", "image", "tag")), version(text(c.next, "hub", "image", "tag"))
	if is != nil && was != nil && live != nil && core(was) == core(live) {
		next = is
	}
	return live, next
}

// chartsOwnHub says whether the hub runs the image that zero-to-jupyterhub brings, from
// whichever registry: of any other the chart does not know which JupyterHub is in it.
func (c hubConfig) chartsOwnHub() bool {
	image := text(c.next, "hub", "image", "name")
	return image == "" || image == "k8s-hub" || strings.HasSuffix(image, "/k8s-hub")
}

// z2jhHubs is the JupyterHub in the major versions of zero-to-jupyterhub that do not
// say it themselves.
var z2jhHubs = map[uint64]string{1: "1.4.0", 2: "3.0.0", 3: "4.0.2", 4: "5.2.1"}

var leadingVersion = regexp.MustCompile(`^v?\d+\.\d+(\.\d+)?`)

// version reads the version that a text begins with; nil for none.
func version(s string) *semver.Version {
	v, err := semver.NewVersion(leadingVersion.FindString(s))
	if err != nil {
		return nil
	}
	return v
}

func core(v *semver.Version) [3]uint64 { return [3]uint64{v.Major(), v.Minor(), v.Patch()} }
