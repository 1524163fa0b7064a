// Package plan says what a deploy would change on a hub, in the order of what it
// means for the hub's users. It compares objects that were read elsewhere and knows
// no chart: whatever it says follows from the objects alone. It does no I/O.
package plan

import (
	"fmt"
	"slices"
	"strings"
)

// An Object is an object of the Kubernetes API, as its JSON decodes.
type Object = map[string]any

// A Pair is one object before and after, both as the API server returns them, so that
// what it fills in is the same on both sides.
type Pair struct {
	Live Object // nil: it is not there
	New  Object // as a server-side dry run returns it; nil: the deploy removes it

	// Two renderings of the same release, before they were sent anywhere: what
	// differs between them is new at every deploy.
	Once, Again Object
}

// A Hook is an object that Helm makes for a while.
type Hook struct {
	Object string   // "Job/migrate"
	On     []string // "pre-upgrade", "post-upgrade", …

	Manifest Object // as it is rendered
}

// Input is what a plan is made of.
type Input struct {
	Pairs []Pair
	Doors []Object // Services, Ingresses and HTTPRoutes that are live in the hub's namespace
	Hooks []Hook   // that the deploy runs, in its order
}

// Groups, in the order in which they are told.
const (
	CutOff        = "users cut off"
	Restarts      = "restarts"
	UserServers   = "user servers"
	Volumes       = "volumes"
	Rights        = "access and rights"
	Network       = "network"
	Configuration = "configuration"
	Secrets       = "secrets"
	Hooks         = "hooks"
	Images        = "images"
	Others        = "others"
)

var order = []string{CutOff, Restarts, UserServers, Volumes, Rights, Network, Configuration, Secrets, Hooks, Images, Others}

// A Group is all changes that mean the same for users.
type Group struct {
	Name  string `json:"name"` // one of the constants above
	Items []Item `json:"items"`
}

// What happens to an object.
const (
	Added   = "added"
	Changed = "changed"
	Removed = "removed"
	Kept    = "kept" // Helm forgets it and leaves it there
	Runs    = "runs" // a hook
)

// An Item is one change. What it quotes comes from charts and clusters: untrusted.
type Item struct {
	Object string   `json:"object"` // "Deployment/proxy"; of images the name of one
	Action string   `json:"action"`
	Effect string   `json:"effect,omitempty"`
	Lines  []string `json:"lines,omitempty"` // "path: old → new", at most maxLines
	More   int      `json:"more,omitempty"`  // how many lines are left out
}

// maxLines bounds what is told of one object.
const maxLines = 12

// Compare groups what a deploy would change. Hooks run whether or not anything does.
func Compare(in Input) []Group {
	c := &comparison{groups: map[string][]Item{}, doors: doorsOf(in)}
	for _, p := range in.Pairs {
		c.pair(p)
	}
	c.images(in.Pairs)
	for _, h := range in.Hooks {
		c.add(Hooks, Item{Object: h.Object, Action: Runs, Effect: strings.Join(h.On, ", ")}, nil)
	}
	var out []Group
	for _, name := range order {
		if items := c.groups[name]; len(items) > 0 {
			out = append(out, Group{Name: name, Items: items})
		}
	}
	return out
}

// Unchanged says that no object would change: at most hooks run.
func Unchanged(groups []Group) bool {
	return !slices.ContainsFunc(groups, func(g Group) bool { return g.Name != Hooks })
}

type comparison struct {
	groups map[string][]Item
	doors  doors
}

func (c *comparison) add(group string, it Item, changes []change) {
	for i, ch := range changes {
		if i == maxLines {
			it.More = len(changes) - maxLines
			break
		}
		it.Lines = append(it.Lines, ch.text)
	}
	c.groups[group] = append(c.groups[group], it)
}

// pair tells of one object.
func (c *comparison) pair(p Pair) {
	live, next := settled(p.Live), settled(p.New)
	it := Item{Action: Changed}
	var changes []change
	switch {
	case live == nil && next == nil:
		return
	case live == nil:
		it.Object, it.Action = name(next), Added
	case next == nil:
		it.Object, it.Action = name(live), Removed
		if text(live, "metadata", "annotations", "helm.sh/resource-policy") == "keep" {
			it.Action, it.Effect = Kept, "no longer part of the release; its resource-policy keeps it"
			c.add(Others, it, nil)
			return
		}
	default:
		it.Object = name(next)
		if changes = objectChanges(live, next); len(changes) == 0 {
			return
		}
	}
	one := next
	if one == nil {
		one = live
	}
	again := ""
	if it.Action == Changed {
		again = regenerated(p.Once, p.Again)
	}
	switch kind := text(one, "kind"); {
	case template(one) != nil:
		c.workload(it, live, next, changes, again)
		return
	case kind == "Service":
		c.service(it, live, next, changes)
		return
	case kind == "ConfigMap":
		it.Effect = again
		c.config(it, changes)
		return
	case kind == "Secret":
		it.Effect = again
		c.secret(it, live, next, changes)
		return
	case kind == "PersistentVolumeClaim", kind == "PersistentVolume", kind == "StorageClass":
		it.Effect = volumeEffect(kind, it.Action, live, next)
		c.add(Volumes, it, changes)
		return
	case kind == "ServiceAccount", strings.HasPrefix(text(one, "apiVersion"), "rbac.authorization.k8s.io/"):
		c.add(Rights, it, changes)
		return
	case (kind == "Ingress" || kind == "HTTPRoute" || kind == "Gateway") && it.Action == Removed:
		it.Effect = "the way in for users goes away"
		c.add(CutOff, it, nil)
		return
	case strings.Contains(text(one, "apiVersion"), "networking.k8s.io/"):
		c.add(Network, it, changes)
		return
	}
	it.Effect = again
	c.add(Others, it, changes)
}

func volumeEffect(kind, action string, live, next Object) string {
	if kind != "PersistentVolumeClaim" {
		return ""
	}
	size := func(o Object) string { return text(o, "spec", "resources", "requests", "storage") }
	switch {
	case action == Added:
		return size(next)
	case action == Removed:
		return "the claim goes, and with it its volume's data unless the volume's reclaim policy keeps them"
	case size(live) != size(next):
		return fmt.Sprintf("its volume grows from %s to %s, and never back", size(live), size(next))
	}
	return ""
}

// service tells of a Service: one that users come in by is more than network.
func (c *comparison) service(it Item, live, next Object, changes []change) {
	moved := it.Action == Removed || slices.ContainsFunc(changes, func(ch change) bool { return ch.under("spec") })
	if live != nil && c.doors.opens(live) && moved {
		it.Effect = "users come in through it: open connections may end, and its address or ports may differ"
		if it.Action == Removed {
			it.Effect = "users come in through it"
		}
		c.add(CutOff, it, changes)
		return
	}
	c.add(Network, it, changes)
}

// config tells of a ConfigMap: what is for users' servers apart from the rest.
func (c *comparison) config(it Item, changes []change) {
	if it.Action != Changed {
		c.add(Configuration, it, nil)
		return
	}
	var servers, rest []change
	for _, ch := range changes {
		if ch.spawns() {
			servers = append(servers, ch)
		} else {
			rest = append(rest, ch)
		}
	}
	if len(servers) > 0 {
		of := it
		of.Effect = join(atNextStart, it.Effect)
		c.add(UserServers, of, servers)
	}
	if len(rest) > 0 {
		c.add(Configuration, it, rest)
	}
}

const atNextStart = "for servers that start from then on; running ones keep what they have"

// secret tells of a Secret: its keys, never a value.
func (c *comparison) secret(it Item, live, next Object, changes []change) {
	keys, servers := secretKeys(live, next)
	if it.Action != Changed {
		var names []string
		for _, k := range keys {
			names = append(names, k.text)
		}
		if it.Effect == "" && len(names) > 0 {
			it.Effect = clip("keys " + strings.Join(names, ", "))
		}
		c.add(Secrets, it, nil)
		return
	}
	lines := keys
	for _, ch := range changes {
		if !ch.under("data") && !ch.under("stringData") {
			lines = append(lines, ch)
		}
	}
	c.add(Secrets, it, lines)
	if servers {
		c.add(UserServers, Item{Object: it.Object, Action: Changed, Effect: atNextStart}, nil)
	}
}

// regenerated names what two renderings of the same release disagree on.
func regenerated(once, again Object) string {
	if once == nil || again == nil {
		return ""
	}
	var keys []string
	for _, ch := range diff(nil, once, again) {
		// A document within an object is one thing.
		p := ch.path
		if len(p) > 2 && (p[0].name == "data" || p[0].name == "stringData") {
			p = p[:2]
		}
		k := p[len(p)-1].name
		if p[0].name != "data" && p[0].name != "stringData" {
			k = written(p)
		}
		if !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return ""
	}
	return clip("new at every deploy: " + strings.Join(keys, ", "))
}

func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return fmt.Sprintf("%s; %s", a, b)
}
