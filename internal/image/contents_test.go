package image

import (
	"archive/tar"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"gauntlet/internal/packages"
)

func TestPackagesAreThoseOfTheTopmostLayer(t *testing.T) {
	site := "opt/env/lib/python3.11/site-packages/"
	info := func(name string) entry { return entry{name: site + name + ".dist-info/METADATA", text: "x"} }
	base := []entry{info("numpy-1.0"), info("dask-2026.8.0"),
		{name: "var/lib/dpkg/status", text: "Package: bash\nStatus: install ok installed\nVersion: 5.1\n"}}
	only := func(names ...string) packages.List {
		l := packages.List{{Path: "/", Kind: packages.Debian, Packages: map[string]string{"bash": "5.1"}}}
		if len(names) == 0 {
			return l
		}
		e := packages.Environment{Path: "/opt/env", Kind: packages.Python, Python: "3.11", Packages: map[string]string{}}
		for _, n := range names {
			name, version, _ := strings.Cut(n, " ")
			e.Packages[name] = version
		}
		return append(l, e)
	}
	tests := map[string]struct {
		layer []entry
		want  packages.List
	}{
		"nothing on top":            {[]entry{{name: "etc/x", text: "x"}}, only("numpy 1.0", "dask 2026.8.0")},
		"a package is replaced":     {[]entry{{name: site + ".wh.numpy-1.0.dist-info"}, info("numpy-2.0")}, only("numpy 2.0", "dask 2026.8.0")},
		"a package is removed":      {[]entry{{name: site + ".wh.numpy-1.0.dist-info"}}, only("dask 2026.8.0")},
		"only its record is gone":   {[]entry{{name: site + "numpy-1.0.dist-info/.wh.METADATA"}}, only("dask 2026.8.0")},
		"an environment is removed": {[]entry{{name: "opt/.wh.env"}}, only()},
		"its contents are new":      {[]entry{{name: "opt/env/.wh..wh..opq"}, info("numpy-3.0")}, only("numpy 3.0")},
		"a link in its place":       {[]entry{{name: "opt/env", text: "/srv/env", kind: tar.TypeSymlink}}, only()},
		"all but dpkg is gone": {[]entry{{name: ".wh..wh..opq"},
			{name: "var/lib/dpkg/status", text: "Package: bash\nStatus: install ok installed\nVersion: 5.1\n"}}, only()},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			ref := push(t, server(t)+"/x", types.OCIManifestSchema1, base, tt.layer)
			got, err := new(Inspector).Packages(t.Context(), ref)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestPackagesOfAnImageThatIsNotThere(t *testing.T) {
	var missing *NotFoundError
	_, err := new(Inspector).Packages(t.Context(), server(t)+"/x@sha256:"+strings.Repeat("a", 64))
	if !errors.As(err, &missing) {
		t.Errorf("got %v", err)
	}
}
