package e2e

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"

	"k8s.io/client-go/kubernetes"

	"gauntlet/internal/kube"
	"gauntlet/lab"
)

// A drill is one real fault on a hub that runs well, and what gauntlet has to say of it.
type drill struct {
	name string
	// fault breaks something: values, the chart, or the cluster itself (then it
	// registers with undo how that is mended).
	fault func(*line)
	// during, when not nil, is what happens while gauntlet is at work. It says since
	// when the cause can be seen when no object would show that.
	during func(*line, *process) (observable time.Time)
	// shows says whether an object of the API shows the cause: the first that does
	// makes it observable. Nil: it can be seen from the beginning.
	shows func(object any) bool
	// says is what the line that names the cause holds, in any case of letters.
	says []string
	// peaceful is a fault that passes by itself: gauntlet must deploy all the same.
	peaceful bool
	// adds are objects that the release with the fault has more than the good one.
	adds []string
	// prepull brings the images of the good release to the nodes, in place of deploying
	// the release with the fault.
	prepull bool
	// plain says that plain helm can be given the same fault, which the benchmark does
	// for comparison, and set what it needs for that beside the chart.
	plain bool
	set   []string
}

// drillLimit bounds one command of a drill: whoever runs into it hangs.
const drillLimit = 8 * time.Minute

// A line is one hub on which drills follow each other; after each it runs well again.
type line struct {
	*small
	cluster string
	client  *kubernetes.Clientset
	good    string   // commit that the hub runs between the drills
	release string   // of that commit
	owns    []string // objects of the namespace in that state
	adds    []string // objects that the drill's release has besides
	undone  []func()
	pools   int // that drills have asked for
}

// newLine makes a platform whose hub runs a good release.
func newLine(t *testing.T, name string, port int, overlays ...string) *line {
	t.Helper()
	return beginLine(newSmall(t, name, port, overlays...), lab.BleedingEdge)
}

// beginLine brings a small platform's hub, on a cluster of the lab, to a good release.
func beginLine(s *small, cluster string) *line {
	t := s.t
	t.Helper()
	if cluster != lab.BleedingEdge {
		s.replace("gauntlet.yaml", "    cluster: "+lab.BleedingEdge, "    cluster: "+cluster)
		s.replace("gauntlet.yaml", "http://172.29.0.11:", "http://"+firstNode(t, cluster)+":")
		t.Cleanup(func() {
			s.kubectlAfter(cluster, "delete", "namespace", s.name, "--ignore-not-found", "--wait=false")
		})
	}
	l := &line{small: s, cluster: cluster, client: labClient(t, cluster)}
	l.begin()
	l.borrow()
	l.gauntlet(0, "run", "--key", "ci")
	l.good = strings.TrimSpace(l.sh("git", "rev-parse", "HEAD"))
	l.release = statusOf(l.team).Release.Hex()
	l.owns = l.objects()
	if _, wrong := l.left(); len(wrong) > 0 {
		t.Fatalf("the hub is not well before the first drill: %v", wrong)
	}
	return l
}

// firstNode is the address of a cluster's first node.
func firstNode(t *testing.T, cluster string) string {
	t.Helper()
	for _, c := range lab.Clusters() {
		if c.Name == cluster {
			return c.Nodes[0].IP
		}
	}
	t.Fatalf("the lab has no cluster %s", cluster)
	return ""
}

// labClient speaks to a cluster of the lab.
func labClient(t *testing.T, cluster string) *kubernetes.Clientset {
	t.Helper()
	cfg, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		&clientcmd.ClientConfigLoadingRules{ExplicitPath: lab.Kubeconfig()},
		&clientcmd.ConfigOverrides{CurrentContext: cluster}).ClientConfig()
	if err != nil {
		t.Fatal(err)
	}
	cfg.QPS, cfg.Burst = 50, 100
	c, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// undo is done after the drill, the last first.
func (l *line) undo(f func()) { l.undone = append(l.undone, f) }

// sub runs a part of the line as a test of its own, with the hub well again afterwards.
func (l *line) sub(name string, f func()) {
	outer := l.t
	defer func() { l.t = outer }()
	outer.Run(name, func(t *testing.T) {
		l.t = t
		defer func() {
			for _, f := range slices.Backward(l.undone) {
				f()
			}
			l.undone, l.adds = nil, nil
			l.reset()
		}()
		f()
	})
}

// reset brings the repository back to the good commit.
func (l *line) reset() {
	l.sh("git", "reset", "--quiet", "--hard", l.good)
	l.sh("git", "clean", "-fdq")
}

// drills are run one after another.
func (l *line) drills(list ...drill) {
	for _, d := range list {
		l.sub(d.name, func() { l.drill(d) })
	}
}

func (l *line) drill(d drill) {
	l.t.Helper()
	watch := l.watch(d.shows)
	l.adds = d.adds
	d.fault(l)
	l.commit("A drill: " + d.name)
	before := l.revision()
	args := []string{"run", "--key", "ci"}
	if d.prepull {
		args = []string{"prepull", l.release, "testing", "--key", "ci"}
	}
	p := l.start(nil, args...)
	var since time.Time
	if d.during != nil {
		since = d.during(l, p)
	}
	p.wait(drillLimit)
	seen := watch.stop()
	if !since.IsZero() {
		seen = since
	}
	row := drillRow{Name: d.name, Hub: l.name, Started: p.started, Ended: p.ended, Peaceful: d.peaceful, Foreseen: !d.peaceful && l.revision() == before}
	if d.shows == nil && d.during == nil || seen.Before(p.started) && !seen.IsZero() {
		seen = p.started
	}
	var wrong []string
	complain := func(format string, a ...any) { wrong = append(wrong, fmt.Sprintf(format, a...)) }
	if want := map[bool]int{true: 0, false: 1}[d.peaceful]; p.code != want {
		complain("exit code %d, expected %d", p.code, want)
	}
	named, said := p.first(d.says...)
	switch {
	case len(d.says) > 0 && named.IsZero():
		complain("no line names the cause (%s)", strings.Join(d.says, ", "))
	case !d.peaceful && !holds(p.failure(), d.says...):
		complain("gauntlet ended without the cause (%s): %s", strings.Join(d.says, ", "), p.failure())
	case seen.IsZero() && d.peaceful:
		complain("the cluster never showed the fault, so nothing was drilled")
	case seen.IsZero() && !row.Foreseen:
		complain("the watch of the API never saw the cause that gauntlet names: %s", said)
	}
	l.fail(p, wrong)
	row.Cause = p.failure()
	if d.peaceful {
		row.Cause = said
	}
	row.Observable, row.Named = seen, named
	l.settle(&row)
	if program := os.Getenv(helmEnv); program != "" && d.plain {
		l.byHelm(d, program, &row)
	}
}

// fail reports what is wrong, after all that helps to find out why: what is at the end of
// a long log is what people see of it.
func (l *line) fail(p *process, wrong []string) {
	l.t.Helper()
	if len(wrong) == 0 {
		return
	}
	l.t.Logf("gauntlet said:\n%s", p.all())
	l.t.Logf("events of %s:\n%s", l.name, l.kubectl(l.cluster, "-n", l.name, "get", "events", "--sort-by=.lastTimestamp"))
	for _, w := range wrong {
		l.t.Error(w)
	}
}

// settle sees to it that the hub is well, and what is left of the drill. A hub that
// gauntlet left broken is mended by deploying the good values.
func (l *line) settle(row *drillRow) {
	l.t.Helper()
	if state, wrong := l.left(); len(wrong) > 0 {
		l.t.Logf("gauntlet left: %s; %s", state, strings.Join(wrong, "; "))
		for _, f := range slices.Backward(l.undone) {
			f()
		}
		l.undone = nil
		l.reset()
		l.gauntlet(0, "run", "--key", "ci")
		row.Mended = true
	}
	state, wrong := l.left()
	for _, w := range wrong {
		l.t.Errorf("left behind: %s", w)
	}
	leftNothing(l.team, l.name)
	row.Left = state
	addDrill(l.t, row)
}

// left says in what state the hub is, and what of it is not as it should be.
func (l *line) left() (state string, wrong []string) {
	l.t.Helper()
	ctx := l.t.Context()
	complain := func(format string, a ...any) { wrong = append(wrong, fmt.Sprintf(format, a...)) }
	deployed, pending, newest, status := l.records()
	state = fmt.Sprintf("revision %d %s", newest, status)
	if deployed != 1 || status != "deployed" {
		complain("%d deployed revisions, the newest (%d) is %s", deployed, newest, status)
	}
	if pending > 0 {
		complain("%d revisions are pending", pending)
	}
	lease, err := l.client.CoordinationV1().Leases(l.name).Get(ctx, kube.LockName, metav1.GetOptions{})
	switch {
	case err != nil:
		complain("the lock cannot be read: %v", err)
	case lease.Spec.HolderIdentity != nil && *lease.Spec.HolderIdentity != "":
		complain("%s still holds the lock", *lease.Spec.HolderIdentity)
	}
	if l.owns != nil {
		now := l.objects()
		for _, o := range now {
			if !slices.Contains(l.owns, o) && !slices.Contains(l.adds, o) {
				complain("%s is left over", o)
			}
		}
		for _, o := range l.owns {
			if !slices.Contains(now, o) {
				complain("%s is gone", o)
			}
		}
	}
	if err := l.answers(); err != nil {
		complain("the hub does not answer: %v", err)
	}
	if len(wrong) == 0 {
		state += ", lock free, nothing left over, hub answers"
	}
	return state, wrong
}

// answers asks the hub, through its proxy, for its version.
func (l *line) answers() error {
	c := http.Client{Timeout: 5 * time.Second}
	resp, err := c.Get(fmt.Sprintf("http://%s:%d/hub/api/", firstNode(l.t, l.cluster), l.port))
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("HTTP %s", resp.Status)
	}
	return nil
}

// objects are the things in the hub's namespace that stay, but for Helm's records.
func (l *line) objects() []string {
	l.t.Helper()
	const kinds = "deployments,statefulsets,daemonsets,jobs,services,configmaps,secrets,persistentvolumeclaims,serviceaccounts,roles,rolebindings,networkpolicies"
	var out []string
	for name := range strings.FieldsSeq(l.kubectl(l.cluster, "-n", l.name, "get", kinds, "-o", "name")) {
		if !strings.HasPrefix(name, "secret/sh.helm.release.") {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// records counts Helm's revisions of the hub.
func (l *line) records() (deployed, pending, newest int, status string) {
	l.t.Helper()
	list, err := l.client.CoreV1().Secrets(l.name).List(l.t.Context(), metav1.ListOptions{LabelSelector: "owner=helm"})
	if err != nil {
		l.t.Fatal(err)
	}
	for _, s := range list.Items {
		var revision int
		_, _ = fmt.Sscan(s.Labels["version"], &revision)
		if revision > newest {
			newest, status = revision, s.Labels["status"]
		}
		switch {
		case s.Labels["status"] == "deployed":
			deployed++
		case strings.HasPrefix(s.Labels["status"], "pending"):
			pending++
		}
	}
	return deployed, pending, newest, status
}

// revision is the newest revision of the hub.
func (l *line) revision() int {
	_, _, newest, _ := l.records()
	return newest
}
