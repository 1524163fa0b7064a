package e2e

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gauntlet/lab"
)

// hangDrills reproduce the runbook's hang: the chart's own puller hook is on, and a node
// that is cordoned and sick gets a pod of its DaemonSet that never starts.
func hangDrills(t *testing.T) {
	l := newLine(t, "drill-hang", 30309)
	l.drills(
		drill{
			name: "the runbook's hang: the chart's puller on, a node cordoned and sick",
			fault: func(l *line) {
				l.sickNode()
				l.replace("gauntlet.yaml", "    set: {", "    set: {jupyterhub.prePuller.hook.enabled: true, jupyterhub.singleuser.nodeSelector: {drill-hang: \"yes\"}, ")
				l.replace("gauntlet.yaml", "  access: [", "  prePuller: {off: {jupyterhub.prePuller.hook.enabled: false}, nodeSelector: jupyterhub.singleuser.nodeSelector}\n  access: [")
			},
			says:     []string{"drill-hang", "cordoned"},
			peaceful: true,
		},
	)
	l.sub("the same with plain helm hangs", func() {
		l.plainHangs(map[string]any{"jupyterhub": map[string]any{
			"prePuller":  map[string]any{"hook": map[string]any{"enabled": true}},
			"singleuser": map[string]any{"nodeSelector": map[string]any{"drill-hang": "yes"}},
		}})
		l.gauntlet(0, "deploy", l.release, "testing", "--adopt", "--drop", "jupyterhub.singleuser.nodeSelector.drill-hang", "--key", "ci")
		if state, wrong := l.left(); len(wrong) > 0 {
			l.t.Errorf("afterwards: %s; %v", state, wrong)
		}
	})
}

// plainHangs upgrades the hub by plain helm, to values that let its puller run on a sick
// node: helm waits for that as long as one looks, until unstick ends it.
func (l *line) plainHangs(values map[string]any) {
	l.t.Helper()
	l.sickNode()
	helm := l.plainHelm(values)
	began := time.Now()
	// As long as gauntlet took for the whole deployment, and longer.
	l.until("the hook has waited for a minute", func() bool {
		select {
		case <-helm.done:
			l.t.Fatalf("plain helm does not hang: it has ended with %d: %s", helm.cmd.ProcessState.ExitCode(), &helm.errout)
		default:
		}
		job, err := l.client.BatchV1().Jobs(l.name).Get(l.t.Context(), "hook-image-awaiter", metav1.GetOptions{})
		return err == nil && job.Status.Active == 1 && time.Since(job.CreationTimestamp.Time) > time.Minute
	})
	ds, err := l.client.AppsV1().DaemonSets(l.name).Get(l.t.Context(), "hook-image-puller", metav1.GetOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	if ds.Status.DesiredNumberScheduled != 2 || ds.Status.NumberReady != 1 {
		l.t.Errorf("the puller has %d of %d pods ready, expected 1 of 2: it is another hang", ds.Status.NumberReady, ds.Status.DesiredNumberScheduled)
	}
	select {
	case <-helm.done:
		l.t.Errorf("plain helm does not hang: it has ended with %d", helm.cmd.ProcessState.ExitCode())
	default:
		l.t.Logf("plain helm is at work since %s and has said nothing: hook-image-puller has 1 of 2 pods ready", time.Since(began).Round(time.Second))
	}
	l.gauntlet(0, "unstick", "testing", "--yes", "--key", "ci")
	helm.ends(l.t, time.Minute)
}

// sickNode makes a pool of a good node and one that is cordoned and whose kubelet is
// dead. DaemonSets take no notice of a cordon.
func (l *line) sickNode() {
	l.t.Helper()
	const good = "bleeding-edge-1"
	l.kubectl(l.cluster, "label", "node", good, "drill-hang=yes")
	l.undo(func() { l.kubectlAfter(l.cluster, "label", "node", good, "drill-hang-") })
	node := l.spare("drill-hang", 0, "drill-hang", "yes")
	l.kubectl(l.cluster, "cordon", node)
	l.kubectl(l.cluster, "taint", "node", node, lab.SpareKey+"-")
	l.frozen(node)
}
