package chart

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/cli"
	"helm.sh/helm/v4/pkg/downloader"
	"helm.sh/helm/v4/pkg/getter"

	"gauntlet/internal/release"
)

// packed is a chart with one template.
func packed(t *testing.T, name, version string) []byte {
	t.Helper()
	b, err := release.PackChart(map[string][]byte{
		"Chart.yaml":          fmt.Appendf(nil, "apiVersion: v2\nname: %s\nversion: %s\n", name, version),
		"templates/note.yaml": []byte("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: note}\n"),
	}, "", "")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A site is a chart repository with an index; asked counts its requests.
type site struct {
	*httptest.Server
	asked atomic.Int32
	down  atomic.Bool
	files map[string][]byte
	users string // "name:password" that may read, "" for all
}

func newSite(t *testing.T, charts ...[]byte) *site {
	t.Helper()
	s := &site{files: map[string][]byte{}}
	text := "apiVersion: v1\nentries:\n"
	for _, b := range charts {
		n, v, err := of(b)
		if err != nil {
			t.Fatal(err)
		}
		file := n + "-" + v + ".tgz"
		s.files["/charts/"+file] = b
		text += fmt.Sprintf("  %s:\n  - {apiVersion: v2, name: %s, version: %s, digest: %s, urls: [%s]}\n", n, n, v, release.DigestOf(b).Hex(), file)
	}
	s.files["/charts/index.yaml"] = []byte(text)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		user, password, _ := r.BasicAuth()
		switch b, ok := s.files[r.URL.Path]; {
		case s.down.Load():
			http.Error(w, "down", http.StatusBadGateway)
		case s.users != "" && s.users != user+":"+password:
			http.Error(w, "no", http.StatusUnauthorized)
		case !ok:
			http.NotFound(w, r)
		default:
			_, _ = w.Write(b)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *site) repo() string { return s.URL + "/charts" }

func TestAChartOfARepositoryIsFetchedOnceAndThenNeedsNoNetwork(t *testing.T) {
	b := packed(t, "hub", "1.2.3")
	s := newSite(t, b)
	f := Fetcher{Cache: t.TempDir()}
	c := Chart{Repo: s.repo(), Name: "hub", Version: "1.2.3"}
	for range 2 {
		got, err := f.Fetch(t.Context(), c)
		if err != nil || !bytes.Equal(got, b) {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
		s.down.Store(true)
	}
	if n := s.asked.Load(); n != 2 {
		t.Errorf("the repository was asked %d times", n)
	}
	// A file that is not what its name says is as good as none.
	list, err := filepath.Glob(filepath.Join(f.place(c), "*"))
	if err != nil || len(list) != 1 {
		t.Fatalf("%v, %v", list, err)
	}
	if err := os.WriteFile(list[0], packed(t, "hub", "1.2.4"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Fetch(t.Context(), c); err == nil {
		t.Error("a file of the cache that was changed is taken")
	}
}

func TestWhatARepositoryGivesMustBeWhatItSays(t *testing.T) {
	good := packed(t, "hub", "1.2.3")
	other := packed(t, "hub", "1.2.4")
	for name, tt := range map[string]struct {
		change func(*site)
		ask    Chart
		want   string
	}{
		"another archive": {func(s *site) { s.files["/charts/hub-1.2.3.tgz"] = other }, Chart{}, "the repository's index says"},
		"no digest":       {func(s *site) { s.index(release.DigestOf(good).Hex(), `""`) }, Chart{}, "states no digest"},
		"another version inside": {func(s *site) {
			s.files["/charts/hub-1.2.3.tgz"] = other
			s.index(release.DigestOf(good).Hex(), release.DigestOf(other).Hex())
		}, Chart{}, "holds chart hub 1.2.4"},
		"another digest than locked":  {func(*site) {}, Chart{Digest: release.DigestOf(other)}, "published this version again"},
		"no such version":             {func(*site) {}, Chart{Version: "9.9.9"}, "no version 9.9.9 of it: its newest is 1.2.3"},
		"no such chart":               {func(*site) {}, Chart{Name: "hup"}, "no chart hup"},
		"a page in place of an index": {func(s *site) { s.files["/charts/index.yaml"] = []byte("<html>") }, Chart{}, "is no index of charts"},
		"no archive": {func(s *site) {
			s.files["/charts/hub-1.2.3.tgz"] = []byte("x")
			s.index(release.DigestOf(good).Hex(), release.DigestOf([]byte("x")).Hex())
		}, Chart{}, "no packaged chart"},
		"down": {func(s *site) { s.down.Store(true) }, Chart{}, "502"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, good)
			tt.change(s)
			c := Chart{Repo: s.repo(), Name: "hub", Version: "1.2.3", Digest: tt.ask.Digest}
			if tt.ask.Name != "" {
				c.Name = tt.ask.Name
			}
			if tt.ask.Version != "" {
				c.Version = tt.ask.Version
			}
			_, err := Fetcher{Cache: t.TempDir()}.Fetch(t.Context(), c)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func (s *site) index(from, to string) {
	s.files["/charts/index.yaml"] = bytes.ReplaceAll(s.files["/charts/index.yaml"], []byte(from), []byte(to))
}

func TestCredentialsAreThoseOfTheUsersHelmAndNeverShown(t *testing.T) {
	s := newSite(t, packed(t, "hub", "1.2.3"))
	s.users = "ada:open-sesame"
	known := filepath.Join(t.TempDir(), "repositories.yaml")
	if err := os.WriteFile(known, fmt.Appendf(nil, "apiVersion: \"\"\nrepositories:\n- {name: ours, url: %q, username: ada, password: open-sesame}\n", s.repo()+"/"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := Chart{Repo: s.repo(), Name: "hub", Version: "1.2.3"}
	if _, err := (Fetcher{Repositories: known}).Fetch(t.Context(), c); err != nil {
		t.Error(err)
	}
	if _, err := (Fetcher{Repositories: "/nowhere"}).Fetch(t.Context(), c); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("without them: %v", err)
	}
	c.Repo = strings.Replace(c.Repo, "//", "//ada:swordfish@", 1)
	if _, err := (Fetcher{}).Fetch(t.Context(), c); err == nil || strings.Contains(err.Error(), "swordfish") {
		t.Errorf("got %v", err)
	}
}

func TestAChartOfARegistryIsFetchedByTag(t *testing.T) {
	var down atomic.Bool
	reg := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if down.Load() {
			http.Error(w, "down", http.StatusBadGateway)
			return
		}
		reg.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	host := strings.TrimPrefix(srv.URL, "http://")
	b := packed(t, "hub", "1.2.3+b1")
	img, err := mutate.AppendLayers(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), "application/vnd.cncf.helm.config.v1+json"),
		static.NewLayer(b, chartLayer))
	if err != nil {
		t.Fatal(err)
	}
	for tag, i := range map[string]v1.Image{"1.2.3_b1": img, "0.0.1": empty.Image} {
		ref, err := name.ParseReference(host + "/charts/hub:" + tag)
		if err != nil {
			t.Fatal(err)
		}
		if err := remote.Write(ref, i); err != nil {
			t.Fatal(err)
		}
	}
	f := Fetcher{Cache: t.TempDir(), Registries: "/nowhere"}
	c := Chart{Repo: "oci://" + host + "/charts", Name: "hub", Version: "1.2.3+b1"}
	for range 2 {
		got, err := f.Fetch(t.Context(), c)
		if err != nil || !bytes.Equal(got, b) {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
		down.Store(true)
	}
	down.Store(false)
	for version, want := range map[string]string{"0.0.1": "is no chart", "9.9.9": "the registry has no"} {
		if _, err := f.Fetch(t.Context(), Chart{Repo: c.Repo, Name: "hub", Version: version}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", version, err)
		}
	}
}

// write makes a folder of files.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// charts are the dependencies that a packed chart holds.
func charts(t *testing.T, b []byte) string {
	t.Helper()
	c, err := loader.LoadArchive(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, d := range c.Dependencies() {
		out = append(out, d.Name()+" "+d.Metadata.Version)
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

func TestALockThatHelmWroteIsFollowed(t *testing.T) {
	s := newSite(t, packed(t, "jupyterhub", "4.1.0"), packed(t, "gateway", "2024.1.1"))
	dir := write(t, map[string]string{
		"Chart.yaml": fmt.Sprintf(`apiVersion: v2
name: platform
version: 0.1.0
dependencies:
- {name: jupyterhub, version: ^4.0.0, repository: %q}
- {name: gateway, version: 2024.1.1, repository: %q, condition: gateway.enabled, alias: dask}
`, s.repo(), s.repo()),
	})
	f := Fetcher{Cache: t.TempDir()}
	if _, err := f.Pack(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "^4.0.0") || !strings.Contains(err.Error(), "helm dependency update "+dir) {
		t.Errorf("a range without a lock: %v", err)
	}
	settings := cli.New()
	helm := downloader.Manager{Out: io.Discard, ChartPath: dir, Getters: getter.All(settings),
		RepositoryConfig: filepath.Join(t.TempDir(), "none"), RepositoryCache: t.TempDir(), ContentCache: t.TempDir()}
	if err := helm.Update(); err != nil {
		t.Fatal(err)
	}
	whole, err := f.Pack(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "charts")); err != nil {
		t.Fatal(err)
	}
	fetched, err := f.Pack(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	const want = "gateway 2024.1.1, jupyterhub 4.1.0"
	if got := charts(t, fetched); got != want {
		t.Errorf("it holds %s, want %s", got, want)
	}
	if !bytes.Equal(whole, fetched) {
		t.Error("fetched dependencies give another archive than those that helm put into charts/")
	}
	s.down.Store(true)
	again, err := f.Pack(t.Context(), dir)
	if err != nil || !bytes.Equal(again, fetched) {
		t.Errorf("offline: %v", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
		t.Errorf("packing left %v, %v in the folder", entries, err)
	}
	edit(t, filepath.Join(dir, "Chart.yaml"), "^4.0.0", "^4.1.0")
	if _, err := f.Pack(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "Chart.lock is not of the dependencies in Chart.yaml") {
		t.Errorf("a lock of other dependencies: %v", err)
	}
}

func edit(t *testing.T, file, from, to string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, bytes.ReplaceAll(b, []byte(from), []byte(to)), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestDependenciesComeFromWhereTheChartSays(t *testing.T) {
	s := newSite(t, packed(t, "sub", "1.0.0"))
	const head = "apiVersion: v2\nname: top\nversion: 0.1.0\ndependencies:\n"
	ask := head + "- {name: sub, version: 1.0.0, repository: " + s.repo() + "}\n"
	sub := map[string]string{"Chart.yaml": "apiVersion: v2\nname: sub\nversion: 1.0.0\n"}
	for name, tt := range map[string]struct {
		files map[string]string
		want  string // dependencies, or a part of the error
	}{
		"none":                         {map[string]string{"Chart.yaml": "apiVersion: v2\nname: top\nversion: 0.1.0\n"}, ""},
		"an exact version, no lock":    {map[string]string{"Chart.yaml": ask}, "sub 1.0.0"},
		"a folder in charts":           {map[string]string{"Chart.yaml": head + "- {name: sub, version: 1.x, repository: \"https://nowhere.invalid\"}\n", "charts/sub/Chart.yaml": sub["Chart.yaml"]}, "sub 1.0.0"},
		"an archive in charts":         {map[string]string{"Chart.yaml": head + "- {name: sub, version: \"1.0.0\"}\n", "charts/sub-1.0.0.tgz": string(packed(t, "sub", "1.0.0"))}, "sub 1.0.0"},
		"another version in charts":    {map[string]string{"Chart.yaml": ask, "charts/sub/Chart.yaml": "name: sub\nversion: 0.9.0\n"}, "charts/ holds sub 0.9.0 where 1.0.0 is asked for: run `helm dependency build"},
		"no repository and not there":  {map[string]string{"Chart.yaml": head + "- {name: sub, version: 1.0.0}\n"}, "has no repository and is not in charts/"},
		"a repository by an alias":     {map[string]string{"Chart.yaml": head + "- {name: sub, version: 1.0.0, repository: \"@ours\"}\n"}, "run `helm repo add ours"},
		"a folder beside":              {map[string]string{"Chart.yaml": head + "- {name: sub, version: \">=1\", repository: \"file://beside\"}\n", "beside/Chart.yaml": sub["Chart.yaml"]}, "sub 1.0.0"},
		"a folder of another version":  {map[string]string{"Chart.yaml": head + "- {name: sub, version: 2.0.0, repository: \"file://beside\"}\n", "beside/Chart.yaml": sub["Chart.yaml"]}, "holds sub 1.0.0 where sub 2.0.0 is asked for"},
		"a folder that holds itself":   {map[string]string{"Chart.yaml": head + "- {name: top, version: 0.1.0, repository: \"file://.\"}\n"}, "round in a circle"},
		"a name that leaves the chart": {map[string]string{"Chart.yaml": head + "- {name: ../sub, version: 1.0.0}\n"}, "has no name that is one"},
		"a chart of the old form":      {map[string]string{"Chart.yaml": "apiVersion: v1\nname: top\nversion: 0.1.0\n", "requirements.yaml": "dependencies:\n- {name: sub, version: 1.0.0, repository: " + s.repo() + "}\n"}, "sub 1.0.0"},
		"no Chart.yaml":                {map[string]string{"values.yaml": ""}, "no Chart.yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := Fetcher{Repositories: "/nowhere"}.Pack(t.Context(), write(t, tt.files))
			if err != nil {
				if tt.want == "" || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("got %v, want %q", err, tt.want)
				}
				return
			}
			if got := charts(t, b); got != tt.want {
				t.Errorf("it holds %q, want %q", got, tt.want)
			}
		})
	}
}

func FuzzRequirements(f *testing.F) {
	f.Add("apiVersion: v2\ndependencies: [{name: a, version: 1.0.0}]\n", "dependencies: [{name: a, version: 1.0.0}]\ndigest: sha256:0\n")
	f.Add("apiVersion: v1\n", "")
	f.Add("dependencies: [null]\n", "dependencies: [null]\n")
	f.Fuzz(func(t *testing.T, chart, lock string) {
		files := map[string][]byte{"Chart.yaml": []byte(chart), "Chart.lock": []byte(lock)}
		for _, r := range first(requirements("dir", maps.Clone(files), func(s string) (string, error) { return s, nil })) {
			if r.Name == "" || strings.ContainsAny(r.Name, `/\`) {
				t.Errorf("%+v", r)
			}
			if r.exact("dir") == nil && !r.takes(r.Version) {
				t.Errorf("%+v does not take itself", r)
			}
		}
	})
}

func first(r []requirement, _ error) []requirement { return r }
