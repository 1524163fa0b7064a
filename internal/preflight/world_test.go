package preflight

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"gauntlet/internal/plan"
)

var now = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// tree is what a text of YAML holds.
func tree(t testing.TB, text string) map[string]any {
	t.Helper()
	var m map[string]any
	if err := yaml.Unmarshal([]byte(text), &m); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return m
}

// into reads YAML into a list of API objects.
func into[T any](t testing.TB, text string) []T {
	t.Helper()
	var out []T
	if err := yaml.UnmarshalStrict([]byte(text), &out); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return out
}

// objects are pairs of what is live and what comes, from documents that are parted by
// ---; a document that begins with "live:" is what is there, and what follows it is
// the same object to come.
func objects(t testing.TB, text string) []plan.Pair {
	t.Helper()
	var out []plan.Pair
	var live plan.Object
	for doc := range strings.SplitSeq(text, "---\n") {
		if rest, ok := strings.CutPrefix(doc, "live:\n"); ok {
			live = tree(t, rest)
			continue
		}
		o := tree(t, doc)
		out = append(out, plan.Pair{Live: live, New: o, Once: o, Again: o})
		live = nil
	}
	return out
}

// a zero-to-jupyterhub of a version, with the values of its hub.
func z2jhOf(t testing.TB, live, next, values string) *Facts {
	t.Helper()
	hubs := map[string]string{"1.2.0": "1.5.0", "2.0.0": "3.0.0", "3.3.8": "4.1.6", "4.0.0": "5.2.1", "4.2.0": "5.3.0"}
	f := &Facts{
		Hub: "compute", Cluster: "production", Namespace: "compute", Release: "compute", Now: now,
		Charts: []Chart{{Name: z2jh, Version: next, App: hubs[next]}},
		Values: tree(t, "hub: {}\nsingleuser: {}\n"),
	}
	if values != "" {
		f.Values = tree(t, values)
	}
	if live != "" {
		f.Helm = Record{Revision: 3, Status: "deployed", Ours: true, Chart: Chart{Name: z2jh, Version: live, App: hubs[live]}}
	}
	return f
}

// says compares findings, a line each: "severity code object: cause".
func says(t *testing.T, f *Facts, want string) {
	t.Helper()
	var lines []string
	for _, found := range Judge(f, nil) {
		lines = append(lines, string(found.Severity)+" "+found.Code+" "+found.told())
	}
	if diff := cmp.Diff(strings.TrimSpace(want), strings.Join(lines, "\n")); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
