package packages

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadKeepsEnvironmentsApart(t *testing.T) {
	files := map[string][]byte{
		"var/lib/dpkg/status": []byte("Package: libc6\nStatus: install ok installed\nVersion: 2.36-9\nDescription: C library\n Version: none\n\n" +
			"Package: python3\nStatus: install ok installed\nVersion: 3.11.2-1+b1\n\nPackage: gone\nStatus: deinstall ok config-files\nVersion: 1\n"),
		"usr/lib/os-release": []byte("PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID=\"12\"\nID=debian\n"),
		"etc/os-release":     nil,
		"opt/env/lib/python3.11/site-packages/Dask_Expr-1.1.dist-info/METADATA": nil,
		"opt/env/lib/python3.11/site-packages/zope.event-5.0.dist-info":         nil,
		"usr/lib/python3/dist-packages/numpy-1.24.2.egg-info/PKG-INFO":          nil,
		"usr/lib/python3/dist-packages/old_one-0.1-py3.11.egg-info":             nil,
		"usr/lib/python3/dist-packages/checkout.egg-info/PKG-INFO":              nil,
		"opt/conda/conda-meta/python-dateutil-2.9.0-pyhd8ed1ab_0.json":          nil,
		"opt/conda/envs/geo/conda-meta/numpy-2.1.0-py312_0.json":                nil,
		"opt/conda/envs/geo/conda-meta/history.json":                            nil,
	}
	for p := range files {
		if tells, contents := Tells(p); !tells || contents != (p == "var/lib/dpkg/status" || strings.HasSuffix(p, "os-release")) {
			t.Errorf("Tells(%q) = %v, %v", p, tells, contents)
		}
	}
	want := List{
		{Path: "/", Kind: Debian, Distribution: "debian-12", Packages: map[string]string{"libc6": "2.36-9", "python3": "3.11.2-1+b1"}},
		{Path: "/opt/conda", Kind: Conda, Packages: map[string]string{"python-dateutil": "2.9.0"}},
		{Path: "/opt/conda/envs/geo", Kind: Conda, Packages: map[string]string{"numpy": "2.1.0"}},
		{Path: "/opt/env", Kind: Python, Python: "3.11", Packages: map[string]string{"dask-expr": "1.1", "zope-event": "5.0"}},
		{Path: "/usr", Kind: Python, Python: "3.11", Packages: map[string]string{"numpy": "1.24.2", "old-one": "0.1"}},
	}
	if d := cmp.Diff(want, Read(files)); d != "" {
		t.Error(d)
	}
}

func TestWhatIsNoPackageTellsNothing(t *testing.T) {
	for _, p := range []string{
		"opt/env/lib/python3.11/site-packages/numpy/__init__.py",
		"opt/env/lib/python3.11/site-packages/numpy-2.0.dist-info/RECORD",
		"var/lib/dpkg/status-old", "var/lib/dpkg/info/libc6.list", "conda-meta/x-1-0.json.bak",
		"var/lib/dpkg/status.d/base.md5sums",
	} {
		if tells, _ := Tells(p); tells {
			t.Errorf("%q tells of packages", p)
		}
	}
}

func TestDiffNamesExactlyWhatChanged(t *testing.T) {
	env := func(p, kind, python string, pairs ...string) Environment {
		e := Environment{Path: p, Kind: kind, Python: python, Packages: map[string]string{}}
		for i := 0; i < len(pairs); i += 2 {
			e.Packages[pairs[i]] = pairs[i+1]
		}
		return e
	}
	from := List{
		env("/", Debian, "", "libc6", "2.36-9+deb12u9", "tzdata", "2025a", "bash", "5.2"),
		env("/opt/env", Python, "3.11", "aiohttp", "3.9", "dask", "2026.8.0", "numpy", "2.10.0", "same", "1", "old", "1"),
		env("/opt/second", Python, "3.11", "numpy", "2.10.0"),
		env("/opt/third", Python, "3.11", "numpy", "2.10.0"),
	}
	to := List{
		env("/", Debian, "", "libc6", "2.36-9+deb12u10", "tzdata", "2025a", "bash", "5.2"),
		env("/opt/env", Python, "3.12", "aiohttp", "3.10", "dask", "2026.11.0", "numpy", "2.9.0", "same", "1", "new", "0.1"),
		env("/opt/second", Python, "3.11", "numpy", "2.10.0"),
		env("/opt/third", Python, "3.11", "numpy", "2.10.0+local.abc"),
	}
	want := []Difference{
		{Path: "/", Kind: Debian, Changes: []Change{{"libc6", Upgraded, "2.36-9+deb12u9", "2.36-9+deb12u10"}}},
		{Path: "/opt/env", Kind: Python, PythonFrom: "3.11", PythonTo: "3.12", Changes: []Change{
			{"dask", Upgraded, "2026.8.0", "2026.11.0"},
			{"aiohttp", Upgraded, "3.9", "3.10"},
			{"new", Added, "", "0.1"},
			{"numpy", Downgraded, "2.10.0", "2.9.0"},
			{"old", Removed, "1", ""},
		}},
		{Path: "/opt/third", Kind: Python, Changes: []Change{{"numpy", Upgraded, "2.10.0", "2.10.0+local.abc"}}},
	}
	if d := cmp.Diff(want, Diff(from, to)); d != "" {
		t.Error(d)
	}
	if d := Diff(from, from); len(d) != 0 {
		t.Errorf("an image differs from itself: %v", d)
	}
}

func TestDiffTellsOfEnvironmentsThatComeAndGo(t *testing.T) {
	one := List{{Path: "/opt/a", Kind: Conda, Packages: map[string]string{"x": "1"}}}
	if d := cmp.Diff([]Difference{{Path: "/opt/a", Kind: Conda, Changes: []Change{{"x", Removed, "1", ""}}}}, Diff(one, nil)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]Difference{{Path: "/opt/a", Kind: Conda, Changes: []Change{{"x", Added, "", "1"}}}}, Diff(nil, one)); d != "" {
		t.Error(d)
	}
}

func FuzzRead(f *testing.F) {
	f.Add("var/lib/dpkg/status", "Package: a\nVersion: 1\n\n")
	f.Add("opt/env/lib/python3.11/site-packages/a-1.dist-info/METADATA", "")
	f.Add("opt/conda/conda-meta/a-b-1-0.json", "")
	f.Fuzz(func(t *testing.T, p, data string) {
		l := Read(map[string][]byte{p: []byte(data)})
		for _, e := range l {
			if len(e.Packages) == 0 {
				t.Errorf("an environment without packages: %+v", e)
			}
		}
		if len(Diff(l, l)) != 0 {
			t.Errorf("%+v differs from itself", l)
		}
	})
}

func TestOnPathIsTheFirstEnvironmentOfThePath(t *testing.T) {
	l := List{{Path: "/", Kind: Debian}, {Path: "/opt/env", Kind: Python}, {Path: "/usr", Kind: Python}}
	for want, folders := range map[string][]string{
		"/opt/env": {"/nowhere", "/opt/env/bin/", "/usr/bin"},
		"/usr":     {"/usr/local/bin", "/usr/bin", "/opt/env/bin"},
		"":         {"/bin", "opt/env/bin"},
	} {
		if e, ok := OnPath(l, folders); e.Path != want || ok != (want != "") {
			t.Errorf("%v leads to %q, %v", folders, e.Path, ok)
		}
	}
}

func TestShareTellsWhatAPairGotTogetherAndWhatOneGotAlone(t *testing.T) {
	dask, numpy, lab := Change{"dask", Upgraded, "1", "2"}, Change{"numpy", Upgraded, "1", "2"}, Change{"jupyterlab", Added, "", "4"}
	other := Change{"numpy", Upgraded, "1", "3"}
	got := Share(
		[]Difference{{Path: "/", Kind: Debian, Changes: []Change{{"bash", Removed, "5", ""}}}, {Path: "/opt/env", Kind: Python, Changes: []Change{dask, lab, numpy}}, {Path: "/opt/geo", Kind: Conda, Changes: []Change{dask}}},
		[]Difference{{Path: "/opt/env", Kind: Python, Changes: []Change{dask, other}}},
	)
	if d := cmp.Diff(Shared{Both: []Change{dask}, First: []Change{lab, numpy}, Second: []Change{other}}, got); d != "" {
		t.Error(d)
	}
}
