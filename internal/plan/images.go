package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// images tells which images change, each once, with who uses them. Those that only a
// Secret names are not told.
func (c *comparison) images(pairs []Pair) {
	type use struct{ old, next string }
	users := map[use][]string{}
	var uses []use
	for _, p := range pairs {
		if p.New == nil || text(p.New, "kind") == "Secret" {
			continue
		}
		old, next := imagesOf(p.Live), imagesOf(p.New)
		for _, where := range slices.Sorted(maps.Keys(next)) {
			u := use{old[where], next[where]}
			if u.old == u.next {
				continue
			}
			if users[u] == nil {
				uses = append(uses, u)
			}
			if who := name(p.New); !slices.Contains(users[u], who) {
				users[u] = append(users[u], who)
			}
		}
	}
	for _, u := range uses {
		it := Item{Object: repository(u.next), Action: Changed, Effect: "of " + clip(strings.Join(users[u], ", "))}
		line := short(u.old) + " → " + short(u.next)
		switch {
		case u.old == "":
			it.Action, line = Added, short(u.next)
		case digest(u.old) != "" && digest(u.old) == digest(u.next):
			it.Effect += "; the same content under another name"
		}
		c.add(Images, it, []change{{text: line}})
	}
}

// imagesOf are the images that an object names, by where it does: those of its
// containers, and those that a document of a ConfigMap gives by name and tag.
func imagesOf(o Object) map[string]string {
	out := map[string]string{}
	if o == nil {
		return out
	}
	spec := mapAt(o, "spec", "template", "spec")
	if text(o, "kind") == "CronJob" {
		spec = mapAt(o, "spec", "jobTemplate", "spec", "template", "spec")
	}
	for _, list := range []string{"initContainers", "containers"} {
		for _, ctr := range listAt(spec, list) {
			n, _ := at(ctr, "name").(string)
			if image, _ := at(ctr, "image").(string); image != "" {
				out[list+"/"+n] = image
			}
		}
	}
	if text(o, "kind") == "ConfigMap" {
		for k := range mapAt(o, "data") {
			byTag(k, document(text(o, "data", k)), out)
		}
	}
	return out
}

// byTag finds images that are given as a map of name and tag.
func byTag(where string, v any, out map[string]string) {
	switch v := v.(type) {
	case map[string]any:
		repo, _ := v["name"].(string)
		if repo == "" {
			repo, _ = v["repository"].(string)
		}
		if tag, _ := v["tag"].(string); repo != "" && tag != "" {
			out[where] = repo + ":" + tag
		}
		for k, x := range v {
			byTag(where+"."+k, x, out)
		}
	case []any:
		for i, x := range v {
			byTag(fmt.Sprintf("%s[%d]", where, i), x, out)
		}
	}
}

// repository is an image's name without tag and digest.
func repository(image string) string {
	image, _, _ = strings.Cut(image, "@")
	if i := strings.LastIndex(image, ":"); i > strings.LastIndex(image, "/") {
		image = image[:i]
	}
	return image
}

func digest(image string) string {
	_, d, _ := strings.Cut(image, "@")
	return d
}

// short is the tag of an image and the start of its digest.
func short(image string) string {
	s := strings.TrimPrefix(strings.TrimPrefix(image, repository(image)), ":")
	if d := digest(image); len(d) > len("sha256:")+12 {
		s = strings.TrimSuffix(s, d) + d[:len("sha256:")+12]
	}
	if s == "" {
		return "no tag"
	}
	return clip(s)
}
