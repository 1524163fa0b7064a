//go:build linux

package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gauntlet/lab/internal/spec"
)

// Bounds of the test on a loaded machine; what it measures, it logs. Warm and
// idle, `up` takes well below 45 s and `down` below 15 s.
const (
	upBound   = 120 * time.Second
	downBound = 30 * time.Second
)

// TestLab takes this machine's lab down and up, kills parts and all of it, and
// compares the machine before and after. Nothing else may use the lab meanwhile.
func TestLab(t *testing.T) {
	if os.Getenv("GAUNTLET_LAB_TEST") == "" {
		t.Skip("takes the lab of this machine down: set GAUNTLET_LAB_TEST=1")
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	ctx := t.Context()
	found, err := ownUnits()
	if err != nil {
		t.Fatal(err)
	}
	if len(found) > 0 { // leave it as we found it
		t.Cleanup(func() { up(context.Background(), t) })
	}
	down(ctx, t)
	before := machine(t)

	up(ctx, t)
	units := unitPIDs(t)
	began := time.Now()
	up(ctx, t)
	if d := time.Since(began); d > 2*time.Second {
		t.Errorf("up, with everything up, took %s; want at most 2 s", d)
	}
	if diff := cmp.Diff(units, unitPIDs(t)); diff != "" {
		t.Errorf("up restarted what was up (-before +after):\n%s", diff)
	}
	for _, c := range Clusters() {
		runPodWithVolume(ctx, t, c)
	}

	t.Run("a killed node is repaired, other clusters untouched", func(t *testing.T) {
		kill(t, units["canary-1"])
		up(ctx, t)
		for name, pid := range unitPIDs(t) {
			if !strings.HasPrefix(name, Canary) && pid != units[name] {
				t.Errorf("%s was restarted", name)
			}
		}
		runPodWithVolume(ctx, t, Clusters()[1])
	})
	t.Run("a killed daemon is started again without anybody's help", func(t *testing.T) {
		pid := daemonPID(t, "registry")
		kill(t, pid)
		if err := until(ctx, 20*time.Second, func() error { return checkRegistry(ctx) }); err != nil {
			t.Error(err)
		}
	})
	t.Run("up recovers after every process was killed", func(t *testing.T) {
		children, err := processChildren()
		if err != nil {
			t.Fatal(err)
		}
		var all []int
		for _, pid := range unitPIDs(t) {
			all = append(all, descendants(pid, children)...)
		}
		sort.Sort(sort.Reverse(sort.IntSlice(all))) // units last: the kernel must not do our work
		t.Logf("killing %d processes", len(all))
		for _, pid := range all {
			kill(t, pid)
		}
		up(ctx, t)
		runPodWithVolume(ctx, t, Clusters()[0])
	})
	for _, after := range []time.Duration{300 * time.Millisecond, 2 * time.Second, 6 * time.Second} {
		t.Run(fmt.Sprintf("up goes on after it was interrupted at %s", after), func(t *testing.T) {
			down(ctx, t)
			interrupted, cancel := context.WithTimeout(ctx, after)
			defer cancel()
			if err := Up(interrupted, testWriter{t}); err == nil {
				t.Logf("up was faster")
			}
			up(ctx, t)
			runPodWithVolume(ctx, t, Clusters()[2])
		})
	}

	// Down must not need them removed first.
	if err := AddNode(ctx, testWriter{t}, Production, Spare{Name: "left"}); err != nil {
		t.Fatal(err)
	}
	if err := Simulate(ctx, testWriter{t}, Production, Simulated{Count: 3}); err != nil {
		t.Fatal(err)
	}
	down(ctx, t)
	if diff := cmp.Diff(before, machine(t)); diff != "" {
		t.Errorf("down left something behind (-before +after):\n%s", diff)
	}
	down(ctx, t) // repeats safely
}

func up(ctx context.Context, t *testing.T) {
	t.Helper()
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, upBound)
	defer cancel()
	if err := Up(ctx, testWriter{t}); err != nil {
		t.Fatalf("up: %v", err)
	}
	s, err := GetStatus(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if !s.Up || len(s.Clusters) != 3 {
		t.Fatalf("up, but status says %+v", s)
	}
	t.Logf("up took %.1f s, memory %s", time.Since(began).Seconds(), s.Memory)
}

func down(ctx context.Context, t *testing.T) {
	t.Helper()
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, downBound)
	defer cancel()
	if err := Down(ctx, testWriter{t}, false); err != nil {
		t.Fatalf("down: %v", err)
	}
	t.Logf("down took %.1f s", time.Since(began).Seconds())
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimSuffix(string(p), "\n"))
	return len(p), nil
}

func unitPIDs(t *testing.T) map[string]int {
	t.Helper()
	units, err := ownUnits()
	if err != nil {
		t.Fatal(err)
	}
	pids := map[string]int{}
	for name, u := range units {
		pids[name] = u.pid
	}
	return pids
}

func daemonPID(t *testing.T, name string) int {
	t.Helper()
	children, err := processChildren()
	if err != nil {
		t.Fatal(err)
	}
	for _, unitPID := range unitPIDs(t) {
		for _, pid := range children[unitPID] {
			cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
			if strings.HasPrefix(string(cmdline), program(name)+"\x00") {
				return pid
			}
		}
	}
	t.Fatalf("no %s runs", name)
	return 0
}

func kill(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && err != syscall.ESRCH {
		t.Fatal(err)
	}
}

// runPodWithVolume runs a pod that writes into a volume and looks up a name.
func runPodWithVolume(ctx context.Context, t *testing.T, c Cluster) {
	t.Helper()
	img, err := makeImages(ctx)
	if err != nil {
		t.Fatal(err)
	}
	manifest := fmt.Sprintf(`apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: probe}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
---
apiVersion: v1
kind: Pod
metadata: {name: probe}
spec:
  restartPolicy: Never
  containers:
    - name: probe
      image: %s
      command: [sh, -c, "echo kept > /data/file && nslookup kubernetes.default.svc.cluster.local && sleep 1000"]
      volumeMounts: [{name: data, mountPath: /data}]
      readinessProbe: {exec: {command: [cat, /data/file]}, periodSeconds: 1}
  volumes: [{name: data, persistentVolumeClaim: {claimName: probe}}]
`, img.busybox.ref)
	kubectl := []string{program("kubectl"), "--kubeconfig=" + Kubeconfig(), "--context=" + c.Name}
	if _, err := output(ctx, manifest, append(kubectl, "apply", "-f", "-")...); err != nil {
		t.Fatal(err)
	}
	if _, err := output(ctx, "", append(kubectl, "wait", "--for=condition=Ready", "--timeout=60s", "pod/probe")...); err != nil {
		t.Fatal(err)
	}
}

// machine is all that the lab might leave on the host.
func machine(t *testing.T) map[string][]string {
	t.Helper()
	run := func(args ...string) []string {
		out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v: %s", args, err, out)
		}
		return strings.Split(strings.TrimSpace(string(out)), "\n")
	}
	mounts, err := os.ReadFile("/proc/mounts")
	if err != nil {
		t.Fatal(err)
	}
	m := map[string][]string{
		"links":      run("ip", "-br", "link"),
		"namespaces": run("ip", "netns"),
		"routes":     run("ip", "route", "show", "table", "all"),
		"mounts":     strings.Split(string(mounts), "\n"),
		"state":      list(t, Dir()+"/*"),
		"run":        list(t, "/run/*"),
		"var":        list(t, "/var/lib/*"),
		"logs":       list(t, "/var/log/*"),
		"processes":  labProcesses(t),
	}
	for _, pattern := range []string{cgroupRoot + "/*", cgroupRoot + "/*/*"} {
		for _, path := range list(t, pattern) {
			if info, err := os.Stat(path); err == nil && info.IsDir() {
				m["cgroups"] = append(m["cgroups"], path)
			}
		}
	}
	for _, name := range kubeletSettings {
		m["settings"] = append(m["settings"], name+"="+readSetting(name))
	}
	for name := range minimumSettings {
		m["settings"] = append(m["settings"], name+"="+readSetting(name))
	}
	sort.Strings(m["settings"])
	return m
}

func list(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// labProcesses lists processes that belong to the lab by their environment or by
// the program they run.
func labProcesses(t *testing.T) []string {
	t.Helper()
	var found []string
	for _, dir := range list(t, "/proc/[0-9]*") {
		environ, _ := os.ReadFile(dir + "/environ")
		cmdline, _ := os.ReadFile(dir + "/cmdline")
		exe, _ := os.Readlink(dir + "/exe")
		if strings.Contains(string(environ), spec.MemberEnv+"=") || strings.HasPrefix(string(cmdline), Dir()) || strings.HasPrefix(exe, CacheDir()) {
			found = append(found, strings.ReplaceAll(string(cmdline), "\x00", " "))
		}
	}
	return found
}
