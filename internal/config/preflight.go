package config

import (
	"fmt"
	"maps"
	"slices"

	"gauntlet/internal/lint"
	"gauntlet/internal/preflight/codes"
)

// Preflight says how what preflight finds is taken.
type Preflight struct {
	Codes map[string]string `yaml:"codes"` // code to error, warning or off
}

// Severities are the severities that the codes are given.
func (p Preflight) Severities() map[string]codes.Severity {
	out := map[string]codes.Severity{}
	for code, s := range p.Codes {
		out[code] = codes.Severity(s)
	}
	return out
}

var severities = []string{string(codes.Error), string(codes.Warning), string(codes.Off)}

func (d *document) checkPreflight(p Preflight) {
	for _, name := range slices.Sorted(maps.Keys(p.Codes)) {
		field := child("preflight.codes", name)
		code, ok := codes.Find(name)
		switch {
		case !ok:
			fix := "take it out; `gauntlet preflight --help` says where the codes are told"
			if near := lint.Nearest(name, codes.Names()); near != "" {
				fix = "did you mean " + near + "?"
			}
			d.bad(field, "there is no such code", fix)
		case d.reported(field):
		case !slices.Contains(severities, p.Codes[name]):
			d.bad(field, fmt.Sprintf("%q is no severity", p.Codes[name]), "write "+oneOf(severities))
		case code.Fixed && p.Codes[name] != string(codes.Error):
			d.bad(field, "it cannot be lowered: "+code.Means+", so the deployment could not succeed", "take it out")
		}
	}
}
