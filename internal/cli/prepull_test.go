package cli

import (
	"bytes"
	"testing"

	"gauntlet/internal/deploy/prepull"
	"gauntlet/internal/pipeline"
)

func TestWhereImagesAreIsDrawnWithTheNodesThatLackThem(t *testing.T) {
	p := &pipeline.Prepulled{Release: digest("release"), Hub: "compute", Pools: []prepull.Report{
		{Pool: "users", Images: []string{"r.example.org/notebook@sha256:0", "r.example.org/worker@sha256:1"}, Have: 2, Want: 3, Need: 3, Cause: "node-3 …", Nodes: []prepull.Node{
			{Name: "node-1", State: prepull.Had}, {Name: "node-2", State: prepull.Pulled, Seconds: 80},
			{Name: "node-3", State: prepull.Cannot, Image: "notebook", Why: "its registry denies it \x1b[2J\ngauntlet: all is well"},
		}},
		{Pool: "workers", Have: 1, Want: 1, Need: 1, Met: true, Notes: []string{"…"}, Nodes: []prepull.Node{
			{Name: "node-4", State: prepull.Had}, {Name: "node-5", State: prepull.LeftOut, Why: "cordoned"}}},
		{Pool: "spare", Met: true},
	}}
	var out bytes.Buffer
	drawPrepull(&out, p)
	golden(t, "prepull", out.String())
}
