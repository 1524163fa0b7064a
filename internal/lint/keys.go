package lint

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"

	"gauntlet/internal/preflight/codes"
)

// Keys are the values that a chart knows, as a tree: from its schema, its values.yaml
// and those of its subcharts.
type Keys struct {
	keys map[string]*Keys
	// open takes any key. A map that is not open is closed by the schema, or else
	// known by the chart's own values alone.
	open   bool
	closed bool   // by the schema: Helm refuses another key
	top    bool   // all of a chart's values, which no template passes on as a whole
	code   string // the chart's templates
}

// KeysOf reads what a packaged chart (.tgz) knows.
func KeysOf(archive []byte) (*Keys, error) {
	ch, err := loader.LoadArchive(bytes.NewReader(archive))
	if err != nil {
		return nil, fmt.Errorf("read the packaged chart: %w", err)
	}
	return keysOf(ch), nil
}

func keysOf(ch *chart.Chart) *Keys {
	var schema map[string]any
	if len(ch.Schema) > 0 && json.Unmarshal(ch.Schema, &schema) != nil {
		return &Keys{open: true} // Helm says what is wrong with it
	}
	var code strings.Builder
	for _, t := range slices.Concat(ch.Templates, ch.Files) {
		if t != nil && len(t.Data) < maxTemplate {
			code.Write(t.Data)
			code.WriteByte('\n')
		}
	}
	k := known(ch.Values, schema, code.String())
	k.top = true
	for _, always := range []string{"global", "tags"} {
		k.keys[always] = &Keys{open: true}
	}
	subs := map[string]*Keys{}
	for _, d := range ch.Dependencies() {
		subs[d.Name()] = keysOf(d)
	}
	for _, req := range ch.Metadata.Dependencies {
		if req == nil {
			continue
		}
		sub, ok := subs[req.Name]
		if !ok {
			sub = &Keys{open: true} // not in the archive
		}
		at := req.Name
		if req.Alias != "" {
			at = req.Alias
		}
		k.keys[at] = sub.and(k.keys[at])
		delete(subs, req.Name)
		for _, path := range strings.Split(req.Condition, ",") { // read by Helm itself
			k.know(strings.Split(strings.TrimSpace(path), "."))
		}
	}
	for name, sub := range subs { // put into charts/ by hand
		k.keys[name] = sub.and(k.keys[name])
	}
	return k
}

// maxTemplate bounds a file that is searched for names of values.
const maxTemplate = 1 << 20

// known is the tree of a chart's own values under its schema; code is its templates.
func known(defaults any, schema map[string]any, code string) *Keys {
	k := &Keys{keys: map[string]*Keys{}, code: code}
	props, _ := schema["properties"].(map[string]any)
	values, _ := defaults.(map[string]any)
	switch more, said := schema["additionalProperties"]; {
	case combined(schema):
		k.open = true
	case said && more == false:
		k.closed = schema["patternProperties"] == nil
		k.open = !k.closed
	case said || schema["patternProperties"] != nil:
		k.open = true
	case len(values) == 0 && len(props) == 0:
		k.open = true
	}
	for name, p := range props {
		sub, _ := p.(map[string]any)
		k.keys[name] = known(values[name], sub, code)
	}
	for name, v := range values {
		switch {
		case k.keys[name] != nil:
		case k.open && schema != nil: // the schema leaves all below it to somebody else
			k.keys[name] = &Keys{open: true}
		default:
			k.keys[name] = known(v, nil, code)
		}
	}
	return k
}

// combined says whether a schema is more than its own properties, and so not read
// here.
func combined(schema map[string]any) bool {
	for _, word := range []string{"$ref", "allOf", "anyOf", "oneOf", "if", "not", "propertyNames", "unevaluatedProperties", "dependentSchemas"} {
		if schema[word] != nil {
			return true
		}
	}
	return false
}

// and is a subchart's tree with what its parent knows of it.
func (k *Keys) and(parent *Keys) *Keys {
	if parent == nil {
		return k
	}
	out := *k
	out.keys = maps.Clone(k.keys)
	for name, p := range parent.keys {
		if c, ok := out.keys[name]; ok {
			out.keys[name] = c.and(p)
		} else {
			if out.keys == nil {
				out.keys = map[string]*Keys{}
			}
			if k.open {
				p = &Keys{open: true}
			}
			out.keys[name] = p
		}
	}
	return &out
}

// know adds a path.
func (k *Keys) know(path []string) {
	if len(path) == 0 || path[0] == "" {
		return
	}
	if k.keys == nil {
		k.keys = map[string]*Keys{}
	}
	sub, ok := k.keys[path[0]]
	if !ok {
		sub = &Keys{open: true}
		k.keys[path[0]] = sub
	}
	sub.know(path[1:])
}

// Under is what the chart knows below a key, nil when it takes anything there; cause
// says why it knows no such key, "" when it does or cannot be told.
func (k *Keys) Under(key string) (sub *Keys, cause, fix string) {
	if k == nil {
		return nil, "", ""
	}
	if sub, ok := k.keys[key]; ok {
		if len(sub.keys) == 0 {
			return nil, "", ""
		}
		return sub, "", ""
	}
	near := Nearest(key, slices.Sorted(maps.Keys(k.keys)))
	fix = "take it out"
	if near != "" {
		fix = "did you mean " + near + "?"
	}
	switch {
	case k.closed:
		return nil, "the chart's schema has no such key: Helm will refuse it", fix
	case k.open:
	case k.top && helper.MatchString(key) || used(k.code, key):
	case near != "" || k.top:
		return nil, "the chart has no such value", fix
	}
	return nil, "", ""
}

// helper is how people call keys that only hold anchors for other keys.
var helper = regexp.MustCompile(`^(x-|_|\.)`)

// used says whether templates name a key: then they read it, though the chart's
// values do not list it.
func used(code, key string) bool {
	re, err := regexp.Compile(`\b` + regexp.QuoteMeta(key) + `\b`)
	return err != nil || re.MatchString(code)
}

// Unknown are the keys of values that a chart does not know.
func (k *Keys) Unknown(values map[string]any) []Finding {
	var out []Finding
	var look func(k *Keys, path string, v map[string]any)
	look = func(k *Keys, path string, v map[string]any) {
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if v[key] == nil {
				continue // how Helm is told to drop a default
			}
			sub, cause, fix := k.Under(key)
			if cause != "" {
				out = append(out, Finding{Code: codes.KeyUnknown, Path: child(path, key), Cause: cause, Fix: fix})
			}
			if m, ok := v[key].(map[string]any); ok && sub != nil {
				look(sub, child(path, key), m)
			}
		}
	}
	look(k, "", values)
	return out
}
