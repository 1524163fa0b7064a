package preflight

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"gauntlet/internal/plan"
)

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

func text(v any, path ...string) string {
	s, _ := at(v, path...).(string)
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

// name is how an object is called: "Deployment/proxy".
func name(o plan.Object) string { return text(o, "kind") + "/" + text(o, "metadata", "name") }

// A workload is an object whose controller makes pods, or a pod.
type workload struct {
	object string // "Deployment/hub"
	kind   string
	hook   bool
	raw    plan.Object
	live   plan.Object // nil when it is new
	pod    corev1.PodSpec
}

// workloads are those of the release, as they will be.
func workloads(f *Facts) []workload {
	var out []workload
	add := func(o, live plan.Object, hook bool) {
		spec := podSpec(o)
		if spec == nil {
			return
		}
		w := workload{object: name(o), kind: text(o, "kind"), hook: hook, raw: o, live: live}
		// A spec that does not decode was refused by the API server.
		if b, err := json.Marshal(spec); err == nil && json.Unmarshal(b, &w.pod) == nil {
			out = append(out, w)
		}
	}
	for _, p := range f.Objects {
		if p.New != nil {
			add(p.New, p.Live, false)
		}
	}
	for _, o := range f.Hooks {
		add(o, nil, true)
	}
	return out
}

// podSpec is the spec of the pods of an object, nil when it has none.
func podSpec(o plan.Object) map[string]any {
	switch text(o, "kind") {
	case "Pod":
		return mapAt(o, "spec")
	case "CronJob":
		return mapAt(o, "spec", "jobTemplate", "spec", "template", "spec")
	case "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "ReplicationController":
		return mapAt(o, "spec", "template", "spec")
	}
	return nil
}

// documents are the texts of a ConfigMap or Secret that are trees of keys (YAML,
// JSON), by their key.
func documents(o plan.Object) map[string]map[string]any {
	out := map[string]map[string]any{}
	for k, v := range texts(o) {
		if !strings.Contains(v, "singleuser") { // nothing else is looked for
			continue
		}
		var m map[string]any
		if yaml.Unmarshal([]byte(v), &m) == nil && len(m) > 0 {
			out[k] = m
		}
	}
	return out
}

// texts are the texts that a ConfigMap or Secret holds.
func texts(o plan.Object) map[string]string {
	out := map[string]string{}
	kind := text(o, "kind")
	if kind != "ConfigMap" && kind != "Secret" {
		return out
	}
	for k := range mapAt(o, "data") {
		v := text(o, "data", k)
		if kind == "Secret" {
			b, err := base64.StdEncoding.DecodeString(v)
			if err != nil {
				continue
			}
			v = string(b)
		}
		out[k] = v
	}
	for k := range mapAt(o, "stringData") {
		out[k] = text(o, "stringData", k)
	}
	return out
}

// entries are the elements of a list, or of a map that stands for one, with how they
// are called below a path.
func entries(path string, v any) []entry {
	var out []entry
	switch v := v.(type) {
	case []any:
		for i, x := range v {
			out = append(out, entry{item(path, i), x})
		}
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			out = append(out, entry{path + "." + k, v[k]})
		}
	}
	return out
}

type entry struct {
	path  string
	value any
}

// decode reads a tree into a type of the Kubernetes API; what does not fit is left
// out, since schema and API server have had their say.
func decode(from, into any) {
	if b, err := json.Marshal(from); err == nil && from != nil {
		_ = json.Unmarshal(b, into)
	}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
