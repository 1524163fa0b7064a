package cli

import (
	"bytes"
	"strings"
	"testing"

	"gauntlet/internal/pipeline"
	"gauntlet/internal/plan"
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
		"nobody":            {pipeline.Planned{Revision: 1}, "connected: nobody has a server running\n"},
		"hub down":          {pipeline.Planned{Revision: 1, Connected: pipeline.Connected{Problem: "no answer in 15s"}}, "connected: not known: no answer in 15s\n"},
	} {
		out.Reset()
		drawPlan(&out, &tt.p)
		if !strings.Contains(out.String(), tt.says) {
			t.Errorf("%s: %s", name, out.String())
		}
	}
}
