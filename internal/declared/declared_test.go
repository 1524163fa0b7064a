package declared

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gauntlet/internal/packages"
)

func TestRequirementsAreReadAsPipReadsThem(t *testing.T) {
	const text = `# what the notebook promises
-r other.txt
--index-url https://pypi.example.org/simple
Dask[distributed]==2026.8.0 \
    --hash=sha256:aa \
    --hash=sha256:bb
    # via something
zope.event >= 5   # a comment
geopandas; python_version < "3.9"
numpy==2.*
own @ https://example.org/own-1.0.tar.gz
https://example.org/unnamed.tar.gz
git+https://example.org/unnamed.git
./local
-e .
pandas===2.2.3
`
	got, err := Read("notebook.txt", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	want := []Package{
		{Name: "dask", Version: "2026.8.0", Line: 4},
		{Name: "zope-event", Line: 8},
		{Name: "geopandas", Maybe: true, Line: 9},
		{Name: "numpy", Version: "2", Any: true, Line: 10},
		{Name: "own", Line: 11},
		{Name: "pandas", Version: "2.2.3", Line: 16},
	}
	for i := range want {
		want[i].File = "notebook.txt"
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if _, err := Read("x.txt", []byte("dask\nnot a package\n")); err == nil || !strings.HasPrefix(err.Error(), "x.txt:2: ") {
		t.Errorf("got %v", err)
	}
}

func TestAnEnvironmentIsReadAsCondaReadsIt(t *testing.T) {
	const text = `name: base
channels: [conda-forge]
dependencies:
  - python=3.11
  - conda-forge::gdal>=3.9
  - numpy=2.1.0=py311_0
  - dask==2026.8.0
  - pip
  - pip:
      - zarr==3.1.6
      - -e ./own
`
	got, err := Read("base_environment.yml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	want := []Package{
		{Name: "python", Version: "3.11", Any: true, Conda: true, Line: 4},
		{Name: "gdal", Conda: true, Line: 5},
		{Name: "numpy", Version: "2.1.0", Any: true, Conda: true, Line: 6},
		{Name: "dask", Version: "2026.8.0", Conda: true, Line: 7},
		{Name: "pip", Conda: true, Line: 8},
		{Name: "zarr", Version: "3.1.6", Line: 10},
	}
	for i := range want {
		want[i].File = "base_environment.yml"
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	for name, bad := range map[string]string{
		"no YAML": "dependencies: [", "no dependencies": "name: x\n", "no list": "dependencies: numpy\n", "another installer": "dependencies:\n  - npm: [x]\n",
	} {
		if l, err := Read("environment.yml", []byte(bad)); err == nil || !strings.Contains(err.Error(), "environment.yml") {
			t.Errorf("%s: %v, %v", name, l, err)
		}
	}
}

func TestMissingIsWhatNoEnvironmentHolds(t *testing.T) {
	have := packages.List{
		{Kind: packages.Debian, Packages: map[string]string{"python3-shapely": "2.0.1-1", "octave": "8.4"}},
		{Kind: packages.Conda, Packages: map[string]string{"gdal": "3.9.2", "python": "3.11.9"}},
		{Kind: packages.Python, Packages: map[string]string{"dask": "2026.8", "numpy": "2.1.3"}},
		{Kind: packages.Python, Packages: map[string]string{"numpy": "1.26.4"}},
	}
	at := func(p Package) Package { p.File, p.Line = "f", 3; return p }
	for name, tt := range map[string]struct {
		p    Package
		want string
	}{
		"there":                            {Package{Name: "numpy"}, ""},
		"there in one of two environments": {Package{Name: "numpy", Version: "1.26.4"}, ""},
		"equal by PEP 440":                 {Package{Name: "dask", Version: "2026.8.0"}, ""},
		"by conda":                         {Package{Name: "gdal", Version: "3.9", Any: true}, ""},
		"by Debian":                        {Package{Name: "shapely"}, ""},
		"no Python package":                {Package{Name: "octave", Conda: true}, ""},
		"not there":                        {Package{Name: "geopandas"}, "geopandas is in no environment (f:3)"},
		"not there, and only maybe meant":  {Package{Name: "geopandas", Maybe: true}, ""},
		"another version":                  {Package{Name: "numpy", Version: "2.0.0"}, "numpy is 1.26.4, 2.1.3, not 2.0.0 (f:3)"},
		"another minor":                    {Package{Name: "python", Version: "3.1", Any: true}, "python is 3.11.9, not 3.1 (f:3)"},
	} {
		if got := strings.Join(Missing([]Package{at(tt.p)}, have), "; "); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add("a.txt", "dask==1 \\\n --hash=x ; python_version > '3'\n")
	f.Add("a.yml", "dependencies:\n  - a=1\n  - pip: [b]\n")
	f.Fuzz(func(t *testing.T, file, text string) {
		list, err := Read(file, []byte(text))
		if err != nil {
			return
		}
		for _, p := range list {
			if p.Name == "" || p.Line < 1 {
				t.Errorf("%+v", p)
			}
		}
		_ = Missing(list, nil)
	})
}
