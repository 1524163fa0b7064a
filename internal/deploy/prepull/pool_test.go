package prepull

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gauntlet/internal/config"
)

func digestRef(name string) string {
	return "r.example.org/" + name + "@sha256:" + strings.Repeat("a", 64)
}

// node is a healthy node; change makes it another.
func node(name string, change ...func(*corev1.Node)) *corev1.Node {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"purpose": "user"}}}
	n.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
	for _, c := range change {
		c(n)
	}
	return n
}

func taint(key string, effect corev1.TaintEffect) func(*corev1.Node) {
	return func(n *corev1.Node) { n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{Key: key, Effect: effect}) }
}

func cordoned(n *corev1.Node) {
	n.Spec.Unschedulable = true
	taint("node.kubernetes.io/unschedulable", corev1.TaintEffectNoSchedule)(n)
}

func notReady(n *corev1.Node) {
	n.Status.Conditions[0].Status = corev1.ConditionUnknown
	taint("node.kubernetes.io/unreachable", corev1.TaintEffectNoExecute)(n)
}

func has(refs ...string) func(*corev1.Node) {
	return func(n *corev1.Node) {
		n.Status.Images = append(n.Status.Images, corev1.ContainerImage{Names: refs})
	}
}

func TestWhichNodesAreOfAPool(t *testing.T) {
	p := Pool{NodeSelector: map[string]string{"purpose": "user"}, Tolerations: []corev1.Toleration{{Key: "user", Operator: corev1.TolerationOpExists}}}
	for name, c := range map[string]struct {
		node *corev1.Node
		want bool
	}{
		"plain":                     {node("a"), true},
		"another label":             {node("a", func(n *corev1.Node) { n.Labels["purpose"] = "core" }), false},
		"no label":                  {node("a", func(n *corev1.Node) { n.Labels = nil }), false},
		"a taint it tolerates":      {node("a", taint("user", corev1.TaintEffectNoSchedule)), true},
		"a taint it does not":       {node("a", taint("gpu", corev1.TaintEffectNoSchedule)), false},
		"a taint that only prefers": {node("a", taint("gpu", corev1.TaintEffectPreferNoSchedule)), true},
		"control plane":             {node("a", taint("node-role.kubernetes.io/control-plane", corev1.TaintEffectNoSchedule)), false},
		"cordoned, but of the pool": {node("a", cordoned), true},
		"unreachable, but of it":    {node("a", notReady), true},
		"leaving, but of the pool":  {node("a", taint("ToBeDeletedByClusterAutoscaler", corev1.TaintEffectNoSchedule)), true},
		"disk pressure, but of it":  {node("a", taint("node.kubernetes.io/disk-pressure", corev1.TaintEffectNoSchedule)), true},
		"cordoned and not of it":    {node("a", cordoned, taint("gpu", corev1.TaintEffectNoSchedule)), false},
	} {
		if got := p.takes(c.node); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestANodeMatchesOneOfAPoolsTerms(t *testing.T) {
	p := Pool{Name: "users", NodeSelector: map[string]string{"purpose": "user"}, Terms: []corev1.NodeSelectorTerm{in("size", "big"), in("zone", "a", "b")}}
	label := func(key, value string) func(*corev1.Node) {
		return func(n *corev1.Node) { n.Labels[key] = value }
	}
	for name, c := range map[string]struct {
		node *corev1.Node
		want bool
	}{
		"the first term":          {node("a", label("size", "big")), true},
		"the second":              {node("a", label("zone", "b")), true},
		"neither":                 {node("a", label("size", "small")), false},
		"a term, and no selector": {node("a", label("size", "big"), label("purpose", "core")), false},
	} {
		if got := p.takes(c.node); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	pod := (&poolBoard{Pool: p}).daemonSet("hub", map[string]string{}, nil).Spec.Template.Spec
	if d := cmp.Diff(p.Terms, pod.Affinity.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution.NodeSelectorTerms); d != "" {
		t.Errorf("its pods do not ask for them: %s", d)
	}
	if said := p.noNodes(); !strings.Contains(said, "has purpose=user and size=big or zone In (a, b) and only") || !strings.Contains(said, "nodeSelector: {purpose: user}, min: 0") {
		t.Error(said)
	}
	p.Terms = p.Terms[:1]
	if said := p.noNodes(); !strings.Contains(said, "nodeSelector: {purpose: user, size: big}, min: 0") {
		t.Error(said)
	}
	if Digest([]Pool{p}) == Digest([]Pool{{Name: p.Name, NodeSelector: p.NodeSelector}}) {
		t.Error("the digest does not tell terms apart")
	}
}

func TestWhatANodeSaysItHas(t *testing.T) {
	one, two := Image{Ref: digestRef("one")}, Image{Ref: "jupyter/two:1"}
	p := Pool{Images: []Image{one, two}}
	for name, c := range map[string]struct {
		node *corev1.Node
		want int
	}{
		"nothing":   {node("a"), 2},
		"one":       {node("a", has(one.Ref, "r.example.org/one:x")), 1},
		"both":      {node("a", has(one.Ref), has("docker.io/jupyter/two:1")), 0},
		"other tag": {node("a", has(one.Ref), has("docker.io/jupyter/two:2")), 1},
	} {
		if got := len(p.missing(c.node)); got != c.want {
			t.Errorf("%s: %d", name, got)
		}
	}
}

func TestThePoolsOfAHub(t *testing.T) {
	zero := 0
	refs := map[string]string{"notebook": digestRef("notebook"), "worker": digestRef("worker"), "octave": digestRef("octave")}
	u := Users{NodeSelector: map[string]string{"a": "b"}, Images: []string{digestRef("notebook"), "r/profile:1"}}
	usual := []string{"notebook", "worker"}

	got, err := Pools("compute", config.Hub{}, u, refs, usual)
	if err != nil {
		t.Fatal(err)
	}
	all := []Image{{Ref: digestRef("notebook")}, {Ref: digestRef("worker")}, {Ref: "r/profile:1"}}
	want := []Pool{{Name: "users", NodeSelector: u.NodeSelector, Images: all, Min: 1, Quorum: 100, From: "the values of hub compute"}}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("by the values: %s", d)
	}

	h := config.Hub{PrePull: config.PrePull{Quorum: 90}, Pools: []config.Pool{
		{Name: "big", NodeSelector: map[string]string{"size": "big"}, Tolerations: []map[string]any{{"key": "big", "operator": "Exists"}}},
		{Name: "dask", Min: &zero, Images: []string{"worker", "octave", "r/tools:1", "worker"}},
	}}
	if got, err = Pools("compute", h, u, refs, usual); err != nil {
		t.Fatal(err)
	}
	want = []Pool{
		{Name: "big", NodeSelector: map[string]string{"size": "big"}, Tolerations: []corev1.Toleration{{Key: "big", Operator: "Exists"}}, Images: all, Min: 1, Quorum: 90, From: "hubs.compute.pools"},
		{Name: "dask", Images: []Image{{Ref: digestRef("worker")}, {Ref: digestRef("octave")}, {Ref: "r/tools:1"}}, Quorum: 90, From: "hubs.compute.pools"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("declared: %s", d)
	}

	for _, bad := range []config.Pool{{Name: "x", Images: []string{"gone"}}, {Name: "x", Tolerations: []map[string]any{{"ky": "x"}}}} {
		if _, err := Pools("compute", config.Hub{Pools: []config.Pool{bad}}, u, refs, usual); err == nil || !strings.Contains(err.Error(), "hubs.compute.pools: pool x") {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	if Digest(got) == Digest(got[:1]) || Digest(got) != Digest(append([]Pool{}, got...)) {
		t.Error("the digest does not tell pools apart")
	}
}

func TestTheFirstSpawnOnAPoolWithoutNodes(t *testing.T) {
	for name, c := range map[string]struct {
		size  int64
		limit time.Duration
		late  bool
		says  string
	}{
		"soon enough":     {1 << 30, 5 * time.Minute, false, "pulls 1.0 GiB, about 51s, and a server may take 5m to start"},
		"too late":        {5 << 30, 4 * time.Minute, true, "about 4m, and a server may take only 4m to start: the first will fail"},
		"size not known":  {0, time.Minute, false, "the first spawn pulls x, and a server may take 1m to start"},
		"limit not known": {500 << 20, 0, false, "pulls 500 MiB, about 25s"},
	} {
		got, late := Pool{Images: []Image{{Ref: digestRef("x"), Size: c.size}}}.atFirstSpawn(c.limit)
		if late != c.late || !strings.Contains(got, c.says) {
			t.Errorf("%s: %v, %s", name, late, got)
		}
	}
}
