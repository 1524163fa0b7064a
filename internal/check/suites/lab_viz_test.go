package suites

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gauntlet/internal/browser"
	"gauntlet/internal/check"
	"gauntlet/internal/release"
)

// picturesEnv is a folder where the pictures of a test are kept, for people to look at.
const picturesEnv = "GAUNTLET_TEST_PICTURES"

// labAssets are files that maps of folium load from elsewhere, as npm has them: this
// machine need not reach the places themselves.
func labAssets(t *testing.T) []browser.Route {
	t.Helper()
	var routes []browser.Route
	for _, a := range []struct{ prefix, name, version, folder string }{
		{"https://cdn.jsdelivr.net/npm/leaflet@1.9.3/", "leaflet", "1.9.3", ""},
		{"https://cdn.jsdelivr.net/npm/bootstrap@5.2.2/", "bootstrap", "5.2.2", ""},
		{"https://code.jquery.com/jquery-3.7.1.", "jquery", "3.7.1", "dist/jquery."},
	} {
		dir := filepath.Join(t.TempDir(), a.name)
		if err := unpack(dir, "https://registry.npmjs.org/"+a.name+"/-/"+a.name+"-"+a.version+".tgz"); err != nil {
			t.Fatalf("fetch %s of npm: %v", a.name, err)
		}
		if a.folder == "" {
			routes = append(routes, browser.Route{Prefix: a.prefix, Dir: dir})
			continue
		}
		// jquery.min.js is served as jquery-3.7.1.min.js.
		if err := os.Rename(filepath.Join(dir, a.folder+"min.js"), filepath.Join(dir, "min.js")); err != nil {
			t.Fatal(err)
		}
		routes = append(routes, browser.Route{Prefix: a.prefix, Dir: dir})
	}
	return routes
}

// unpack unpacks a package of npm into a folder.
func unpack(dir, url string) error {
	resp, err := http.Get(url)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	z, err := gzip.NewReader(resp.Body)
	if err != nil {
		return err
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		_, rest, _ := strings.Cut(h.Name, "/")
		if h.Typeflag != tar.TypeReg || !filepath.IsLocal(rest) {
			continue
		}
		at := filepath.Join(dir, rest)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			return err
		}
		data, err := io.ReadAll(io.LimitReader(r, 32<<20))
		if err == nil {
			err = os.WriteFile(at, data, 0o644)
		}
		if err != nil {
			return err
		}
	}
}

// Faults that users' IPython code makes as it starts.
const (
	otherFrontEnd = `
import ipywidgets
made = ipywidgets.IntSlider.__init__
def newer(self, *a, **k):
    made(self, *a, **k, _model_module_version="9.0.0", _view_module_version="9.0.0")
ipywidgets.IntSlider.__init__ = newer`
	plainLoop    = "import geopandas, pandas\ngeopandas.GeoSeries.buffer = lambda s, *a: geopandas.GeoSeries([g.buffer(*a) for g in s])"
	otherColours = "import matplotlib\nmatplotlib.rcParams['axes.prop_cycle'] = matplotlib.cycler(color=['red'])"
)

func TestLabVizNamesWhatIsWrong(t *testing.T) {
	c := connect(t)
	if _, err := browser.Find(); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	served := labAssets(t)
	accepted := map[string][]byte{}
	for _, tt := range []struct {
		name   string
		values release.Values
		served []browser.Route
		state  check.State
		check  string // that is not as it should be
		says   string
		long   bool
	}{
		{"the good image", nil, served, check.Warned, "matplotlib looks as accepted", "nobody has accepted a picture", false},
		{"the good image once more", nil, served, check.Passed, "", "", true},
		{"folium without its assets", nil, nil, check.Failed, "folium is drawn", "npm/leaflet@1.9.3/dist/leaflet", true},
		{"widgets of another version than their front end", startsWith(startup(otherFrontEnd)), served, check.Failed, "ipywidgets is drawn", "9.0.0", true},
		{"a geopandas without vectorisation", startsWith(startup(plainLoop)), served, check.Failed, "geopandas is vectorised", "buffer", true},
		{"a picture that has changed", startsWith(startup(otherColours)), served, check.Warned, "matplotlib looks as accepted", "it has changed, by", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			takesLong(t, tt.long)
			url := labHub(t, c, tt.values)
			to := target(c, url)
			to.Served, to.Accepted = tt.served, accepted
			got := map[string]check.Outcome{}
			r := check.Run(t.Context(), Viz(to), func(o check.Outcome) {
				t.Logf("%-50s %s %5.1fs %s", o.Name, o.State, o.Took.Seconds(), o.Message)
				got[o.Name] = o
			})
			t.Logf("took %s, %v", r.Finished.Sub(r.Started), r.Measures)
			if dir := os.Getenv(picturesEnv); dir != "" {
				for _, p := range r.Pictures {
					name := strings.ReplaceAll(tt.name, " ", "-") + "." + p.Name
					for end, png := range map[string][]byte{".png": p.PNG, ".difference.png": p.Difference} {
						if png != nil {
							if err := os.WriteFile(filepath.Join(dir, name+end), png, 0o644); err != nil {
								t.Fatal(err)
							}
						}
					}
				}
			}
			if o := got[tt.check]; tt.check != "" && (o.State != tt.state || !strings.Contains(o.Message, tt.says)) {
				t.Errorf("%s: %s: %q does not say %q", tt.check, o.State, o.Message, tt.says)
			}
			for _, o := range got {
				if tt.check == "" && o.State != check.Passed {
					t.Errorf("%s: %s: %s", o.Name, o.State, o.Message)
				}
			}
			if len(r.Pictures) != len(plots) {
				t.Errorf("%d pictures of %d plots", len(r.Pictures), len(plots))
			}
			if len(accepted) == 0 {
				for _, p := range r.Pictures {
					accepted[p.Name] = p.PNG
				}
			}
			nothingLeft(t, c, url)
		})
	}
}
