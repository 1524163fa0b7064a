// Package lint finds what is wrong with Helm values by themselves: secrets in plain
// text, and keys that their chart does not know. It does no I/O.
package lint

import (
	"fmt"
	"maps"
	"slices"

	"gauntlet/internal/preflight/codes"
)

// A Finding is one thing that is wrong. It never quotes a value.
type Finding struct {
	Code  string // of package codes
	Path  string // a.b[0].c
	Cause string
	Fix   string
}

// Secrets are the places of values that look like secrets.
func Secrets(values map[string]any) []Finding {
	var out []Finding
	walk(nil, "", values, func(keys []string, path, value string) {
		if cause := Secret(keys, value); cause != "" {
			out = append(out, Finding{Code: codes.SecretPlain, Path: path, Cause: cause, Fix: SecretFix})
		}
	})
	return out
}

// walk visits every text of a tree with the keys that lead to it.
func walk(keys []string, path string, v any, visit func(keys []string, path, value string)) {
	switch v := v.(type) {
	case string:
		visit(keys, path, v)
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			walk(append(slices.Clip(keys), k), child(path, k), v[k], visit)
		}
	case []any:
		for i, x := range v {
			walk(keys, fmt.Sprintf("%s[%d]", path, i), x, visit)
		}
	}
}

func child(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
