package plan

import "gauntlet/internal/release"

// Hides says whether a value may be a secret, by the names that lead to it and by what
// it says itself: a plan would not show it. A list is one value: one secret in it makes
// all of it one.
func Hides(p release.Path, v any) bool {
	path := make([]step, len(p))
	for i, k := range p {
		path[i] = step{name: k}
	}
	return hides(path, v)
}

func hides(path []step, v any) bool {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			if hides(with(path, step{name: k}), x) {
				return true
			}
		}
		return false
	case []any:
		for i, x := range v {
			if hides(with(path, step{place(i, x, nil), true}), x) || scalars(v) && word(path, v, i) == hidden {
				return true
			}
		}
		return false
	case nil:
		return false
	case string:
		if v == "" {
			return false
		}
	}
	return shown(path, v) == hidden
}
