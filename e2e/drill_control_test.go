package e2e

import (
	"fmt"
	"path"
	"strings"
	"testing"
	"time"

	"gauntlet/lab"
)

// controlPlaneDrills run on the cluster canary, where nothing else is going on: its API
// server goes away in the middle.
func controlPlaneDrills(t *testing.T) {
	l := beginLine(newSmall(t, "drill-control", 30303), lab.Canary)
	l.drills(
		drill{
			name:  "the API server restarted in the middle of a rollout",
			fault: debugging,
			during: func(l *line, p *process) time.Time {
				p.until("Deployment/hub")
				since := time.Now()
				if err := lab.RestartAPIServer(l.t.Context(), logged{l.t}, l.cluster); err != nil {
					l.t.Error(err)
				}
				return since
			},
			says:     []string{"cannot be asked"},
			peaceful: true,
		},
	)
}

// debugging is a change that restarts the hub.
func debugging(l *line) { l.replace("chart/values.yaml", "logLevel: INFO", "logLevel: DEBUG") }

// rollbackDrill breaks a hub in production while the registry that has its image and
// the evidence is down.
func rollbackDrill(t *testing.T) {
	r := faulty(t, lab.Registry)
	s := newSmall(t, "drill-back", 30304)
	s.replace("policy.yaml", "- bleeding-edge:", "- production:")
	s.replace("gauntlet.yaml", "tier: bleeding-edge", "tier: production")
	s.repo = r.Addr() + "/e2e/" + path.Base(s.repo)
	s.replace("gauntlet.yaml", "ledger: "+lab.Registry, "ledger: "+r.Addr())
	s.set("jupyter-config.yml", map[string]any{"jupyterhub.hub.image.name": r.Addr() + "/" + hubImage})
	l := beginLine(s, lab.BleedingEdge)

	l.sub("the registry is down and production broken: rolled back", func() {
		debugging(l)
		l.commit("What is to break")
		l.gauntlet(0, "run", "--key", "ci")
		l.kubectl(l.cluster, "-n", l.name, "set", "image", "deployment/hub", "hub="+r.Addr()+"/platform/hub:broken")
		l.until("the hub is down", func() bool { return l.answers() != nil })
		if err := r.Down(); err != nil {
			t.Fatal(err)
		}
		row := drillRow{Name: "registry down and production broken: rolled back", Hub: l.name, Peaceful: true}

		p := l.start(nil, "rollback", "testing", "--key", "ci", "--reason", "nobody can log in")
		p.wait(drillLimit)
		row.Started, row.Observable, row.Ended = p.started, p.started, p.ended
		if p.code != 0 {
			l.t.Fatalf("rollback with the registry down: exit code %d\n%s", p.code, p.all())
		}
		// Nothing verified it, and what routes to its pod may learn of that a moment later.
		l.until("the hub answers after its rollback", func() bool { return l.answers() == nil })
		if level := l.kubectl(l.cluster, "-n", l.name, "get", "configmaps", "-o", "yaml"); strings.Contains(level, "DEBUG") {
			l.t.Error("the hub still has the values that it was rolled back from")
		}
		first := read[rolledBack](l.t, result{out: p.out.String()})
		if first.Recorded || first.Verified {
			l.t.Errorf("nothing can be recorded or verified now, but: %+v", first)
		}
		row.Named, row.Cause = p.first("going on without the ledger", "connection refused")
		if row.Named.IsZero() {
			l.t.Errorf("it does not say that the registry is down\n%s", p.all())
		}

		if err := r.Up(); err != nil {
			l.t.Fatal(err)
		}
		revision := l.revision()
		again := read[rolledBack](l.t, l.gauntlet(0, "rollback", "testing", "--key", "ci", "--reason", "nobody can log in", "-o", "json"))
		if !again.Recorded || !again.Verified || l.revision() != revision {
			l.t.Errorf("with the registry back it should be recorded and verified, and the hub left alone (revision %d, now %d): %+v", revision, l.revision(), again)
		}
		l.settle(&row)
	})
}

// rolledBack is what `rollback -o json` says.
type rolledBack struct {
	Revision           int
	Recorded, Verified bool
}

// until waits until something is so.
func (l *line) until(what string, so func() bool) {
	l.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !so(); {
		if time.Now().After(deadline) {
			l.t.Fatal(fmt.Sprintf("waited two minutes until %s", what))
		}
		select {
		case <-l.t.Context().Done():
			l.t.Fatal(l.t.Context().Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}
