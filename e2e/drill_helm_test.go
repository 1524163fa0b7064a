package e2e

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"slices"
	"strings"
	"time"

	"gauntlet/internal/kube"
)

// helmEnv names a program of plain Helm 4. Each drill that it can be given the same
// fault of is then run by it too, as the benchmark does.
const helmEnv = "GAUNTLET_DRILLS_HELM"

// byHelm upgrades the hub to the drill's chart with plain helm and every safety that it
// has, notes what it did, and brings the hub back to what ran before.
func (l *line) byHelm(d drill, program string, row *drillRow) {
	l.t.Helper()
	args := []string{"--kube-context", l.cluster, "--namespace", l.name, "upgrade", "testing", "chart",
		"--reset-then-reuse-values", "--wait", "--rollback-on-failure", "--timeout", "120s"}
	for _, s := range d.set {
		args = append(args, "--set", s)
	}
	ctx, cancel := context.WithTimeout(l.t.Context(), drillLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env = l.dir, l.env
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	began := time.Now()
	err := cmd.Run()
	took := time.Since(began).Seconds()
	var exited *exec.ExitError
	if err != nil && !errors.As(err, &exited) {
		l.t.Fatalf("%s: %v", program, err)
	}
	row.HelmSeconds, row.HelmExit = &took, cmd.ProcessState.ExitCode()
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	row.HelmSaid = kube.OneLine(lines[len(lines)-1])
	if i := slices.IndexFunc(lines, func(s string) bool { return strings.HasPrefix(s, "Error:") || strings.HasPrefix(s, "STATUS:") }); i >= 0 {
		row.HelmSaid = kube.OneLine(lines[i])
	}
	state, wrong := l.left()
	row.HelmLeft = strings.Join(append([]string{state}, wrong...), "; ")
	l.t.Logf("$ helm %s -> %d in %.1fs: %s; %s", strings.Join(args, " "), row.HelmExit, took, row.HelmSaid, row.HelmLeft)

	for _, f := range slices.Backward(l.undone) {
		f()
	}
	l.undone = nil
	for _, o := range l.objects() { // helm leaves hooks behind, which are not gauntlet's to remove
		if !slices.Contains(l.owns, o) {
			l.kubectl(l.cluster, "-n", l.name, "delete", o, "--ignore-not-found")
		}
	}
	l.reset()
	l.gauntlet(0, "deploy", l.release, "testing", "--adopt", "--key", "ci")
	if state, wrong := l.left(); len(wrong) > 0 {
		l.t.Errorf("after plain helm: %s; %v", state, wrong)
	}
}
