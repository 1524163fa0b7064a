package cli

import (
	"bytes"
	"strings"
	"testing"

	"gauntlet/internal/deploy"
	"gauntlet/internal/pipeline"
	"gauntlet/internal/plan"
	"gauntlet/internal/preflight"
	"gauntlet/internal/preflight/codes"
)

func TestAPlanIsDrawnWithTheHardestForUsersFirst(t *testing.T) {
	p := &pipeline.Planned{
		Release: digest("release"), Hub: "compute", Tier: "production", Cluster: "production", Revision: 7,
		Connected: pipeline.Connected{Users: 2, Servers: 3},
		Notes:     []string{"revision 7 failed: what is live may be of it"},
		Groups: []plan.Group{
			{Name: plan.CutOff, Items: []plan.Item{{Object: "Deployment/proxy", Action: plan.Changed, Effect: "its pods restart, and users are cut off meanwhile",
				Lines: []string{"containers[chp].resources.limits.memory: 256Mi → 300Mi", "env[X].value: a → \x1b[2Jb\ngauntlet: all is well"}, More: 4}}},
			{Name: plan.Secrets, Items: []plan.Item{{Object: "Secret/hub", Action: plan.Added, Effect: "keys proxy-token"}}},
			{Name: plan.Hooks, Items: []plan.Item{{Object: "Job/migrate", Action: plan.Runs, Effect: "pre-upgrade"}}},
			{Name: plan.Others, Items: []plan.Item{{Object: "Job/old", Action: plan.Removed}, {Object: "X/kept", Action: plan.Kept}}},
		},
	}
	p.Findings = []preflight.Finding{
		{Code: codes.ImageMissing, Severity: codes.Error, Object: "hub:9\x1b[2J", Cause: "its registry has no image of this name", Fix: "push it"},
		{Code: codes.UsersCutOff, Severity: codes.Warning, Object: "Deployment/proxy", Cause: "its pods restart", Set: true},
	}
	var out bytes.Buffer
	drawPlan(&out, p)
	golden(t, "plan", out.String())

	for name, tt := range map[string]struct {
		p    pipeline.Planned
		says string
	}{
		"nothing changes":   {pipeline.Planned{Unchanged: true, Revision: 1}, "\nnothing would change, but a deploy makes a new revision\n"},
		"it runs already":   {pipeline.Planned{Unchanged: true, Reused: true, Revision: 1, Differs: []string{"Deployment/hub"}}, "left so: Deployment/hub\n"},
		"nothing installed": {pipeline.Planned{}, "nothing installed yet)\n"},
		"nobody":            {pipeline.Planned{Revision: 1}, "connected: nobody has a server running; no Dask cluster\n"},
		"kernels": {pipeline.Planned{Revision: 1, Connected: pipeline.Connected{Users: 2, Servers: 3, Kernels: 5, Dask: deploy.Dask{Clusters: 1, Workers: 4}}},
			"connected: 2 users with 3 servers running and 5 kernels in them; 1 Dask cluster with 4 workers\n"},
		"kernels of some": {pipeline.Planned{Revision: 1, Connected: pipeline.Connected{Users: 2, Servers: 3, Kernels: 1, KernelsProblem: "1 of 3 servers could not be asked"}},
			"and at least 1 kernel in them (1 of 3 servers could not be asked); no Dask cluster\n"},
		"kernels unknown": {pipeline.Planned{Revision: 1, Connected: pipeline.Connected{Users: 1, Servers: 1, Active: 1, KernelsProblem: "no right", DaskProblem: "no answer"}},
			"1 user with 1 server running, 1 of them used in the last ten minutes (kernels are not known: no right); Dask clusters: not known: no answer\n"},
		"saved": {pipeline.Planned{Unchanged: true, Hub: "compute", Release: digest("release"), Saved: &pipeline.SavedFile{File: "c.plan", Digest: digest("plan")}},
			"gauntlet deploy " + digest("release").Short() + " compute --plan c.plan\n"},
		"hub down": {pipeline.Planned{Revision: 1, Connected: pipeline.Connected{Problem: "no answer in 15s"}}, "connected: not known: no answer in 15s; no Dask cluster\n"},
	} {
		out.Reset()
		drawPlan(&out, &tt.p)
		if !strings.Contains(out.String(), tt.says) {
			t.Errorf("%s: %s", name, out.String())
		}
	}
}
