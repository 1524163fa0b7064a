package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gauntlet/internal/evidence"
	"gauntlet/internal/gate"
	"gauntlet/internal/pipeline"
	"gauntlet/lab"
)

// demo runs `gauntlet demo` as make demo does and returns what it printed.
func demo(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "demo")
	cmd.Dir = root
	var out bytes.Buffer
	cmd.Stdout = io.MultiWriter(&out, os.Stderr)
	cmd.Stderr = cmd.Stdout
	if err := cmd.Run(); err != nil {
		t.Fatalf("gauntlet demo: %v", err)
	}
	return out.String()
}

// statusOf is the ladder of a team's release ("" for the newest).
func statusOf(c *team, ref ...string) pipeline.Status {
	c.t.Helper()
	return read[pipeline.Status](c.t, c.gauntlet(0, append([]string{"status", "-o", "json"}, ref...)...))
}

// log is what gauntlet log prints.
type log struct {
	Statements []pipeline.Entry `json:"statements"`
	Rejected   []gate.Rejected  `json:"rejected"`
}

func logOf(c *team, ref ...string) log {
	c.t.Helper()
	return read[log](c.t, c.gauntlet(0, append([]string{"log", "-o", "json"}, ref...)...))
}

func demoWalks(t *testing.T) {
	demo(t)
	c := demoTeam(t)
	st := statusOf(c)
	if len(st.Steps) != 5 {
		t.Fatalf("the ladder has %d steps, not five", len(st.Steps))
	}
	for _, s := range st.Steps {
		if s.State != gate.Done {
			t.Errorf("step %s is %s: %v", s.Name, s.State, s.Reasons)
		}
	}
	if len(st.Hubs) != 6 {
		t.Fatalf("%d hubs, not six", len(st.Hubs))
	}
	for hub, h := range st.Hubs {
		if h.Deployable == "" || h.Problem != "" || h.Foreign {
			t.Errorf("hub %s: %+v", hub, h)
		}
	}
	for _, cluster := range lab.Clusters() {
		pods := c.kubectl(cluster.Name, "get", "pods", "-A", "-l", "component=hub", "--no-headers")
		if n := strings.Count(pods, "Running"); n == 0 || n != strings.Count(pods, "\n") {
			t.Errorf("hubs of cluster %s:\n%s", cluster.Name, pods)
		}
	}
	probed := probes(c, st)
	for hub := range st.Hubs {
		if !probed[hub] {
			t.Errorf("no probe of hub %s says that it ran %s", hub, st.Images["notebook"])
		}
	}
	leftNothing(c, "")
}

// probes are the hubs whose suite says that the spawned server ran the notebook of
// the release.
func probes(c *team, st pipeline.Status) map[string]bool {
	on := map[string]bool{}
	for _, e := range logOf(c, st.Release.Hex()).Statements {
		if e.Type != evidence.TestResultType {
			continue
		}
		var res evidence.TestResult
		if err := json.Unmarshal(e.Predicate, &res); err != nil {
			c.t.Fatal(err)
		}
		for _, check := range res.Checks {
			if res.Suite == "hub" && check.State == evidence.Passed && strings.Contains(check.Message, st.Images["notebook"].Short()) {
				on[res.Hub] = true
			}
		}
	}
	return on
}

// leftNothing checks that no probe user's pod or volume and no workbench pod is
// left in any cluster of the lab, in namespaces whose names begin with the prefix.
func leftNothing(c *team, prefix string) {
	c.t.Helper()
	for _, cluster := range lab.Clusters() {
		list := c.kubectl(cluster.Name, "get", "pods,pvc", "-A", "--no-headers", "-o",
			"custom-columns=NS:.metadata.namespace,KIND:.kind,NAME:.metadata.name,RUN:.metadata.labels.gauntlet/run")
		for line := range strings.Lines(list) {
			if strings.HasPrefix(line, prefix) && (strings.Contains(line, "gauntlet-probe") || strings.Contains(line, "gauntlet--2dprobe") || !strings.HasSuffix(strings.TrimSpace(line), "<none>")) {
				c.t.Errorf("left in cluster %s: %s", cluster.Name, line)
			}
		}
	}
}

func demoAgain(t *testing.T) {
	c := demoTeam(t)
	before, revisions := logOf(c), statusOf(c).Hubs
	start := time.Now()
	demo(t)
	t.Logf("demo again took %s", time.Since(start).Round(time.Second))
	after := logOf(c)
	if len(after.Statements) != len(before.Statements) {
		for _, e := range after.Statements[len(before.Statements):] {
			t.Errorf("said again: %s %s", e.Type, e.Text)
		}
	}
	if diff := cmp.Diff(revisions, statusOf(c).Hubs); diff != "" {
		t.Errorf("hubs changed:\n%s", diff)
	}
}

// otherMachine has an empty home and a fresh clone, and the registry and kubeconfig
// alone.
func otherMachine(t *testing.T) {
	c := demoTeam(t)
	home := t.TempDir()
	dir := filepath.Join(home, "clone")
	other := &team{t: t, dir: home, env: []string{
		"HOME=" + home, "PATH=" + os.Getenv("PATH"), "KUBECONFIG=" + lab.Kubeconfig(), "GIT_CONFIG_NOSYSTEM=1",
	}}
	other.sh("git", "-c", "safe.directory=*", "clone", "--quiet", c.dir, dir)
	other.dir = dir
	want, got := ladderText(c), ladderText(other)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the ladder differs:\n%s", diff)
	}
}

// ladderText is what status says, without what depends on the minute.
func ladderText(c *team) string {
	st := statusOf(c)
	b, err := json.MarshalIndent(st, "", " ")
	if err != nil {
		c.t.Fatal(err)
	}
	return string(b)
}
