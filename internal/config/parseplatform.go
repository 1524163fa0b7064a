package config

import (
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"gauntlet/internal/release"
)

// ParsePlatform reads gauntlet.yaml. The error is Problems: all of them, not the
// first. file is how messages name it.
func ParsePlatform(file string, data []byte) (*Platform, error) {
	d, root := readDocument(file, data)
	p := &Platform{src: d}
	if root != nil {
		d.decode(root, "", reflect.ValueOf(p).Elem())
		d.apiVersion(p.APIVersion)
		if p.Policy == "" {
			p.Policy = "policy.yaml"
		}
		d.checkPlatform(p)
	}
	d.problems.sort()
	if err := d.problems.Err(); err != nil {
		return nil, err
	}
	return p, nil
}

func (d *document) apiVersion(v string) {
	switch v {
	case APIVersion:
	case "":
		d.need("apiVersion", v, APIVersion)
	default:
		d.bad("apiVersion", fmt.Sprintf("this program does not know the format %q", v), "write "+APIVersion+", or use the gauntlet that wrote "+plain(v))
	}
}

// need reports a field without a value, with an example of one.
func (d *document) need(field, value, example string) bool {
	if value != "" || d.reported(field) {
		return value != ""
	}
	key := field[strings.LastIndexByte(field, '.')+1:]
	d.bad(field, "it is required", fmt.Sprintf("add %s: %s", key, example))
	return false
}

var (
	dnsLabel   = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	imageName  = regexp.MustCompile(`^[a-z0-9]+([._-]+[a-z0-9]+)*$`)
	repository = regexp.MustCompile(`^[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+$`)
)

const labelForm = "use small letters, digits and dashes, at most 63"

// label reports a name that Kubernetes would refuse.
func (d *document) label(field, value string) {
	if value != "" && !dnsLabel.MatchString(value) {
		d.bad(field, fmt.Sprintf("%q is no name Kubernetes takes", value), labelForm)
	}
}

func (d *document) checkPlatform(p *Platform) {
	if d.need("platform", p.Name, "my-platform") {
		d.label("platform", p.Name)
	}
	d.repository("registry", p.Registry, "registry.example.org/platform")
	d.repository("ledger", p.Ledger, "registry.example.org/platform-ledger")
	if p.Ledger != "" && (p.Ledger == p.Registry || slices.Contains(imageRepositories(p), p.Ledger)) {
		d.bad("ledger", "it is a repository of images: whoever pushes images could delete a veto", "name a repository of its own")
	}
	d.need("workbench.context", p.Workbench.Context, "a context of your kubeconfig")
	if d.need("workbench.namespace", p.Workbench.Namespace, "gauntlet-workbench") {
		d.label("workbench.namespace", p.Workbench.Namespace)
	}
	if b := p.Workbench.Builder; b != nil {
		d.need("workbench.builder.image", b.Image, "an image with buildkitd and buildctl, as moby/buildkit:v0.34.2-rootless")
	}
	d.checkImages(p)
	d.checkChart(p)
	if len(p.Hubs) == 0 && !d.reported("hubs") {
		d.bad("hubs", "there is no hub", "add hubs: {NAME: {tier: …, cluster: …, namespace: …, release: …}}")
	}
	for _, name := range slices.Sorted(maps.Keys(p.Hubs)) {
		d.checkHub(p, name)
	}
	d.checkTwins(p)
	d.checkGraces(p.Graces)
	for _, name := range slices.Sorted(maps.Keys(p.Suites)) {
		field := child("suites", name)
		d.label(field, name)
		if len(p.Suites[name].Tests) == 0 {
			d.bad(child(field, "tests"), "there is no test: it would pass with nothing checked", "name files beside this one, as tests/test_maps.py")
		}
		d.tests(child(field, "tests"), p.Suites[name].Tests)
	}
	d.checkStorage(p.Storage)
	d.checkViz(p.Viz)
	for i, s := range p.InSync {
		d.checkInSync(item("inSync", i), s)
	}
	d.checkPreflight(p.Preflight)
}

func (d *document) repository(field, value, example string) {
	if !d.need(field, value, example) || repository.MatchString(value) {
		return
	}
	fix := "write HOST/NAME in small letters, as " + example
	switch last := value[strings.LastIndexByte(value, '/')+1:]; {
	case strings.Contains(value, "://"):
		fix = "leave out " + plain(value[:strings.Index(value, "://")+3])
	case strings.ContainsAny(last, ":@") && strings.Contains(value, "/"):
		fix = "leave out the tag " + plain(last[strings.IndexAny(last, ":@"):])
	}
	d.bad(field, fmt.Sprintf("%q is no repository", value), fix)
}

func imageRepositories(p *Platform) []string {
	var out []string
	for name := range p.Images.Build {
		out = append(out, p.Registry+"/"+name)
	}
	return out
}

func (d *document) checkHub(p *Platform, name string) {
	h, field := p.Hubs[name], child("hubs", name)
	d.label(field, name)
	d.need(child(field, "tier"), h.Tier, "the name of a tier of the policy")
	d.need(child(field, "cluster"), h.Cluster, "a context of your kubeconfig")
	if d.need(child(field, "namespace"), h.Namespace, name) {
		d.label(child(field, "namespace"), h.Namespace)
	}
	if f := child(field, "release"); d.need(f, h.Release, name) && (!dnsLabel.MatchString(h.Release) || len(h.Release) > 53) {
		d.bad(f, fmt.Sprintf("%q is no name Helm takes for a release", h.Release), "use small letters, digits and dashes, at most 53")
	}
	d.names(child(field, "values"), "file", h.Values)
	d.names(child(field, "secrets"), "file", h.Secrets)
	d.checkURL(child(field, "url"), h.URL)
	if h.APITokenFrom != (SecretKey{}) {
		d.need(child(field, "apiTokenFrom.secret"), h.APITokenFrom.Secret, "the name of a Secret in the hub's namespace")
		d.need(child(field, "apiTokenFrom.key"), h.APITokenFrom.Key, "the key in it")
	}
	d.checkSet(p, child(field, "set"), h.Set)
	d.checkPools(p, child(field, "pools"), h.Pools)
	if h.PrePull.Timeout < 0 || h.PrePull.Timeout > maxPrePull {
		d.bad(child(field, "prePull.timeout"), fmt.Sprintf("%s is no time to wait for images", h.PrePull.Timeout), "write up to 24h, such as 30m")
	}
}

// names reports names that are empty or stand twice; what says what they name.
func (d *document) names(field, what string, names []string) {
	for i, n := range names {
		f := item(field, i)
		switch {
		case d.reported(f):
		case n == "":
			d.bad(f, "it names no "+what, "name one, or take the entry out")
		case slices.Index(names, n) < i:
			d.bad(f, fmt.Sprintf("%q stands twice", n), "keep one of the two")
		}
	}
}

func (d *document) checkURL(field, value string) {
	if value == "" {
		return // whether it is needed depends on the policy
	}
	u, err := url.Parse(value)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		// The value is not shown: it may hold a password.
		d.bad(field, "it is no web address", "write https://HOST, with the path below which the hub lives if there is one")
	case u.User != nil:
		d.bad(field, "it holds a user name or password", "leave it out: the token comes from apiTokenFrom")
	case u.RawQuery != "" || u.Fragment != "":
		d.bad(field, "it has a query or fragment", "end it before the ? or #")
	}
}

func (d *document) checkSet(p *Platform, field string, set map[string]any) {
	slots := map[string]string{}
	for image, s := range p.Chart.Images {
		for _, at := range []string{s.Name, s.Tag} {
			if at != "" {
				slots[at] = image
			}
		}
	}
	var seen []release.Path
	for _, s := range slices.Sorted(maps.Keys(set)) {
		f := child(field, s)
		path, err := release.ParsePath(s)
		if err != nil {
			d.bad(f, err.Error(), pathFix)
			continue
		}
		for _, other := range seen {
			if path.Within(other) {
				d.bad(f, "it lies in what "+other.String()+" sets", "set one of the two")
			}
		}
		seen = append(seen, path)
		if image, ok := slots[s]; ok {
			d.checkRequest(f, p.Chart.Images[image], image, set[s], s)
		}
	}
}

// checkRequest checks a value that stands in an image slot.
func (d *document) checkRequest(field string, slot ImageSlot, image string, value any, at string) {
	if at == slot.Name && slot.Tag != "" {
		return // the registry decides where images are
	}
	v, err := release.FromSet(map[string]any{at: value})
	if err != nil {
		return // reported as a path
	}
	tag, err := release.Slot(slot).Request(v)
	if err != nil {
		d.bad(field, fmt.Sprintf("the tag of %s is no text", image), "write it in quotes")
	} else if isMoving(tag) {
		d.moving(field, tag)
	}
}

// checkTwins reports hubs that are the same deployment.
func (d *document) checkTwins(p *Platform) {
	at, byURL := map[[3]string]string{}, map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(p.Hubs)) {
		h := p.Hubs[name]
		id := [3]string{h.Cluster, h.Namespace, h.Release}
		if other, ok := at[id]; ok {
			d.bad(child("hubs", name), fmt.Sprintf("it is the same Helm release as hub %s: cluster %s, namespace %s, release %s", other, h.Cluster, h.Namespace, h.Release),
				"give one of them its own namespace or release name")
		}
		if h.Cluster != "" && h.Namespace != "" && h.Release != "" {
			at[id] = name
		}
		if other, ok := byURL[strings.TrimRight(h.URL, "/")]; ok && h.URL != "" {
			d.bad(child(child("hubs", name), "url"), fmt.Sprintf("it is the address of hub %s too", other), "write each hub's own address")
		}
		byURL[strings.TrimRight(h.URL, "/")] = name
	}
}

func (d *document) checkInSync(field string, s InSync) {
	if len(s.Files) < 2 && !d.reported(child(field, "files")) {
		d.bad(child(field, "files"), fmt.Sprintf("%d file cannot differ from itself", len(s.Files)), "name two files or more, the first is the source")
	}
	d.names(child(field, "files"), "file", s.Files)
	if len(s.Paths) == 0 && !d.reported(child(field, "paths")) {
		d.bad(child(field, "paths"), "nothing is compared", "name the value paths that must be equal in all the files")
	}
	for i, path := range s.Paths {
		d.path(item(child(field, "paths"), i), path)
	}
}

const pathFix = "write it as jupyterhub.singleuser.image.tag"

// path checks a dotted path of values.
func (d *document) path(field, s string) (release.Path, bool) {
	if d.reported(field) {
		return nil, false
	}
	p, err := release.ParsePath(s)
	if err != nil {
		d.bad(field, err.Error(), pathFix)
		return nil, false
	}
	return p, true
}
