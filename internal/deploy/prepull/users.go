package prepull

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"gauntlet/internal/config"
	"gauntlet/internal/deploy/helm"
	"gauntlet/internal/release"
)

// z2jh is the name of the chart whose values need no description.
const z2jh = "jupyterhub"

// Off are the values that keep a chart from pulling images in a hook of its own:
// what gauntlet.yaml says, else what is known of zero-to-jupyterhub, alone or as a
// dependency. None for other charts.
func Off(c config.PrePuller, chart []byte) (release.Values, error) {
	if c.Off != nil {
		return release.FromSet(c.Off)
	}
	at, err := helm.Find(chart, z2jh)
	if err != nil {
		return nil, err
	}
	v := release.Values{}
	for _, p := range at {
		if v, err = v.Set(append(slices.Clone(p), "prePuller", "hook", "enabled").String(), false); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// StillOn is the first value path at which values do not hold what off says, "" for
// none: the chart pulls images itself.
func StillOn(values, off release.Values) string {
	return differs(nil, values, off)
}

func differs(at release.Path, values, off map[string]any) string {
	for _, k := range slices.Sorted(maps.Keys(off)) {
		here := append(slices.Clone(at), k)
		want, deeper := off[k].(map[string]any)
		if has, ok := values[k].(map[string]any); ok && deeper {
			if s := differs(here, has, want); s != "" {
				return s
			}
			continue
		}
		if fmt.Sprint(values[k]) != fmt.Sprint(off[k]) {
			return here.String()
		}
	}
	return ""
}

// Users is what a hub's values say of the pods of its users.
type Users struct {
	NodeSelector map[string]string
	Terms        []corev1.NodeSelectorTerm // a node must match one of them, when there are any
	Tolerations  []corev1.Toleration
	PullSecrets  []string      // names of Secrets in the hub's namespace
	Images       []string      // references that stand in the values: profile lists and the like
	StartTimeout time.Duration // that a server may take to start; 0: not known
}

// ReadUsers reads a hub's values, whole and with the chart's defaults under them, as
// gauntlet.yaml says, and as is known of zero-to-jupyterhub.
func ReadUsers(c config.PrePuller, chart []byte, values release.Values) (Users, error) {
	all, err := helm.AllValues(chart, values)
	if err != nil {
		return Users{}, err
	}
	at, err := helm.Find(chart, z2jh)
	if err != nil {
		return Users{}, err
	}
	r := &reader{values: all}
	for _, p := range at {
		r.jupyterhub(p)
	}
	if c.NodeSelector != "" {
		r.users.NodeSelector, r.users.Terms = nil, nil
		r.selector(c.NodeSelector)
	}
	if c.Tolerations != nil {
		r.users.Tolerations = nil
		r.tolerations(c.Tolerations...)
	}
	if c.PullSecrets != nil {
		r.users.PullSecrets = nil
		r.secrets(c.PullSecrets...)
	}
	if c.StartTimeout != "" {
		r.startTimeout(c.StartTimeout)
	}
	return r.users, r.err
}

// reader reads values; the first that cannot be read is its error.
type reader struct {
	values release.Values
	users  Users
	err    error
}

func (r *reader) get(path string) any {
	x, _ := r.values.Get(path)
	return x
}

func (r *reader) bad(path string, x any, want string) {
	if r.err == nil {
		r.err = fmt.Errorf("value %s is %T, not %s", path, x, want)
	}
}

func (r *reader) selector(path string) {
	x := r.get(path)
	m, ok := x.(map[string]any)
	if !ok && x != nil {
		r.bad(path, x, "a map of labels")
	}
	for k, v := range m {
		if v == nil {
			continue // taken out of the chart's default
		}
		if r.users.NodeSelector == nil {
			r.users.NodeSelector = map[string]string{}
		}
		r.users.NodeSelector[k] = fmt.Sprint(v)
	}
}

func (r *reader) tolerations(paths ...string) {
	for _, path := range paths {
		x := r.get(path)
		if x == nil {
			continue
		}
		var more []corev1.Toleration
		b, err := json.Marshal(x)
		if err == nil {
			err = json.Unmarshal(b, &more)
		}
		if err != nil {
			r.bad(path, x, "a list of tolerations")
			continue
		}
		for _, t := range more {
			if !slices.Contains(r.users.Tolerations, t) {
				r.users.Tolerations = append(r.users.Tolerations, t)
			}
		}
	}
}

// terms reads terms of which a node must match one.
func (r *reader) terms(path string) {
	var more []corev1.NodeSelectorTerm
	if err := recode(r.get(path), &more); err != nil {
		r.bad(path, r.get(path), "a list of node selector terms")
	}
	r.users.Terms = append(r.users.Terms, more...)
}

// secrets reads names of Secrets: a text, or a list of texts or of {name: …}.
func (r *reader) secrets(paths ...string) {
	for _, path := range paths {
		switch x := r.get(path).(type) {
		case nil:
		case string:
			r.secret(x)
		case []any:
			for _, s := range x {
				if m, ok := s.(map[string]any); ok {
					s = m["name"]
				}
				name, _ := s.(string)
				r.secret(name)
			}
		default:
			r.bad(path, x, "a list of names")
		}
	}
}

func (r *reader) secret(name string) {
	if name != "" && !slices.Contains(r.users.PullSecrets, name) {
		r.users.PullSecrets = append(r.users.PullSecrets, name)
	}
}

func (r *reader) startTimeout(path string) {
	switch x := r.get(path).(type) {
	case nil:
	case float64:
		r.users.StartTimeout = time.Duration(math.Min(math.Max(x, 0), 1e6) * float64(time.Second))
	case int64:
		r.users.StartTimeout = time.Duration(min(max(x, 0), 1e6)) * time.Second
	default:
		r.bad(path, x, "a number of seconds")
	}
}

// image takes a reference, or the name and tag of one, from values.
func (r *reader) image(x any) {
	ref := ""
	switch x := x.(type) {
	case string:
		ref = x
	case map[string]any:
		name, _ := x["name"].(string)
		if tag := fmt.Sprint(x["tag"]); name != "" && x["tag"] != nil && tag != "" {
			ref = name + ":" + tag
		}
	}
	if ref = Pinned(ref); ref != "" && !slices.Contains(r.users.Images, ref) {
		r.users.Images = append(r.users.Images, ref)
	}
}

// Pinned is a reference without its tag when it has a digest: then that decides.
func Pinned(ref string) string {
	name, digest, ok := strings.Cut(ref, "@")
	if !ok {
		return ref
	}
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, '/') {
		name = name[:i]
	}
	return name + "@" + digest
}
