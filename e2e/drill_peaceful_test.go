package e2e

import (
	"fmt"
	"os"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gauntlet/lab"
	"gauntlet/lab/faultyregistry"
)

// peacefulDrills are faults that pass by themselves: gauntlet names them and deploys.
func peacefulDrills(t *testing.T) {
	l := newLine(t, "drill-peace", 30302)
	late := lateNode(t)
	l.drills(
		drill{
			name:     "two 503s",
			fault:    func(l *line) { l.hubFrom(faultyregistry.Fault{Status: 503, Times: 2, Agent: ofNodes}) },
			shows:    ofHub("503"),
			says:     []string{"503"},
			peaceful: true,
		},
		drill{
			name:     "one container restart",
			fault:    chart("exporter-restarts-once"),
			shows:    dies("exporter-"),
			says:     []string{"exporter", "ended with code 1"},
			adds:     []string{"deployment.apps/exporter"},
			peaceful: true,
		},
		drill{
			name: fmt.Sprintf("a node that takes %s to appear", late),
			fault: func(l *line) {
				chart("exporter-on-other-nodes")(l)
				// The cluster does not tell that it has an autoscaler, as many managed ones do not.
				l.configure("", "preflight", map[string]any{"codes": map[string]any{"node-none": "warning"}})
				// Longer than nobody brings a node, shorter than an autoscaler takes.
				l.graces(map[string]any{"unschedulable": (late / 2).String()})
			},
			during:   func(l *line, p *process) time.Time { return l.bringNode(p, "exporter-", "exporters", late) },
			says:     []string{"exporter", "autoscaler"},
			adds:     []string{"deployment.apps/exporter"},
			peaceful: true,
		},
	)
}

// lateNode is how long a late node takes: as long as a cloud's does in the long tests
// (GAUNTLET_LATE_NODE=4m), else shorter.
func lateNode(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("GAUNTLET_LATE_NODE")
	if text == "" {
		return 30 * time.Second
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("GAUNTLET_LATE_NODE: %v", err)
	}
	return d
}

// bringNode plays an autoscaler: it sees a pod for which there is no node, says so as
// the cluster autoscaler does, and brings a simulated node after a while. It returns
// when it has said so.
func (l *line) bringNode(p *process, pod, group string, after time.Duration) time.Time {
	l.t.Helper()
	waiting := l.unscheduled(p, pod)
	said := time.Now()
	event := &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{GenerateName: waiting.Name + ".", Namespace: l.name},
		InvolvedObject: corev1.ObjectReference{APIVersion: "v1", Kind: "Pod", Namespace: l.name, Name: waiting.Name, UID: waiting.UID},
		Type:           corev1.EventTypeNormal, Reason: "TriggeredScaleUp",
		Message:        fmt.Sprintf("pod triggered scale-up: [{simulated-%s 0->1 (max: 3)}]", group),
		Source:         corev1.EventSource{Component: "cluster-autoscaler"},
		FirstTimestamp: metav1.NewTime(said), LastTimestamp: metav1.NewTime(said), Count: 1,
	}
	if _, err := l.client.CoreV1().Events(l.name).Create(l.t.Context(), event, metav1.CreateOptions{}); err != nil {
		l.t.Fatal(err)
	}
	select {
	case <-p.done:
		l.t.Fatalf("gauntlet did not wait for the node that an autoscaler brings\n%s", p.all())
	case <-time.After(after): // the fault itself: a node that is not there yet
	}
	l.simulate(lab.Simulated{Prefix: "late-" + group, Count: 1, Labels: map[string]string{"nodegroup": group}})
	return said
}

// unscheduled waits for a pod that the scheduler has found no node for.
func (l *line) unscheduled(p *process, prefix string) *corev1.Pod {
	l.t.Helper()
	shows := unschedulable(prefix)
	for deadline := time.Now().Add(2 * time.Minute); ; {
		list, err := l.client.CoreV1().Pods(l.name).List(l.t.Context(), metav1.ListOptions{})
		if err != nil {
			l.t.Fatal(err)
		}
		for i := range list.Items {
			if shows(&list.Items[i]) {
				return &list.Items[i]
			}
		}
		select {
		case <-p.done:
			l.t.Fatalf("gauntlet ended without a pod %s… that no node takes\n%s", prefix, p.all())
		case <-time.After(100 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			l.t.Fatalf("there is no pod %s… that no node takes\n%s", prefix, p.all())
		}
	}
}
