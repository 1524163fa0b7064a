package cli

import (
	"bytes"
	"testing"

	"gauntlet/internal/packages"
	"gauntlet/internal/pipeline"
)

func TestDrawDiffNamesEveryChangeAndNoMarkupOfImages(t *testing.T) {
	d := &pipeline.Diff{From: "v1.3.0", To: "compute (v1.4.0)", Images: []pipeline.ImageDiff{
		{Image: "notebook", From: "r/notebook@1", To: "r/notebook@2", Packages: 300, Environments: []packages.Difference{
			{Path: "/", Kind: packages.Debian, Changes: []packages.Change{{Package: "libc6", What: packages.Upgraded, From: "2.36-9", To: "2.36-10"}}},
			{Path: "/opt/env", Kind: packages.Python, PythonFrom: "3.11", PythonTo: "3.12", Changes: []packages.Change{
				{Package: "dask", What: packages.Downgraded, From: "2026.8.0", To: "2026.3.0"},
				{Package: "new", What: packages.Added, To: "1"},
				{Package: "old", What: packages.Removed, From: "2"},
				{Package: "evil\x1b[2J\n| <b>@all</b> `x`", What: packages.Changed, From: "a|b", To: "_c_"},
			}},
			{Path: "/opt/conda/envs/geo", Kind: packages.Conda, PythonFrom: "3.12", Changes: []packages.Change{}},
		}},
		{Image: "octave-worker", To: "r/octave@1", Packages: 12, Environments: []packages.Difference{{Path: "/", Kind: packages.Debian}}},
		{Image: "worker", From: "r/worker@1", To: "r/worker@1", Packages: 200},
	}, Pairs: []pipeline.PairDiff{{Notebook: "notebook", Worker: "worker", Shared: packages.Shared{
		Both:   []packages.Change{{Package: "dask", What: packages.Downgraded, From: "2026.8.0", To: "2026.3.0"}, {Package: "ev|l*", What: packages.Added, To: "1"}},
		Second: []packages.Change{{Package: "numpy", What: packages.Removed, From: "2.1"}},
	}}}}
	var text, md bytes.Buffer
	drawDiff(&text, d)
	golden(t, "diff", text.String())
	markdownDiff(&md, d)
	golden(t, "diff-markdown", md.String())
}
