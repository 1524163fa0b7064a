package release

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const hubValues = `
jupyterhub:
  auth:
    admin: {users: [ada]}
    whitelist: {users: [ada, grace]}
  singleuser:
    image: {name: registry.example.org/p/notebook, tag: abc1234, pullPolicy: Always}
    storage: {capacity: 1Gi, count: 3, ratio: 0.5, shared: true, none: null, list: [1, a]}
`

// input is the same content every time, from maps filled in another order.
func input(t testing.TB, edit ...func(*Input)) Input {
	t.Helper()
	tgz, err := PackChart(chartFiles(), "hub", "0.1.0")
	if err != nil {
		t.Fatal(err)
	}
	in := Input{
		Set:          ImageSet{Images: map[string]Digest{"notebook": DigestOf([]byte("n")), "worker": DigestOf([]byte("w"))}},
		ChartArchive: tgz,
		Slots:        map[string]Slot{"notebook": {Name: "jupyterhub.singleuser.image.name", Tag: "jupyterhub.singleuser.image.tag"}, "worker": {Name: "worker.image"}},
		Access:       []string{"jupyterhub.auth.whitelist.users", "jupyterhub.auth.admin.users"},
		Hubs: map[string]HubInput{
			"testing": {Target: Target{Tier: "bleeding-edge", Cluster: "testing", Namespace: "t", Release: "t", URL: "https://t.example.org"}, Values: mustValues(t, hubValues)},
			"compute": {Target: Target{Tier: "production", Cluster: "compute", Namespace: "c", Release: "c"}, Values: mustValues(t, hubValues),
				Secrets: []File{{"secrets/a.enc.yml", []byte("sealed a")}, {"b.enc.yml", []byte("sealed b")}}},
		},
	}
	for _, e := range edit {
		e(&in)
	}
	return in
}

func made(t testing.TB, edit ...func(*Input)) Contents {
	t.Helper()
	c, err := New(input(t, edit...))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// set edits one value of hub testing.
func set(t testing.TB, path string, x any) func(*Input) {
	return func(in *Input) {
		h := in.Hubs["testing"]
		v, err := h.Values.Set(path, x)
		if err != nil {
			t.Fatal(err)
		}
		h.Values = v
		in.Hubs["testing"] = h
	}
}

// The identity of what gauntlet carries must never change by accident: with new
// digests every statement about the old ones is void.
func TestDigestsNeverChange(t *testing.T) {
	c := made(t)
	got := map[string]Digest{
		"image set":  c.Set.Digest(),
		"deployable": c.Release.Hubs["testing"].Deployable,
		"with files": c.Release.Hubs["compute"].Deployable,
		"access":     c.Release.Hubs["testing"].Access,
		"release":    c.Digest(),
	}
	want := map[string]Digest{
		"access":     "sha256:67d3a5072828eeb63bc08feae0727c26268285f4b6777d12e6bd3ce999d6fe17",
		"deployable": "sha256:d77f80816b95fd0f5db9896135172c7c2d876b673b369cfe71768308aacbd8ed",
		"image set":  "sha256:dd6a6df4735eeb96c63b01b5217fb4c9fc0da6d56b945d6b9d0e85381708479a",
		"release":    "sha256:86d831abd27a517dfeee2d9486a3ef3ac63d16205e7863fbd7ddcfc7ecf304cd",
		"with files": "sha256:65708d6672b3b4c684766b949b6167b294c6e8a44b446ccca1031f0b3b18e0ca",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for range 20 {
		if d := made(t).Digest(); d != got["release"] {
			t.Fatalf("the same content gave %s and %s", got["release"], d)
		}
	}
}

func TestAccessListsChangeOnlyAccess(t *testing.T) {
	was := made(t)
	remove := func(in *Input) {
		h := in.Hubs["testing"]
		h.Values, _ = h.Values.Delete("jupyterhub.auth")
		in.Hubs["testing"] = h
	}
	for name, edit := range map[string]func(*Input){
		"a user more":          set(t, "jupyterhub.auth.whitelist.users", []any{"ada", "grace", "linus"}),
		"no users":             set(t, "jupyterhub.auth.whitelist.users", nil),
		"no admin map":         set(t, "jupyterhub.auth.admin", map[string]any{}),
		"nothing about access": remove,
	} {
		is := made(t, edit)
		if was.Release.Hubs["testing"].Deployable != is.Release.Hubs["testing"].Deployable {
			t.Errorf("%s: the deployable changed", name)
		}
		if was.Release.Hubs["testing"].Access == is.Release.Hubs["testing"].Access || was.Digest() == is.Digest() {
			t.Errorf("%s: access or release did not change", name)
		}
		if was.Release.Hubs["compute"] != is.Release.Hubs["compute"] {
			t.Errorf("%s: another hub changed", name)
		}
	}
}

func TestRequestedTagsChangeNothing(t *testing.T) {
	was := made(t)
	for path, x := range map[string]any{
		"jupyterhub.singleuser.image.tag":  "v2",
		"jupyterhub.singleuser.image.name": "elsewhere.example.org/notebook",
		"worker.image":                     "registry.example.org/p/worker:abc",
	} {
		if is := made(t, set(t, path, x)); was.Digest() != is.Digest() {
			t.Errorf("%s changed the release", path)
		}
	}
}

func TestEveryOtherValueChangesTheDeployable(t *testing.T) {
	was := made(t).Release.Hubs["testing"].Deployable
	seen := map[Digest]string{was: "the first"}
	for path, x := range map[string]any{
		"jupyterhub.singleuser.image.pullPolicy":     "Never",
		"jupyterhub.singleuser.storage.capacity":     "2Gi",
		"jupyterhub.singleuser.storage.count":        "3",
		"jupyterhub.singleuser.storage.ratio":        0.25,
		"jupyterhub.singleuser.storage.shared":       false,
		"jupyterhub.singleuser.storage.none":         map[string]any{},
		"jupyterhub.singleuser.storage.list":         []any{"a", 1},
		"jupyterhub.singleuser.storage.new":          nil,
		"jupyterhub.auth.type":                       "x",
		"another":                                    map[string]any{},
		`jupyterhub.singleuser.storage.with\.dot`:    1,
		"jupyterhub.auth.admin.users_of_other_kinds": 1,
	} {
		d := made(t, set(t, path, x)).Release.Hubs["testing"].Deployable
		if other, ok := seen[d]; ok {
			t.Errorf("%s gives the deployable of %s", path, other)
		}
		seen[d] = path
	}
	for name, edit := range map[string]func(*Input){
		"chart": func(in *Input) { in.ChartArchive = append(slices.Clone(in.ChartArchive), 0) },
		"image": func(in *Input) { in.Set.Images["worker"] = DigestOf([]byte("w2")) },
		"secrets": func(in *Input) {
			h := in.Hubs["testing"]
			h.Secrets = []File{{"x", []byte("y")}}
			in.Hubs["testing"] = h
		},
	} {
		d := made(t, edit).Release.Hubs["testing"].Deployable
		if other, ok := seen[d]; ok {
			t.Errorf("%s gives the deployable of %s", name, other)
		}
		seen[d] = name
	}
}

func TestOrderOfSecretsCounts(t *testing.T) {
	was := made(t)
	is := made(t, func(in *Input) { slices.Reverse(in.Hubs["compute"].Secrets) })
	if was.Release.Hubs["compute"].Deployable == is.Release.Hubs["compute"].Deployable {
		t.Error("swapped secrets files gave the same deployable")
	}
}

func TestHubValues(t *testing.T) {
	c := made(t)
	got, err := c.HubValues("testing", "registry.example.org/p", "v1.4.0")
	if err != nil {
		t.Fatal(err)
	}
	n, w := string(DigestOf([]byte("n"))), string(DigestOf([]byte("w")))
	want := mustValues(t, hubValues+"worker: {image: registry.example.org/p/worker@"+w+"}\n")
	for path, x := range map[string]any{"jupyterhub.singleuser.image.name": "registry.example.org/p/notebook", "jupyterhub.singleuser.image.tag": "v1.4.0@" + n} {
		if want, err = want.Set(path, x); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	got, err = c.HubValues("compute", "r", "l", mustValues(t, "k: 1"), mustValues(t, "k: 2"))
	if k, _ := got.Get("k"); err != nil || k != 2.0 {
		t.Errorf("secrets over the values: k = %v, %v; want 2", k, err)
	}
	for name, try := range map[string]func() (Values, error){
		"unknown hub":     func() (Values, error) { return c.HubValues("nowhere", "r", "l") },
		"secrets missing": func() (Values, error) { return c.HubValues("compute", "r", "l") },
		"no label":        func() (Values, error) { return c.HubValues("testing", "r", "") },
		"image in a secret": func() (Values, error) {
			return c.HubValues("compute", "r", "l", mustValues(t, "worker: {image: 'x:y'}"), Values{})
		},
		"slot under a text": func() (Values, error) { return c.HubValues("compute", "r", "l", mustValues(t, "worker: x"), Values{}) },
	} {
		if v, err := try(); err == nil {
			t.Errorf("%s: got %v", name, v)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for name, edit := range map[string]func(*Input){
		"no images":              func(in *Input) { in.Set = ImageSet{} },
		"no hubs":                func(in *Input) { in.Hubs = nil },
		"no chart":               func(in *Input) { in.ChartArchive = nil },
		"no slots":               func(in *Input) { in.Slots = nil },
		"slot of no image":       func(in *Input) { in.Slots["other"] = Slot{Name: "x"} },
		"slot without a name":    func(in *Input) { in.Slots["worker"] = Slot{Tag: "x"} },
		"two slots at one place": func(in *Input) { in.Slots["worker"] = Slot{Name: "jupyterhub.singleuser.image.tag"} },
		"access over a slot":     func(in *Input) { in.Access = append(in.Access, "jupyterhub.singleuser") },
		"access twice":           func(in *Input) { in.Access = append(in.Access, in.Access[0]) },
		"bad access path":        func(in *Input) { in.Access = []string{"a..b"} },
		"a tag for a digest":     func(in *Input) { in.Set.Images["worker"] = "latest" },
		"hub name with a slash":  func(in *Input) { in.Hubs["a/b"] = in.Hubs["testing"] },
		"slot under a text":      set(t, "worker", "x"),
	} {
		if _, err := New(input(t, edit)); err == nil {
			t.Errorf("%s: a release was made", name)
		}
	}
}

func TestOpenGivesBackWhatNewMade(t *testing.T) {
	c := made(t)
	got, err := Open(c.Artifact())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(c, got); diff != "" {
		t.Errorf("(-made +opened):\n%s", diff)
	}
}

func TestOpenRefusesWhatWasAltered(t *testing.T) {
	for name, alter := range map[string]func(*Artifact){
		"type":          func(a *Artifact) { a.Type = TypeImageSet },
		"config":        func(a *Artifact) { a.Config = []byte("{}") },
		"config spaces": func(a *Artifact) { a.Config = append(a.Config, '\n') },
		"unknown field": func(a *Artifact) { a.Config = append([]byte(`{"x":1,`), a.Config[1:]...) },
		"layer more":    func(a *Artifact) { a.Layers = append(a.Layers, Blob{"text/plain", "x", nil}) },
		"layer order":   func(a *Artifact) { slices.Reverse(a.Layers) },
		"media type":    func(a *Artifact) { a.Layers[0].MediaType = "text/plain" },
		"access outside its paths": func(a *Artifact) {
			change(a, "access/testing.json", func(v map[string]any) { v["hub"] = map[string]any{"extraConfig": "x"} })
		},
		"digest of a deployable": func(a *Artifact) {
			var r Release
			if err := json.Unmarshal(a.Config, &r); err != nil {
				panic(err)
			}
			p := r.Hubs["testing"]
			p.Deployable = r.Hubs["compute"].Deployable
			r.Hubs["testing"] = p
			a.Config = canonical(r)
		},
	} {
		a := made(t).Artifact()
		alter(&a)
		if _, err := Open(a); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
	whole := made(t).Artifact()
	for i, l := range whole.Layers {
		a := made(t).Artifact()
		a.Layers[i].Data = append(slices.Clone(l.Data), ' ')
		if _, err := Open(a); err == nil {
			t.Errorf("%s altered: opened", l.Title)
		}
		a = made(t).Artifact()
		a.Layers = slices.Delete(a.Layers, i, i+1)
		if _, err := Open(a); err == nil {
			t.Errorf("%s missing: opened", l.Title)
		}
	}
}

func change(a *Artifact, title string, edit func(map[string]any)) {
	for i, l := range a.Layers {
		if l.Title != title {
			continue
		}
		var v map[string]any
		if err := json.Unmarshal(l.Data, &v); err != nil {
			panic(err)
		}
		edit(v)
		a.Layers[i].Data = canonical(v)
	}
}

func FuzzReleaseRoundTrip(f *testing.F) {
	for _, doc := range append(documents, hubValues) {
		f.Add([]byte(doc), []byte("sealed"), "jupyterhub.auth.whitelist.users")
	}
	f.Add([]byte("a: {b: {}, c: {}}"), []byte(""), "a.b.x")
	f.Fuzz(func(t *testing.T, doc, secret []byte, access string) {
		v, err := ParseValues("values.yaml", doc)
		if err != nil {
			return
		}
		in := input(t, func(in *Input) {
			in.Access = []string{"jupyterhub.auth.admin.users", access}
			in.Hubs = map[string]HubInput{"h": {Values: v, Secrets: []File{{"s", secret}}}}
		})
		c, err := New(in)
		if err != nil {
			return
		}
		got, err := Open(c.Artifact())
		if err != nil {
			t.Fatal(err)
		}
		if got.Digest() != c.Digest() {
			t.Fatal("the opened release has another digest")
		}
		if diff := cmp.Diff(c, got); diff != "" {
			t.Fatalf("(-made +opened):\n%s", diff)
		}
		// Nothing of the values is lost: but for the slots, Helm gets them all.
		back := Merge(got.Deployables["h"].Values, got.Access["h"])
		for _, s := range in.Slots {
			if back, err = s.blank(back); err != nil {
				t.Fatal(err)
			}
			if v, err = s.blank(v); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(v, back); diff != "" {
			t.Fatalf("values (-given +deployed):\n%s", diff)
		}
	})
}

func TestSplitAccessLosesNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	keys := []string{"a", "b", "c"}
	var tree func(depth int) map[string]any
	tree = func(depth int) map[string]any {
		m := map[string]any{}
		for _, k := range keys {
			switch r.IntN(4) {
			case 0:
				m[k] = "x"
			case 1:
				m[k] = nil
			case 2:
				if depth > 0 {
					m[k] = tree(depth - 1)
				}
			}
		}
		return m
	}
	for range 5000 {
		v := Values(tree(3))
		paths := []Path{{"a", "b", "c"}, {"a", "c"}, {"b"}}
		rest, access := splitAccess(v, paths)
		if diff := cmp.Diff(v, Merge(rest, access)); diff != "" {
			t.Fatalf("(-whole +merged):\n%s", diff)
		}
		for _, p := range paths {
			if x, ok := rest.at(p); ok {
				t.Fatalf("%s is left: %v of %v", p, x, v)
			}
		}
	}
}

func TestRequest(t *testing.T) {
	pair, whole := Slot{Name: "i.name", Tag: "i.tag"}, Slot{Name: "i.name"}
	for _, c := range []struct {
		slot      Slot
		doc, want string
	}{
		{pair, "", ""},
		{pair, "i: {tag: ''}", ""},
		{pair, "i: {tag: null}", ""},
		{pair, "i: {tag: abc}", "abc"},
		{whole, "i: {name: 'r.example.org:5000/p/n'}", ""},
		{whole, "i: {name: 'r.example.org:5000/p/n:abc'}", "abc"},
		{whole, "i: {name: 'n@sha256:12'}", "sha256:12"},
	} {
		got, err := c.slot.Request(mustValues(t, c.doc))
		if err != nil || got != c.want {
			t.Errorf("%q: %q, %v; want %q", c.doc, got, err, c.want)
		}
	}
	_, err := pair.Request(mustValues(t, "i: {tag: 1.10}"))
	if err == nil || !strings.Contains(err.Error(), "in quotes") {
		t.Errorf("a number for a tag: %v", err)
	}
}

func TestNewKeepsNoHandleOnItsInput(t *testing.T) {
	in := input(t)
	c, err := New(in)
	if err != nil {
		t.Fatal(err)
	}
	was := c.Digest()
	clear(in.Slots)
	maps.DeleteFunc(in.Set.Images, func(string, Digest) bool { return true })
	in.ChartArchive[20] ^= 1
	in.Hubs["compute"].Secrets[0].Data[0] ^= 1
	in.Hubs["testing"].Values["x"] = 1
	if c.Digest() != was {
		t.Error("the release changed with its input")
	}
}
