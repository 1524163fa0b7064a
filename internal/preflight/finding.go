// Package preflight looks, before a hub is touched, for what would make its
// deployment fail or hurt its users. Package gather collects the facts; here they
// are judged, without I/O.
//
// What facts and findings quote comes from charts, clusters and registries: it is
// untrusted, one bounded line each, and never a secret.
package preflight

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"gauntlet/internal/preflight/codes"
)

// A Finding is one thing that was found.
type Finding struct {
	Code     string         `json:"code"`
	Severity codes.Severity `json:"severity"`
	Object   string         `json:"object,omitempty"` // "Deployment/hub", an image, the path of a value
	Cause    string         `json:"cause"`
	Fix      string         `json:"fix,omitempty"`
	Set      bool           `json:"set,omitempty"` // gauntlet.yaml has changed its severity
}

// String is the finding in one line, without its fix.
func (f Finding) String() string { return f.Code + ": " + f.told() }

// told is the finding without its code.
func (f Finding) told() string {
	if f.Object == "" {
		return f.Cause
	}
	return f.Object + ": " + f.Cause
}

// checks are all there are; each is pure.
var checks = []func(*Facts) []Finding{
	manifests, helmRecord,
	images, pullSecrets, unlistedChoices,
	placing, nodes, pullHook,
	database, singleuserVersion, singleuserCommand,
	rollingVolumes, slugScheme, usernames, claimTemplate,
	regenerated, cutOff, networkPolicies,
	allowed, leaked,
	values, unseen,
}

// Judge says what the facts mean for a deployment, the errors first. severities are
// those of gauntlet.yaml, by code.
func Judge(f *Facts, severities map[string]codes.Severity) []Finding {
	var out []Finding
	for _, check := range checks {
		for _, found := range check(f) {
			if found, told := weigh(found, severities); told && !slices.Contains(out, found) {
				out = append(out, found)
			}
		}
	}
	rank := map[string]int{}
	for i, c := range codes.All {
		rank[c.Name] = i
	}
	slices.SortStableFunc(out, func(a, b Finding) int {
		return cmp.Or(strings.Compare(string(a.Severity), string(b.Severity)), cmp.Compare(rank[a.Code], rank[b.Code]))
	})
	return out
}

// weigh gives a finding its severity: what its check says, else what its code does,
// and over both what gauntlet.yaml says.
func weigh(f Finding, severities map[string]codes.Severity) (_ Finding, told bool) {
	code, ok := codes.Find(f.Code)
	if !ok {
		panic("preflight: no code " + f.Code)
	}
	f.Severity = cmp.Or(f.Severity, code.Severity)
	set, ok := severities[f.Code]
	if !ok || code.Fixed && set != codes.Error {
		return f, true
	}
	f.Set = set != f.Severity
	f.Severity = set
	return f, set != codes.Off
}

// Errors are the findings that stop a deployment.
func Errors(found []Finding) []Finding { return only(found, codes.Error) }

// Warnings are those that do not.
func Warnings(found []Finding) []Finding { return only(found, codes.Warning) }

func only(found []Finding, s codes.Severity) []Finding {
	var out []Finding
	for _, f := range found {
		if f.Severity == s {
			out = append(out, f)
		}
	}
	return out
}

// few lists names for people: the first ones and how many more there are.
func few(names []string) string {
	const most = 5
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
