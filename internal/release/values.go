package release

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Values are Helm values: a tree of maps with string keys, lists and scalars as
// JSON knows them (every number a float64, as Helm reads values files). They are
// never changed in place: functions that change one return a new tree, which may
// share parts with the old.
type Values map[string]any

// Merge lays over on top of base as Helm does for a second values file: maps are
// merged key by key, anything else is replaced, and a null stays, since it is how
// Helm is told to drop a default of the chart.
func Merge(base, over Values) Values {
	return mergeMaps(base, over)
}

func mergeMaps(base, over map[string]any) map[string]any {
	out := make(map[string]any, len(base)+len(over))
	maps.Copy(out, base)
	for k, v := range over {
		if m, ok := asMap(v); ok {
			if b, ok := asMap(out[k]); ok {
				out[k] = mergeMaps(b, m)
				continue
			}
		}
		out[k] = v
	}
	return out
}

func asMap(v any) (map[string]any, bool) {
	switch m := v.(type) {
	case map[string]any:
		return m, m != nil
	case Values:
		return m, m != nil
	}
	return nil, false
}

// Get is the value at a dotted path, and whether there is one: a null counts as
// one. The caller must not change it.
func (v Values) Get(path string) (any, bool) {
	p, err := ParsePath(path)
	if err != nil {
		return nil, false
	}
	return v.at(p)
}

func (v Values) at(p Path) (any, bool) {
	var cur any = map[string]any(v)
	for _, k := range p {
		m, ok := asMap(cur)
		if !ok {
			return nil, false
		}
		if cur, ok = m[k]; !ok {
			return nil, false
		}
	}
	return cur, true
}

// Set is v with x at a dotted path. Maps on the way are made where there is
// nothing or a null; a scalar or list on the way is an error.
func (v Values) Set(path string, x any) (Values, error) {
	p, err := ParsePath(path)
	if err != nil {
		return nil, err
	}
	x, err = normalise(x)
	if err != nil {
		return nil, fmt.Errorf("set value %s: %w", path, err)
	}
	return setAt(v, p, 0, x)
}

func setAt(m map[string]any, p Path, depth int, x any) (map[string]any, error) {
	out := make(map[string]any, len(m)+1)
	maps.Copy(out, m)
	k := p[depth]
	if depth == len(p)-1 {
		out[k] = x
		return out, nil
	}
	child, ok := asMap(out[k])
	if !ok && out[k] != nil {
		return nil, fmt.Errorf("set value %s: %s is %s where a map is needed", p, p[:depth+1], kindOf(out[k]))
	}
	next, err := setAt(child, p, depth+1, x)
	if err != nil {
		return nil, err
	}
	out[k] = next
	return out, nil
}

// Delete is v without the value at a dotted path. Maps on the way stay, even when
// that leaves them empty: Helm tells an empty map from none where the chart has no
// default.
func (v Values) Delete(path string) (Values, error) {
	p, err := ParsePath(path)
	if err != nil {
		return nil, err
	}
	return deleteAt(v, p), nil
}

func deleteAt(m map[string]any, p Path) map[string]any {
	out := maps.Clone(m)
	if out == nil {
		out = map[string]any{}
	}
	if len(p) == 1 {
		delete(out, p[0])
		return out
	}
	if child, ok := asMap(out[p[0]]); ok {
		out[p[0]] = deleteAt(child, p[1:])
	}
	return out
}

// FromSet makes values of dotted paths, the form of `set` in gauntlet.yaml. Two
// paths of which one holds the other's value are an error.
func FromSet(set map[string]any) (Values, error) {
	out := Values{}
	paths := make([]Path, 0, len(set))
	for _, s := range slices.Sorted(maps.Keys(set)) {
		p, err := ParsePath(s)
		if err != nil {
			return nil, err
		}
		for _, q := range paths {
			if p.Within(q) || q.Within(p) {
				return nil, fmt.Errorf("value paths %s and %s overlap: set one of them", q, p)
			}
		}
		paths = append(paths, p)
		if out, err = out.Set(s, set[s]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// normalise turns x into what JSON would read back: numbers become float64.
func normalise(x any) (any, error) {
	b, err := json.Marshal(x)
	if err != nil {
		return nil, fmt.Errorf("no Helm value: %w", err)
	}
	var out any
	if err := json.Unmarshal(b, &out); err != nil {
		return nil, fmt.Errorf("no Helm value: %w", err)
	}
	return out, nil
}

func normaliseValues(v Values) (Values, error) {
	if v == nil {
		return Values{}, nil
	}
	x, err := normalise(map[string]any(v))
	if err != nil {
		return nil, err
	}
	return x.(map[string]any), nil
}

// kindOf names a value's kind for people.
func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case string:
		return "a string"
	case bool:
		return "a boolean"
	case []any:
		return "a list"
	case map[string]any, Values:
		return "a map"
	}
	return "a number"
}
