package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestSimulatedNodesKeepOthersOff(t *testing.T) {
	s := Simulated{Prefix: "pool", Count: 2, Labels: map[string]string{"pool": "users"}, Taints: []string{"dedicated=user:NoExecute"}, MaxPods: 3}
	objects, err := s.objects()
	if err != nil || len(objects) != 2 {
		t.Fatalf("got %d nodes, %v", len(objects), err)
	}
	data, err := json.Marshal(objects[1])
	if err != nil {
		t.Fatal(err)
	}
	var node struct {
		Metadata struct {
			Name   string
			Labels map[string]string
		}
		Spec struct {
			Taints []struct{ Key, Value, Effect string }
		}
		Status struct{ Allocatable map[string]string }
	}
	if err := json.Unmarshal(data, &node); err != nil {
		t.Fatal(err)
	}
	if node.Metadata.Name != "pool-1" || node.Metadata.Labels["pool"] != "users" || node.Metadata.Labels[SimulatedKey] != "true" || node.Metadata.Labels[heartbeatKey] == "" {
		t.Errorf("metadata %+v", node.Metadata)
	}
	if got := fmt.Sprint(node.Spec.Taints); got != "[{"+SimulatedKey+" true NoSchedule} {dedicated user NoExecute}]" {
		t.Errorf("taints %s", got)
	}
	if node.Status.Allocatable["pods"] != "3" {
		t.Errorf("pods %q, want 3", node.Status.Allocatable["pods"])
	}
	if _, err := (Simulated{Count: 1, Taints: []string{"dedicated=user"}}).objects(); err == nil {
		t.Error("a taint without an effect must be refused")
	}
}

func TestParseTaint(t *testing.T) {
	for text, want := range map[string]string{
		"a=b:NoSchedule":     "map[effect:NoSchedule key:a value:b]",
		"a:PreferNoSchedule": "map[effect:PreferNoSchedule key:a value:]",
		"a=b":                "",
		"a=b:Never":          "",
		"=b:NoSchedule":      "",
	} {
		got, err := parseTaint(text)
		if (err == nil) != (want != "") || err == nil && fmt.Sprint(got) != want {
			t.Errorf("parseTaint(%q) = %v, %v; want %s", text, got, err, want)
		}
	}
}

func TestPullFaultsWinAndAreToldApart(t *testing.T) {
	names := map[string]bool{}
	for _, f := range []PullFault{
		{Prefix: "pool", Image: "a"}, {Prefix: "pool", Image: "b"}, {Prefix: "pool", Image: "a", Node: "pool-1"},
		{Prefix: "pool", Image: "a", Pulling: time.Minute}, {Prefix: "other", Image: "a"},
	} {
		for _, s := range f.stages() {
			data, err := json.Marshal(s)
			if err != nil {
				t.Fatal(err)
			}
			var stage struct {
				Metadata struct {
					Name   string
					Labels map[string]string
				}
				Spec struct {
					Weight int
					Steps  []map[string]json.RawMessage
				}
			}
			if err := json.Unmarshal(data, &stage); err != nil {
				t.Fatal(err)
			}
			if names[stage.Metadata.Name] {
				t.Errorf("two stages are called %s", stage.Metadata.Name)
			}
			names[stage.Metadata.Name] = true
			if stage.Metadata.Labels[faultKey] != f.Prefix {
				t.Errorf("%s: its label does not say whose fault it is: %v", stage.Metadata.Name, stage.Metadata.Labels)
			}
			if stage.Spec.Weight == 0 {
				t.Errorf("%s has no weight: pods would become Ready nevertheless", stage.Metadata.Name)
			}
			if _, event := stage.Spec.Steps[0]["event"]; !event {
				t.Errorf("%s: events come before status", stage.Metadata.Name)
			}
		}
	}
}

func TestPullFaultSaysWhatARuntimeSays(t *testing.T) {
	stages := PullFault{Prefix: "pool", Image: `evil"image`}.stages()
	data, err := json.Marshal(stages)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"ErrImagePull", "ImagePullBackOff", "NotFound", "not found"} {
		if !strings.Contains(string(data), want) {
			t.Errorf("no stage says %q", want)
		}
	}
	for _, placeholder := range []string{"contains IMAGE", "WAITING"} {
		if strings.Contains(string(data), placeholder) {
			t.Errorf("%q was not replaced", placeholder)
		}
	}
}

func TestSpareNodesGetFreeAddressesAndNamesOfTheirOwn(t *testing.T) {
	t.Setenv(DirEnv, t.TempDir())
	c := Clusters()[1]
	ips := map[string]bool{}
	for i := range lastSpare - firstSpare + 1 {
		n, err := c.newSpare(Spare{Name: fmt.Sprintf("extra-%d", i), Disk: 1})
		if err != nil {
			t.Fatal(err)
		}
		if ips[n.IP] || n.Labels[SpareKey] != n.Name || n.Taint != SpareKey+"="+n.Name+":NoSchedule" || n.Disk != 1 {
			t.Errorf("got %+v", n)
		}
		ips[n.IP] = true
		data, err := json.Marshal(n)
		if err != nil {
			t.Fatal(err)
		}
		if err := writeFileAtomic(n.spareFile(), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got, ok := c.spare("extra-2"); !ok || got.IP == "" {
		t.Errorf("extra-2 is not remembered: %+v", got)
	}
	for _, name := range []string{"one-too-many", "canary-1", "canary-simulator", "build", "services", "Capital", "-dash", "", strings.Repeat("x", 41)} {
		if n, err := c.newSpare(Spare{Name: name}); err == nil {
			t.Errorf("%q became %+v", name, n)
		}
	}
	if _, err := Clusters()[0].newSpare(Spare{Name: "extra-0"}); err == nil {
		t.Error("two clusters have a node of the same name, and so the same folder")
	}
}

func TestOrdinaryNodesAreStartedAsBeforeThereWereSpareOnes(t *testing.T) {
	c := Clusters()[0]
	text, err := json.Marshal(c.Nodes[0].nodeUnit(c, images{}).spec)
	if err != nil {
		t.Fatal(err)
	}
	for _, not := range []string{"register-with-taints", "size="} {
		if strings.Contains(string(text), not) {
			t.Errorf("an ordinary node's unit holds %q: running clusters would be started again", not)
		}
	}
}

func TestEachOfStopsAtTheFirstError(t *testing.T) {
	cause := errors.New("no")
	var done atomic.Int32
	err := eachOf(make([]int, 1000), func(int) error { done.Add(1); return cause })
	if !errors.Is(err, cause) || done.Load() > 100 {
		t.Errorf("got %v after %d of 1000", err, done.Load())
	}
}

func TestTrustedRegistryIsForgotten(t *testing.T) {
	t.Setenv(DirEnv, t.TempDir())
	forget, err := TrustRegistry(HostIP + ":5999")
	if err != nil {
		t.Fatal(err)
	}
	if err := forget(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(registryHosts()); err != nil || len(left) != 0 {
		t.Errorf("left %v, %v", left, err)
	}
	if _, err := TrustRegistry(Registry); err == nil {
		t.Error("the lab's own registry would be forgotten at the end")
	}
}
