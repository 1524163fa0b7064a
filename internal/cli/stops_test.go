package cli

import (
	"bytes"
	"testing"
	"time"

	"gauntlet/internal/deploy"
	"gauntlet/internal/gate"
	"gauntlet/internal/kube"
	"gauntlet/internal/pipeline"
)

// hostile is text of others that would move a terminal's cursor.
const hostile = "slow\x1b[2J\nfine"

func TestWhatIsOutOfTheOrdinaryComesFirst(t *testing.T) {
	r := digest("R")
	st := &pipeline.Status{
		Overrides: []gate.Override{
			{ID: digest("o1"), Who: "ada", Since: day.Add(-time.Hour), Expires: day.Add(3 * time.Hour), Reason: hostile, Release: r, Tier: "production", Stands: true, Used: true,
				Due: []gate.Requirement{{Name: "signoff:linus", Reason: "linus has not signed off what runs in canary", Command: "gauntlet signoff " + r.Short()}}},
			{ID: digest("o2"), Who: "grace", Expires: day.Add(-time.Hour), Reason: "security fix", Release: digest("S"), Tier: "canary", Used: true,
				Due: []gate.Requirement{{Name: "bleeding-edge:soak", Reason: "soaks on hub testing until 2030-05-02 09:00 UTC"}}},
		},
		Holds: []gate.Hold{
			{ID: digest("h1"), Who: "ci", Since: day.Add(-2 * time.Hour), Reason: "a workshop", Hub: "compute"},
			{ID: digest("h2"), Who: "ci", Since: day.Add(-time.Hour), Reason: hostile, Hub: "coastal", Tier: "production", Back: &gate.Back{Release: r.Label()}},
		},
		Freezes: []gate.Freeze{
			{Tiers: []string{"production"}, Reason: "holidays", To: day.Add(24 * time.Hour)},
			{Reason: "for good"},
			{Hubs: []string{"compute"}, Reason: "weekend", From: day.Add(48 * time.Hour)},
		},
	}
	var b bytes.Buffer
	drawStops(&b, st)
	golden(t, "stops", b.String())
	b.Reset()
	drawStops(&b, halfway())
	if b.Len() > 0 {
		t.Errorf("nothing is out of the ordinary, and yet: %q", b.String())
	}
}

func TestAHangIsDrawnWithItsCauseAndTheWaysOut(t *testing.T) {
	hang := &deploy.Hang{
		Revision: 7, Status: "pending-upgrade", Helm: 3, Begun: day.Add(-4 * time.Minute), Written: day.Add(-4 * time.Minute), Now: day, Unapplied: true,
		Hook:      &deploy.HangingHook{Object: "Job/hook-image-awaiter", Says: hostile},
		Causes:    []kube.Cause{{Object: "Pod/hook-image-puller-x", Reason: kube.ImageNotFound, Message: "its registry has no image notebook:nope"}},
		Nodes:     []deploy.HeldNode{{Node: "n1", Pod: "hook-image-puller-x"}},
		Leftovers: []string{"DaemonSet/hook-image-puller", "Job/hook-image-awaiter"},
	}
	var b bytes.Buffer
	drawSticking(&b, &pipeline.Sticking{Hub: "compute", Hang: hang, Alive: hang.Alive(),
		Ways: []pipeline.Way{{Command: "gauntlet unstick compute --yes", Does: "lets the hook fail"}}})
	done := &deploy.Unstuck{Hang: hang, Ended: deploy.EndedMarked, Removed: hang.Leftovers, Runs: deploy.Afterwards{Revision: 6, Newest: 7, Status: "failed", Up: true}}
	drawSticking(&b, &pipeline.Sticking{Hub: "compute", Hang: hang, Done: done, Next: []string{"gauntlet deploy RELEASE compute --adopt"}})
	done.Runs, done.Ended = deploy.Afterwards{Revision: 6, Newest: 7, Status: "failed", Why: "Deployment/hub: 0 of 1 pods ready"}, deploy.EndedItself
	drawDone(&b, "compute", done)
	drawDone(&b, "compute", &deploy.Unstuck{Runs: deploy.Afterwards{Why: "no revision is deployed"}})
	golden(t, "hang", b.String())
}
