package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gauntlet/lab"
)

// nodeDrills are faults of the nodes that images are brought to. Most are simulated:
// pods there are Ready at once, unless a fault is made. Where the pre-pull is all that
// the fault is about, that is the command.
func nodeDrills(t *testing.T) {
	l := newLine(t, "drill-nodes", 30301)
	l.drills(
		drill{
			name: "a node cordoned and sick",
			fault: func(l *line) {
				l.simulated("sick", 3, nil)
				l.kubectl(l.cluster, "cordon", "sick-1")
				l.frozen("sick-1")
			},
			says:     []string{"sick-1", "cordoned"},
			peaceful: true,
		},
		drill{
			name:    "a node's pod limit reached",
			prepull: true,
			fault: func(l *line) {
				l.simulated("room", 2, nil)
				l.simulate(lab.Simulated{Prefix: "full", Count: 1, MaxPods: 1, Labels: map[string]string{"drill": "room"}})
				l.fill("full-0")
			},
			shows:    unschedulable("gauntlet-prepull-"),
			says:     []string{"full-0", "Too many pods"},
			peaceful: true,
		},
		drill{
			name:    "a tainted node is not waited for",
			prepull: true,
			fault: func(l *line) {
				l.simulated("taint", 3, nil)
				l.kubectl(l.cluster, "taint", "node", "taint-1", "maintenance=tonight:NoSchedule")
			},
			says:     []string{"2 of 2 nodes"},
			peaceful: true,
		},
		drill{
			name:    "every node of a pool is tainted",
			prepull: true,
			fault: func(l *line) {
				l.simulated("taints", 2, []string{"maintenance=tonight:NoSchedule"})
			},
			says: []string{"no node", "drill=taints", "taint"},
		},
		drill{
			name:    "a node deleted during the pull",
			prepull: true,
			fault: func(l *line) {
				l.simulated("short", 3, nil)
				l.slowPulls("short", 12*time.Second)
			},
			during: func(l *line, p *process) time.Time {
				l.podOn(p, "short-1")
				l.kubectl(l.cluster, "delete", "node", "short-1", "--wait=false")
				return time.Now()
			},
			says:     []string{"short-1", "deleted"},
			peaceful: true,
		},
		drill{
			name: "a kubelet that is dead while its node is called Ready",
			fault: func(l *line) {
				l.simulated("deaf", 2, nil)
				l.spareIn("deaf", "drill-deaf")
			},
			during: func(l *line, p *process) time.Time {
				l.frozen("drill-deaf")
				l.podOn(p, "drill-deaf")
				return time.Now()
			},
			says:     []string{"drill-deaf", "kubelet"},
			peaceful: true,
		},
		drill{
			name:    "one node's runtime says that there is no such image",
			prepull: true,
			fault: func(l *line) {
				l.simulated("blind", 3, nil)
				l.failPulls(lab.PullFault{Prefix: "blind", Node: "blind-2", Image: "platform/worker"})
			},
			shows: waits("gauntlet-prepull-", "ErrImagePull"),
			says:  []string{"blind-2", "worker"},
		},
	)
}

// placeDrills are about nodes that are not there.
func placeDrills(t *testing.T) {
	l := newLine(t, "drill-place", 30306)
	elsewhere := func(l *line) {
		l.replace("gauntlet.yaml", "    set: {", "    set: {jupyterhub.singleuser.nodeSelector: {disktype: nvme}, ")
	}
	l.drills(
		drill{
			name: "a node selector of users that matches no node",
			fault: func(l *line) {
				elsewhere(l)
				l.replace("gauntlet.yaml", "  access: [", "  prePuller: {off: {jupyterhub.prePuller.hook.enabled: false}, nodeSelector: jupyterhub.singleuser.nodeSelector}\n  access: [")
			},
			says: []string{"no node", "disktype"},
		},
		drill{
			name: "the same where gauntlet does not know where users' pods may run",
			fault: func(l *line) {
				elsewhere(l)
				l.replace("gauntlet.yaml", "    set: {", "    set: {jupyterhub.singleuser.startTimeout: 20, ")
			},
			shows: unschedulable("jupyter-gauntlet-probe-"),
			says:  []string{"jupyter-gauntlet-probe-", "Unschedulable", "nodeSelector"},
		},
	)
}

// simulated makes a pool of simulated nodes PREFIX-0, … with the label drill=PREFIX
// the pool that images are brought to.
func (l *line) simulated(prefix string, count int, taints []string) {
	l.t.Helper()
	l.simulate(lab.Simulated{Prefix: prefix, Count: count, Taints: taints, Labels: map[string]string{"drill": prefix}})
	l.pool(map[string]any{"nodeSelector": map[string]any{"drill": prefix}, "tolerations": tolerate(lab.SimulatedKey, lab.SpareKey)})
}

func (l *line) simulate(s lab.Simulated) {
	l.t.Helper()
	if err := lab.Simulate(l.t.Context(), logged{l.t}, l.cluster, s); err != nil {
		l.t.Fatal(err)
	}
	t := l.t
	l.undo(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := lab.RemoveSimulated(ctx, l.cluster, s.Prefix); err != nil {
			t.Errorf("remove the simulated nodes %s: %v", s.Prefix, err)
		}
	})
}

// spare adds a real node, with a disk of its own for images unless that is 0, and
// returns its name.
func (l *line) spare(name string, disk int64, labels ...string) string {
	l.t.Helper()
	s := lab.Spare{Name: name, Disk: disk, Labels: map[string]string{}}
	for i := 0; i+1 < len(labels); i += 2 {
		s.Labels[labels[i]] = labels[i+1]
	}
	if err := lab.AddNode(l.t.Context(), logged{l.t}, l.cluster, s); err != nil {
		l.t.Fatal(err)
	}
	t := l.t
	l.undo(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := lab.RemoveNode(ctx, logged{t}, l.cluster, name); err != nil {
			t.Errorf("remove the spare node %s: %v", name, err)
		}
	})
	return name
}

// spareIn adds a real node to a pool of simulated ones.
func (l *line) spareIn(prefix, name string) { l.spare(name, 0, "drill", prefix) }

// pool says in gauntlet.yaml which nodes images are brought to. It changes a value too:
// a hub that runs the release already has no use for a pre-pull.
func (l *line) pool(pool map[string]any) {
	l.t.Helper()
	l.pools++
	l.set("jupyter-config.yml", map[string]any{"jupyterhub.singleuser.storage.capacity": fmt.Sprintf("%dMi", 300+l.pools)})
	pool["name"] = "drill"
	l.configure("    release: testing\n", "    pools", []any{pool})
}

// configure adds a key to gauntlet.yaml, after a text or, when that is empty, at the end.
func (l *line) configure(after, key string, value any) {
	l.t.Helper()
	data, err := json.Marshal(value) // JSON is YAML
	if err != nil {
		l.t.Fatal(err)
	}
	added := fmt.Sprintf("%s: %s\n", key, data)
	if after == "" {
		l.write("gauntlet.yaml", l.text("gauntlet.yaml")+added)
		return
	}
	l.replace("gauntlet.yaml", after, after+added)
}

// graces says in gauntlet.yaml how long causes that may pass are waited for.
func (l *line) graces(g map[string]any) {
	l.t.Helper()
	l.configure("", "graces", g)
}

// frozen stops a node's kubelet until the drill is over.
func (l *line) frozen(node string) {
	l.t.Helper()
	if err := lab.FreezeNode(l.t.Context(), l.cluster, node); err != nil {
		l.t.Fatal(err)
	}
}

func (l *line) slowPulls(prefix string, d time.Duration) {
	l.t.Helper()
	l.failPulls(lab.PullFault{Prefix: prefix, Pulling: d})
}

// failPulls makes a fault that goes with its simulated nodes.
func (l *line) failPulls(f lab.PullFault) {
	l.t.Helper()
	if err := lab.FailPulls(l.t.Context(), l.cluster, f); err != nil {
		l.t.Fatal(err)
	}
}

// fill binds a pod to a simulated node that takes only one.
func (l *line) fill(node string) {
	l.t.Helper()
	now := int64(0)
	pods := l.client.CoreV1().Pods(l.name)
	_, err := pods.Create(l.t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "filler"},
		Spec: corev1.PodSpec{NodeName: node, TerminationGracePeriodSeconds: &now, RestartPolicy: corev1.RestartPolicyNever,
			Tolerations: []corev1.Toleration{{Operator: corev1.TolerationOpExists}},
			Containers:  []corev1.Container{{Name: "filler", Image: "simulated"}}},
	}, metav1.CreateOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	l.undo(func() {
		l.kubectlAfter(l.cluster, "-n", l.name, "delete", "pod", "filler", "--ignore-not-found", "--grace-period=0", "--force")
	})
}

// podOn waits until gauntlet has a pod on a node.
func (l *line) podOn(p *process, node string) {
	l.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; {
		list, err := l.client.CoreV1().Pods(l.name).List(l.t.Context(), metav1.ListOptions{
			LabelSelector: "gauntlet/run", FieldSelector: "spec.nodeName=" + node})
		if err == nil && len(list.Items) > 0 {
			return
		}
		select {
		case <-p.done:
			l.t.Fatalf("gauntlet ended without a pod on %s\n%s", node, p.all())
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			l.t.Fatalf("gauntlet makes no pod on %s (%v)\n%s", node, err, p.all())
		}
	}
}

func onNode(name string) map[string]any { return map[string]any{corev1.LabelHostname: name} }

// tolerate are tolerations of taints with these keys.
func tolerate(keys ...string) []any {
	var out []any
	for _, k := range keys {
		out = append(out, map[string]any{"key": k, "operator": "Exists"})
	}
	return out
}

// logged writes what the lab says into a test's log.
type logged struct{ t *testing.T }

func (l logged) Write(b []byte) (int, error) {
	l.t.Log(fmt.Sprintf("%s", b))
	return len(b), nil
}
