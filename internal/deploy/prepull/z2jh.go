package prepull

import (
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"gauntlet/internal/release"
)

// jupyterhub reads what zero-to-jupyterhub gives its own image puller, at a place in
// the values.
func (r *reader) jupyterhub(at release.Path) {
	p := func(keys ...string) string { return append(slices.Clone(at), keys...).String() }

	r.selector(p("singleuser", "nodeSelector"))
	if r.get(p("scheduling", "userPods", "nodeAffinity", "matchNodePurpose")) == "require" {
		r.users.Terms = append(r.users.Terms, corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{
			{Key: "hub.jupyter.org/node-purpose", Operator: corev1.NodeSelectorOpIn, Values: []string{"user"}}}})
	}
	r.terms(p("singleuser", "extraNodeAffinity", "required"))
	r.tolerations(
		p("scheduling", "userPods", "tolerations"),
		p("singleuser", "extraTolerations"),
		p("hub", "config", "KubeSpawner", "tolerations"),
		p("prePuller", "extraTolerations"))
	r.secrets(p("imagePullSecrets"), p("singleuser", "image", "pullSecrets"), p("hub", "config", "KubeSpawner", "image_pull_secrets"))
	if r.get(p("imagePullSecret", "create")) == true && r.get(p("imagePullSecret", "automaticReferenceInjection")) != false {
		name := "image-pull-secret"
		if full, _ := r.get(p("fullnameOverride")).(string); full != "" {
			name = full + "-" + name
		}
		r.secret(name)
	}
	r.startTimeout(p("singleuser", "startTimeout"))

	r.image(r.get(p("singleuser", "image")))
	if blocksMetadata(r.get(p("singleuser", "cloudMetadata"))) {
		r.image(r.get(p("singleuser", "networkTools", "image")))
	}
	for _, path := range []string{p("singleuser", "initContainers"), p("singleuser", "extraContainers")} {
		r.containers(r.get(path))
	}
	if on, ok := r.get(p("prePuller", "pullProfileListImages")).(bool); !ok || on {
		r.profiles(r.get(p("singleuser", "profileList")))
		r.profiles(r.get(p("hub", "config", "KubeSpawner", "profile_list")))
	}
	extra, _ := r.get(p("prePuller", "extraImages")).(map[string]any)
	for _, k := range slices.Sorted(maps.Keys(extra)) {
		r.image(extra[k])
	}
}

// blocksMetadata says whether users' pods begin with the container that closes the
// way to the cloud's metadata server.
func blocksMetadata(x any) bool {
	m, _ := x.(map[string]any)
	if on, ok := m["enabled"].(bool); ok { // as releases before 1.0 said it
		return !on
	}
	return m["blockWithIptables"] == true
}

// containers takes the images of a list of containers, or of a map of them.
func (r *reader) containers(x any) {
	switch x := x.(type) {
	case []any:
		for _, c := range x {
			if m, ok := c.(map[string]any); ok {
				r.image(m["image"])
			}
		}
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(x)) {
			if m, ok := x[k].(map[string]any); ok {
				r.image(m["image"])
			}
		}
	}
}

// profiles takes the images of a profile list and of its options' choices. A list of
// profiles that depends on the user is a program, which nobody can read here.
func (r *reader) profiles(x any) {
	list, _ := x.([]any)
	for _, p := range list {
		profile, _ := p.(map[string]any)
		r.override(profile)
		options, _ := profile["profile_options"].(map[string]any)
		for _, o := range slices.Sorted(maps.Keys(options)) {
			option, _ := options[o].(map[string]any)
			choices, _ := option["choices"].(map[string]any)
			for _, c := range slices.Sorted(maps.Keys(choices)) {
				choice, _ := choices[c].(map[string]any)
				r.override(choice)
			}
		}
	}
}

func (r *reader) override(m map[string]any) {
	if over, ok := m["kubespawner_override"].(map[string]any); ok {
		r.image(over["image"])
	}
}
