package preflight

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"gauntlet/internal/plan"
)

// A Reference is a place that names an image.
type Reference struct {
	Image   string
	User    string // "Deployment/hub", "jupyterhub.singleuser.image"
	Secrets []string
	Account string // service account of the pods that pull it, "" for the default one
	Config  bool   // what the image says of itself is wanted too
}

// References are the images of a release: of every container that it renders or runs
// as a hook, and those that its hubs and gateways start pods with later.
func References(f *Facts) []Reference {
	var out []Reference
	for _, o := range Brought(f) {
		out = append(out, rendered(o)...)
	}
	for _, c := range hubConfigs(f) {
		out = append(out, c.images(f)...)
	}
	out = append(out, gateways("", f.Values, 4)...)
	return slices.DeleteFunc(out, func(r Reference) bool { return r.Image == "" || strings.ContainsAny(r.Image, "{}$") })
}

// Brought are the objects that a release brings, those of its hooks among them.
func Brought(f *Facts) []plan.Object {
	var out []plan.Object
	for _, p := range f.Objects {
		if p.New != nil {
			out = append(out, p.New)
		}
	}
	return append(out, f.Hooks...)
}

// rendered are the images of an object's containers, wherever they are in it: kinds
// of object that only their operator knows hold pods too.
func rendered(o plan.Object) []Reference {
	var out []Reference
	var find func(v any)
	find = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for _, list := range []string{"initContainers", "containers"} {
				for _, c := range listAt(v, list) {
					if image := text(c, "image"); image != "" {
						out = append(out, Reference{Image: image, User: name(o), Secrets: names(v["imagePullSecrets"]), Account: text(v, "serviceAccountName")})
					}
				}
			}
			for _, k := range slices.Sorted(maps.Keys(v)) {
				find(v[k])
			}
		case []any:
			for _, x := range v {
				find(x)
			}
		}
	}
	switch text(o, "kind") {
	case "Secret", "ConfigMap", "CustomResourceDefinition":
	default:
		find(map[string]any(o))
	}
	return out
}

// names are the names in a list of names or of references to objects.
func names(v any) []string {
	var out []string
	for _, e := range entries("", v) {
		if s, ok := e.value.(string); ok {
			out = append(out, s)
		} else if s := text(e.value, "name"); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// spec is an image that is given by name and tag.
func spec(v any) string {
	repo := text(v, "name")
	if repo == "" {
		repo = text(v, "repository")
	}
	if tag := text(v, "tag"); repo != "" && tag != "" {
		return repo + ":" + tag
	}
	return repo
}

// images are those that a hub starts its users' pods with.
func (c hubConfig) images(f *Facts) []Reference {
	v := c.next
	user, spawner := mapAt(v, "singleuser"), mapAt(v, "hub", "config", "KubeSpawner")
	secrets := slices.Concat(names(v["imagePullSecrets"]), names(at(user, "image", "pullSecrets")), names(spawner["image_pull_secrets"]))
	if at(v, "imagePullSecret", "create") == true && at(v, "imagePullSecret", "automaticReferenceInjection") != false {
		for _, o := range Brought(f) { // the chart makes it in a hook
			if n := text(o, "metadata", "name"); text(o, "kind") == "Secret" && strings.HasSuffix(n, "image-pull-secret") {
				secrets = append(secrets, n)
			}
		}
	}
	ref := func(image string, keys ...string) Reference {
		return Reference{Image: image, User: below(c.path, keys...), Secrets: secrets, Account: text(user, "serviceAccountName")}
	}
	notebook := ref(spec(user["image"]), "singleuser", "image")
	notebook.Config = true
	out := []Reference{notebook, ref(text(spawner, "image"), "hub", "config", "KubeSpawner", "image")}
	if at(user, "cloudMetadata", "blockWithIptables") == true {
		out = append(out, ref(spec(at(user, "networkTools", "image")), "singleuser", "networkTools", "image"))
	}
	for _, list := range []string{"initContainers", "extraContainers"} {
		for _, e := range entries(below("singleuser", list), user[list]) {
			out = append(out, ref(text(e.value, "image"), e.path))
		}
	}
	if at(v, "prePuller", "hook", "enabled") == true || at(v, "prePuller", "continuous", "enabled") == true {
		for _, e := range entries("prePuller.extraImages", at(v, "prePuller", "extraImages")) {
			out = append(out, ref(spec(e.value), e.path))
		}
	}
	for _, p := range c.profiles() {
		out = append(out, ref(text(p.value, "kubespawner_override", "image"), p.path))
		for _, o := range entries(p.path+".profile_options", at(p.value, "profile_options")) {
			for _, ch := range entries(o.path+".choices", at(o.value, "choices")) {
				out = append(out, ref(text(ch.value, "kubespawner_override", "image"), ch.path))
			}
		}
	}
	return out
}

// profiles are the profiles that users choose from.
func (c hubConfig) profiles() []entry {
	return slices.Concat(
		entries("singleuser.profileList", at(c.next, "singleuser", "profileList")),
		entries("hub.config.KubeSpawner.profile_list", at(c.next, "hub", "config", "KubeSpawner", "profile_list")))
}

// imageOption is the image that a Dask Gateway offers when its user names none.
var imageOption = regexp.MustCompile(`String\(\s*["']image["'][^)]{0,200}?default\s*=\s*["']([^"'{}]+)["']`)

// gateways are the images that Dask Gateways start clusters with.
func gateways(path string, v map[string]any, depth int) []Reference {
	var out []Reference
	if g := mapAt(v, "gateway"); mapAt(g, "backend") != nil {
		secrets := names(at(g, "backend", "imagePullSecrets"))
		out = append(out, Reference{Image: spec(at(g, "backend", "image")), User: below(path, "gateway.backend.image"), Secrets: secrets})
		for _, e := range entries(below(path, "gateway.extraConfig"), g["extraConfig"]) {
			code, _ := e.value.(string)
			for _, m := range imageOption.FindAllStringSubmatch(code, 3) {
				out = append(out, Reference{Image: m[1], User: e.path, Secrets: secrets})
			}
		}
	}
	if depth == 0 {
		return out
	}
	for _, k := range slices.Sorted(maps.Keys(v)) {
		if m, ok := v[k].(map[string]any); ok {
			out = append(out, gateways(below(path, k), m, depth-1)...)
		}
	}
	return out
}
