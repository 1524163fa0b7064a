package plan

import (
	"encoding/base64"
	"maps"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// name is how an object is called: "Deployment/proxy".
func name(o Object) string { return text(o, "kind") + "/" + text(o, "metadata", "name") }

// at is what lies at a path, nil for nothing.
func at(v any, path ...string) any {
	for _, k := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[k]
	}
	return v
}

func text(o Object, path ...string) string {
	s, _ := at(o, path...).(string)
	return s
}

func mapAt(v any, path ...string) map[string]any {
	m, _ := at(v, path...).(map[string]any)
	return m
}

func listAt(v any, path ...string) []any {
	l, _ := at(v, path...).([]any)
	return l
}

// kept is the metadata that people and charts write; the rest the server does.
var kept = []string{"name", "namespace", "labels", "annotations", "finalizers", "ownerReferences"}

// tools are annotations that Helm, kubectl and controllers keep their own notes in.
var tools = []string{"meta.helm.sh/", "kubectl.kubernetes.io/last-applied-configuration", "deployment.kubernetes.io/revision", "deprecated.daemonset.template.generation"}

// marks are labels that only say which version of which chart an object is of.
var marks = []string{"app.kubernetes.io/managed-by", "helm.sh/chart", "chart", "heritage"}

// settled is an object without what the server and the tools write about it.
func settled(o Object) Object {
	if o == nil {
		return nil
	}
	o = maps.Clone(o)
	delete(o, "status")
	meta := map[string]any{}
	for _, k := range kept {
		if v, ok := mapAt(o, "metadata")[k]; ok {
			meta[k] = v
		}
	}
	if l := maps.Clone(mapAt(meta, "labels")); l != nil {
		maps.DeleteFunc(l, func(k string, _ any) bool { return slices.Contains(marks, k) })
		meta["labels"] = l
	}
	if a := maps.Clone(mapAt(meta, "annotations")); a != nil {
		maps.DeleteFunc(a, func(k string, _ any) bool {
			return slices.ContainsFunc(tools, func(t string) bool { return strings.HasPrefix(k, t) })
		})
		meta["annotations"] = a
	}
	// None and no field are one.
	maps.DeleteFunc(meta, func(_ string, v any) bool {
		m, ok := v.(map[string]any)
		return ok && len(m) == 0
	})
	o["metadata"] = meta
	return o
}

// objectChanges is what differs between two states of one object. Data of a ConfigMap
// that is a document of keys (YAML, JSON) is compared key by key.
func objectChanges(live, next Object) []change {
	if text(next, "kind") == "ConfigMap" {
		live, next = opened(live, next), opened(next, live)
	}
	return diff(nil, live, next)
}

// opened is a ConfigMap with its documents read, those that are one on both sides.
func opened(o, other Object) Object {
	o = maps.Clone(o)
	data := maps.Clone(mapAt(o, "data"))
	for k := range data {
		mine, theirs := document(text(o, "data", k)), document(text(other, "data", k))
		if mine != nil && theirs != nil {
			data[k] = mine
		}
	}
	if data != nil {
		o["data"] = data
	}
	return o
}

// document reads a text of keys and values, nil when it is none.
func document(s string) map[string]any {
	if !strings.ContainsAny(s, ":") {
		return nil
	}
	var m map[string]any
	if yaml.Unmarshal([]byte(s), &m) != nil || len(m) == 0 {
		return nil
	}
	return m
}

// secretKeys are the keys of a Secret that differ, and whether what starts users'
// servers is among what differs.
func secretKeys(live, next Object) (keys []change, servers bool) {
	a, b := mapAt(live, "data"), mapAt(next, "data")
	union := maps.Clone(a)
	if union == nil {
		union = map[string]any{}
	}
	maps.Copy(union, b)
	for _, k := range slices.Sorted(maps.Keys(union)) {
		old, was := a[k]
		val, is := b[k]
		switch {
		case was && is && old == val:
			continue
		case live == nil || next == nil:
			keys = append(keys, change{text: k})
			continue
		case !was:
			keys = append(keys, change{text: "key " + k + ": added"})
		case !is:
			keys = append(keys, change{text: "key " + k + ": removed"})
		default:
			keys = append(keys, change{text: "key " + k + ": another value"})
		}
		x, y := decoded(old), decoded(val)
		for _, ch := range diff([]step{{name: k}}, leaves(x, y), leaves(y, x)) {
			servers = servers || ch.spawns()
		}
	}
	return keys, servers
}

// leaves is a text as a document, when it is one on both sides.
func leaves(s, other string) any {
	if m := document(s); m != nil && document(other) != nil {
		return m
	}
	return s
}

func decoded(v any) string {
	s, _ := v.(string)
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return ""
	}
	return string(b)
}
