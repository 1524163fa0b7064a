//go:build linux

package lab

import (
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestNodesForDrillsHarmNobody adds, freezes and removes spare and simulated nodes
// of a lab that is up, and kills the API server of canary once.
func TestNodesForDrillsHarmNobody(t *testing.T) {
	if os.Getenv("GAUNTLET_LAB_TEST") == "" || os.Geteuid() != 0 {
		t.Skip("changes the lab of this machine: set GAUNTLET_LAB_TEST=1, as root")
	}
	ctx := t.Context()
	up(ctx, t)
	units := unitPIDs(t)
	before := machine(t)
	if err := AddNode(ctx, testWriter{t}, Canary, Spare{Name: "extra", Disk: 512 << 20}); err != nil {
		t.Fatal(err)
	}
	if err := AddNode(ctx, testWriter{t}, Canary, Spare{Name: "extra"}); err == nil {
		t.Error("added twice")
	}
	for _, frozen := range []bool{true, false} {
		if err := setFrozen(ctx, Canary, "extra", frozen); err != nil {
			t.Fatal(err)
		}
		pid, err := Clusters()[1].daemon("extra", "kubelet")
		if err != nil {
			t.Fatal(err)
		}
		if state := statFields(pid)[0]; (state == "T") != frozen {
			t.Errorf("the kubelet is in state %s, frozen should be %t", state, frozen)
		}
	}
	if err := FreezeNode(ctx, Canary, "canary-1"); err == nil {
		t.Error("froze a node that is everybody's")
	}
	up(ctx, t) // leaves it alone
	if err := RestartAPIServer(ctx, testWriter{t}, Canary); err != nil {
		t.Error(err)
	}
	if err := RemoveNode(ctx, testWriter{t}, Canary, "extra"); err != nil {
		t.Fatal(err)
	}
	now := unitPIDs(t)
	if diff := cmp.Diff(units, now); diff != "" {
		t.Errorf("a spare node changed what else runs (-before +after):\n%s", diff)
	}
	after := machine(t)
	for _, same := range []string{"links", "routes", "mounts", "cgroups"} {
		if diff := cmp.Diff(before[same], after[same]); diff != "" {
			t.Errorf("a spare node left something behind, %s (-before +after):\n%s", same, diff)
		}
	}
	if err := Simulate(ctx, testWriter{t}, Canary, Simulated{Prefix: "many", Count: 100}); err != nil {
		t.Fatal(err)
	}
	if err := RemoveSimulated(ctx, Canary, "many"); err != nil {
		t.Fatal(err)
	}
	s, err := GetStatus(ctx)
	if err != nil || !s.Up || s.Clusters[1].Simulated != 0 {
		t.Errorf("after their removal: %+v, %v", s, err)
	}
}
