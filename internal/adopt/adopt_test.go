package adopt

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gauntlet/internal/release"
)

func values(t testing.TB, text string) release.Values {
	t.Helper()
	v, err := release.ParseValues("test", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestWhatNoFileHoldsIsTakenInAndSecretsApart(t *testing.T) {
	live := values(t, `
proxy: {secretToken: 0ff1ce, service: {type: LoadBalancer, loadBalancerIP: 192.0.2.7, nodePort: 30080}}
hub:
  cookieSecret: c00c1e
  db: {url: "postgresql://hub:pw@db/hub", type: postgres}
  config: {GitHubOAuthenticator: {client_id: abc, client_secret: shh}}
  services: {gateway: {apiToken: t0ken, url: http://gateway}}
  extraConfig: {auth: "c.X.client_secret = 'shh'\n", plain: "c.X.debug = True\n"}
  plainName: hidden by the chart
  extra: {}
  gone: null
singleuser: {image: {name: registry/notebook, tag: old}, cpu: {limit: 2}, extraEnv: {SITE: here, DB_PASSWORD: pw}, extraContainers: [{name: x, env: [{name: API_KEY, value: k}]}]}
users: [ada, grace]
debug: {enabled: true}
`)
	files := Files{
		Values: values(t, "hub: {db: {type: sqlite-pvc, upgrade: true}}\nproxy: {service: {type: LoadBalancer}}\nusers: [ada]\n"),
		Set:    values(t, "proxy: {service: {nodePort: 30080}}\n"),
	}
	got, err := Compare(live, files, []string{"singleuser.image.name", "singleuser.image.tag"}, []string{"hidden by the chart"})
	if err != nil {
		t.Fatal(err)
	}
	want := Import{
		Values: values(t, `
proxy: {service: {loadBalancerIP: 192.0.2.7}}
hub:
  db: {type: postgres}
  config: {GitHubOAuthenticator: {client_id: abc}}
  services: {gateway: {url: http://gateway}}
  extraConfig: {plain: "c.X.debug = True\n"}
  gone: null
singleuser: {cpu: {limit: 2}, extraEnv: {SITE: here}}
users: [ada, grace]
debug: {enabled: true}
`),
		Secrets: values(t, `
proxy: {secretToken: 0ff1ce}
hub:
  cookieSecret: c00c1e
  db: {url: "postgresql://hub:pw@db/hub"}
  config: {GitHubOAuthenticator: {client_secret: shh}}
  services: {gateway: {apiToken: t0ken}}
  extraConfig: {auth: "c.X.client_secret = 'shh'\n"}
  plainName: hidden by the chart
singleuser: {extraEnv: {DB_PASSWORD: pw}, extraContainers: [{name: x, env: [{name: API_KEY, value: k}]}]}
`),
		Same: 2, Extra: []string{"hub.db.upgrade"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	// What was taken in is all that lacked.
	files.Values, files.Secrets = release.Merge(files.Values, got.Values), release.Merge(files.Secrets, got.Secrets)
	again, err := Compare(live, files, []string{"singleuser.image.name", "singleuser.image.tag"}, nil)
	if err != nil || !again.Empty() {
		t.Errorf("a second time it takes in %v and %v, %v", again.Values, again.Secrets, err)
	}
}

func TestFilesThatWouldWinAreNamed(t *testing.T) {
	live := values(t, "a: {b: 1}\nc: x\n")
	_, err := Compare(live, Files{Set: values(t, "a: {b: 2}")}, nil, nil)
	var set *SetError
	if !errors.As(err, &set) || !slices.Equal(set.Paths, []string{"a.b"}) {
		t.Errorf("got %v", err)
	}
	// An encrypted file wins over set, and over a values file: its value is replaced in one.
	got, err := Compare(live, Files{Secrets: values(t, "a: {b: 2}")}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(Import{Values: values(t, "c: x"), Secrets: values(t, "a: {b: 1}")}, got); d != "" {
		t.Error(d)
	}
}

func TestAMapInPlaceOfAScalarIsTakenIn(t *testing.T) {
	for name, tt := range map[string]struct{ live, files string }{
		"a map over a scalar":        {"a: {b: 1}", "a: 2"},
		"a scalar over a map":        {"a: 2", "a: {b: 1}"},
		"an empty map over a text":   {"a: {}", "a: x"},
		"a list over a map":          {"a: [1]", "a: {b: 1}"},
		"a null over a value":        {"a: null", "a: 1"},
		"a null where nothing is":    {"a: {b: null}", ""},
		"a key with a dot":           {"a: {b.c/d: 1}", ""},
		"a text that looks a number": {"a: \"012\"", "a: 12"},
	} {
		t.Run(name, func(t *testing.T) {
			live, files := values(t, tt.live), values(t, tt.files)
			got, err := Compare(live, Files{Values: files}, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			text, err := File(got.Values, "one\ntwo")
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(string(text), "# one\n# two\n") {
				t.Errorf("%s", text)
			}
			now := release.Merge(files, values(t, string(text)))
			if d := cmp.Diff(live, now); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestNumbersAreWrittenAsPeopleDo(t *testing.T) {
	text, err := File(values(t, "a: 1073741824\nb: 0.5\nc: [8000]\nd: \"yes\"\ne: 12e4567\n"), "")
	if err != nil {
		t.Fatal(err)
	}
	if want := "a: 1073741824\nb: 0.5\nc:\n- 8000\nd: \"yes\"\n"; !strings.HasPrefix(string(text), want) {
		t.Errorf("%s", text)
	}
}

func FuzzCompare(f *testing.F) {
	f.Add("a: {b: 1, token: x}\n", "a: 1\n")
	f.Add("a: [1]\nb: {}\n", "b: {c: 1}\n")
	f.Fuzz(func(t *testing.T, a, b string) {
		live, err := release.ParseValues("", []byte(a))
		if err != nil {
			return
		}
		files, err := release.ParseValues("", []byte(b))
		if err != nil {
			return
		}
		got, err := Compare(live, Files{Values: files}, nil, nil)
		if err != nil {
			return
		}
		now := release.Merge(release.Merge(files, got.Values), got.Secrets)
		if lacking := live.LackingIn(now); len(lacking) > 0 {
			t.Errorf("after the import %v still lacks", lacking)
		}
	})
}
