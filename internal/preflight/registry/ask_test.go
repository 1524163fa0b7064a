package registry

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	reg "github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"gauntlet/internal/preflight"
)

// A site is a registry that gives org/private to one user alone.
type site struct {
	host  string
	asked atomic.Int32
	fail  atomic.Int32 // the status that it answers everything with
	ready atomic.Bool  // its images are there
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{}
	inner := reg.New(reg.Logger(log.New(io.Discard, "", 0)))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		if code := s.fail.Load(); code != 0 {
			w.WriteHeader(int(code))
			return
		}
		user, password, ok := r.BasicAuth()
		if strings.Contains(r.URL.Path, "/org/private/") && (user != "robot" || password != "hunter2") || r.URL.Path == "/v2/" && !ok {
			// As most registries do: who comes without credentials is asked for some.
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if s.ready.Load() && r.Method == http.MethodHead && strings.Contains(r.URL.Path, "/org/nohead/") {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	s.host = strings.TrimPrefix(srv.URL, "http://")
	img, err := random.Image(64, 1)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	cfg.Config.Env = []string{"JUPYTERHUB_VERSION=5.2.1", "PASSWORD=hunter2"}
	cfg.Config.Cmd = []string{"start-singleuser.sh"}
	if img, err = mutate.ConfigFile(img, cfg); err != nil {
		t.Fatal(err)
	}
	for _, repo := range []string{"org/public", "org/private", "org/nohead"} {
		ref, err := name.ParseReference(s.host + "/" + repo + ":1")
		if err != nil {
			t.Fatal(err)
		}
		if err := remote.Write(ref, img, remote.WithAuth(&authn.Basic{Username: "robot", Password: "hunter2"})); err != nil {
			t.Fatal(err)
		}
	}
	s.ready.Store(true)
	return s
}

func (s *site) credential(password string) []Credential {
	return []Credential{{host: s.host, auth: authn.AuthConfig{Username: "robot", Password: password}}}
}

func TestAsk(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	s := newSite(t)
	for name, c := range map[string]struct {
		q           Question
		state       string
		credentials bool
	}{
		"public":                      {Question{Image: "org/public:1"}, preflight.Found, false},
		"no HEAD":                     {Question{Image: "org/nohead:1"}, preflight.Found, false},
		"no such tag":                 {Question{Image: "org/public:2"}, preflight.NotFound, false},
		"no such repository":          {Question{Image: "org/none:1"}, preflight.NotFound, false},
		"private":                     {Question{Image: "org/private:1"}, preflight.Denied, false},
		"private, with a secret":      {Question{Image: "org/private:1", Credentials: s.credential("hunter2")}, preflight.Found, true},
		"private, with a wrong one":   {Question{Image: "org/private:1", Credentials: s.credential("hunter3")}, preflight.Denied, true},
		"the second one does":         {Question{Image: "org/private:1", Credentials: append(s.credential("hunter3"), s.credential("hunter2")...)}, preflight.Found, true},
		"public, with a wrong secret": {Question{Image: "org/public:1", Credentials: s.credential("hunter3")}, preflight.Found, true},
		"another's secret":            {Question{Image: "org/private:1", Credentials: []Credential{{host: "quay.io"}}}, preflight.Denied, false},
		"no name of an image":         {Question{Image: "org/UPPER:1"}, preflight.Invalid, false},
	} {
		t.Run(name, func(t *testing.T) {
			c.q.Image = s.host + "/" + c.q.Image
			var a Asker
			got := a.Ask(t.Context(), []Question{c.q})[0]
			if got.State != c.state || got.Credentials != c.credentials || got.Ref != c.q.Image {
				t.Errorf("%+v", got)
			}
			if (got.State == preflight.Found) != (got.Why == "") {
				t.Errorf("why: %q", got.Why)
			}
		})
	}
}

func TestTheOperatorsOwnLoginsAreNotUsed(t *testing.T) {
	s := newSite(t)
	dir := t.TempDir()
	writeConfig(t, dir, s.host)
	t.Setenv("DOCKER_CONFIG", dir)
	ref, err := name.ParseReference(s.host + "/org/private:1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := remote.Head(ref, remote.WithAuthFromKeychain(authn.DefaultKeychain)); err != nil {
		t.Fatalf("the operator can read it: %v", err)
	}
	var a Asker
	if got := a.Ask(t.Context(), []Question{{Image: ref.String()}})[0]; got.State != preflight.Denied {
		t.Errorf("%+v", got)
	}
}

func TestWhatAnImageSaysHoldsNoEnvironmentButVersions(t *testing.T) {
	s := newSite(t)
	var a Asker
	got := a.Ask(t.Context(), []Question{{Image: s.host + "/org/public:1", Config: true}})[0].Config
	want := &preflight.ImageConfig{Cmd: []string{"start-singleuser.sh"}, Env: map[string]string{"JUPYTERHUB_VERSION": "5.2.1"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestARegistryThatIsDownIsNamedAndNotAskedAgain(t *testing.T) {
	s := newSite(t)
	s.fail.Store(http.StatusServiceUnavailable)
	var a Asker
	if got := a.Ask(t.Context(), []Question{{Image: s.host + "/org/public:1"}})[0]; got.State != preflight.Unreachable || got.Why != "it answers 503 Service Unavailable" {
		t.Errorf("%+v", got)
	}

	gone := httptest.NewServer(http.NotFoundHandler())
	host := strings.TrimPrefix(gone.URL, "http://")
	gone.Close()
	first := a.Ask(t.Context(), []Question{{Image: host + "/x:1"}})[0]
	if first.State != preflight.Unreachable || !strings.Contains(first.Why, "refused") {
		t.Errorf("%+v", first)
	}
	a.down[host] = "remembered"
	if got := a.Ask(t.Context(), []Question{{Image: host + "/y:1"}})[0]; got.Why != "remembered" {
		t.Errorf("%+v", got)
	}
}

func TestAnswersAreInTheOrderOfTheQuestions(t *testing.T) {
	s := newSite(t)
	var all []Question
	for range 40 {
		all = append(all, Question{Image: s.host + "/org/public:1"}, Question{Image: s.host + "/org/public:2"})
	}
	var a Asker
	for i, got := range a.Ask(t.Context(), all) {
		if want := []string{preflight.Found, preflight.NotFound}[i%2]; got.State != want {
			t.Fatalf("%d: %+v", i, got)
		}
	}
}

func TestClouds(t *testing.T) {
	for host, want := range map[string]bool{
		"123456789012.dkr.ecr.eu-west-1.amazonaws.com": true, "us-central1-docker.pkg.dev": true, "gcr.io": true, "eu.gcr.io": true, "x.azurecr.io": true,
		"quay.io": false, "ghcr.io": false, "index.docker.io": false, "172.29.0.1:5000": false,
	} {
		if got := Cloud(host); got != want {
			t.Errorf("%s: %t", host, got)
		}
	}
}
