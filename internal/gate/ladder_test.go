package gate

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"gauntlet/internal/evidence"
)

func states(steps []Step) string {
	var out []string
	for _, s := range steps {
		out = append(out, string(s.State))
	}
	return strings.Join(out, " ")
}

func TestLadderFollowsTheWalk(t *testing.T) {
	w := newWorld()
	at := func(want, command, reason string) {
		t.Helper()
		steps := Ladder(w.Input)
		if got := states(steps); got != want {
			t.Errorf("ladder is %s, want %s\n%s", got, want, draw(steps))
		}
		for _, s := range steps {
			if s.State == Done {
				if s.Since.IsZero() || len(s.Evidence) == 0 || s.Command != "" || len(s.Reasons) > 0 {
					t.Errorf("a step that is done has its time and evidence and asks for nothing: %+v", s)
				}
				continue
			}
			if s.Command != command || !strings.Contains(strings.Join(s.Reasons, "; "), reason) {
				t.Errorf("want %q because of %q\n%s", command, reason, draw(steps))
			}
			return
		}
	}
	id := w.ID.Short()
	at("todo todo todo todo todo", "gauntlet run", "was built from")
	w.say("builder", evidence.BuildType, evidence.Build{Commit: "c1"}, of(evidence.ImageSet, w.Release.ImageSet))
	w.say("checker", evidence.TestResultType, failed("image", ""), of(evidence.ImageSet, w.Release.ImageSet))
	at("failed todo todo todo todo", "gauntlet run", "spawn")
	w.say("checker", evidence.TestResultType, passed("image", ""), of(evidence.ImageSet, w.Release.ImageSet))
	w.say("checker", evidence.TestResultType, passed("pairing", ""), of(evidence.ImageSet, w.Release.ImageSet))
	at("done done todo todo todo", "gauntlet run", "no builder says")
	w.build()
	at("done done todo todo todo", "gauntlet run --to bleeding-edge", "")
	w.deploy("testing")
	at("done done running todo todo", "gauntlet deploy "+id+" testing", "suite hub has not run")
	w.say("checker", evidence.TestResultType, failed("hub", "testing"), w.on("testing"))
	at("done done failed todo todo", "gauntlet run", "spawn")
	w.check("testing")
	at("done done done waiting todo", "gauntlet approve "+id+" canary", "0 of 2")
	w.approve("ada", "canary")
	w.approve("grace", "canary")
	at("done done done todo todo", "gauntlet run --to canary", "")
	w.deploy("compute-test")
	w.check("compute-test")
	at("done done done waiting todo", "gauntlet signoff "+id, "soaks")
	w.signoff("linus", "linus", "")
	w.signoff("barbara", "barbara", "")
	w.signoff("grace", "ken", "https://chat.example.org/ken/1")
	w.Now = w.Now.Add(time.Hour)
	at("done done done done waiting", "gauntlet approve "+id+" production", "approvals")
	w.approve("ada", "production")
	at("done done done done waiting", "gauntlet release tag v1.0.0 "+id, "no version")
	w.say("deployer", evidence.VersionType, evidence.Version{Version: "v1.0.0"}, w.self())
	at("done done done done todo", "gauntlet run --to production", "")
	veto := w.veto("linus", "")
	at("done done done done blocked", "gauntlet veto "+id+" --lift", "linus")
	w.veto("linus", veto)
	w.deploy("coastal")
	w.check("coastal")
	at("done done done done running", "gauntlet deploy "+id+" impactlab", "not deployed")
	for _, h := range []string{"impactlab", "compute"} {
		w.deploy(h)
		w.check(h)
	}
	at("done done done done done", "", "")
	// The next release has the test hubs by now: what was shown stays shown.
	w.other("testing")
	w.other("compute-test")
	at("done done done done done", "", "")
	if line := Ladder(w.Input)[3].Hubs["compute-test"]; !strings.Contains(line, "another since") {
		t.Errorf("the hub's line does not say that it has gone on: %s", line)
	}
}

func draw(steps []Step) string {
	s := ""
	for _, st := range steps {
		s += fmt.Sprintf("%-20s %-8s %s [%s] %v\n", st.Name, st.State, strings.Join(st.Reasons, "; "), st.Command, st.Hubs)
	}
	return s
}
