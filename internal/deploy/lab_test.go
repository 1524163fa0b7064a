package deploy

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gauntlet/internal/deploy/helm"
	"gauntlet/internal/kill"
	"gauntlet/internal/kube"
	"gauntlet/internal/release"
)

// These tests need a real cluster: GAUNTLET_TEST_CONTEXT names its kubeconfig
// context, GAUNTLET_TEST_IMAGE an image with a shell that its nodes can run, and
// GAUNTLET_TEST_REGISTRY a registry that they can ask.
const (
	registryEnv = "GAUNTLET_TEST_REGISTRY"
	contextEnv  = "GAUNTLET_TEST_CONTEXT"
	imageEnv    = "GAUNTLET_TEST_IMAGE"
	childEnv    = "GAUNTLET_TEST_DEPLOY_CHILD"
)

// labHub is a namespace of its own on the cluster, removed after the test.
func labHub(t *testing.T) *kube.Client {
	t.Helper()
	name := os.Getenv(contextEnv)
	if name == "" || os.Getenv(imageEnv) == "" || os.Getenv(registryEnv) == "" {
		t.Skipf("needs a cluster: set %s, %s and %s", contextEnv, imageEnv, registryEnv)
	}
	c, err := kube.Connect(name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func labNamespace(t *testing.T, c *kube.Client) string {
	t.Helper()
	ns := "h-deploy-" + strings.ToLower(strings.NewReplacer("_", "-", "/", "-").Replace(t.Name()))
	ns = strings.Trim(ns[:min(len(ns), 60)], "-")
	remove := func(ctx context.Context) {
		if err := c.CoreV1().Namespaces().Delete(ctx, ns, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			t.Error(err)
		}
	}
	remove(t.Context()) // of a test that was killed
	eventually(t, time.Minute, func() bool {
		_, err := c.CoreV1().Namespaces().Get(t.Context(), ns, metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		remove(ctx)
	})
	return ns
}

func eventually(t *testing.T, limit time.Duration, ok func() bool) {
	t.Helper()
	end := time.After(limit)
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-end:
			t.Fatalf("not so after %s", limit)
		case <-tick.C:
		}
	}
}

// smallChart is a chart of one Deployment, and of the hooks that values ask for.
func smallChart(t *testing.T) []byte {
	t.Helper()
	b, err := release.PackChart(map[string][]byte{
		"Chart.yaml": []byte("apiVersion: v2\nname: small\nversion: 1.0.0\n"),
		"values.yaml": []byte(`command: trap 'exit 0' TERM; touch /tmp/ready; while true; do sleep 0.1; done
hookCommand: ""
puller: ""
probe: true
`),
		"templates/web.yaml": []byte(`{{- with .Values.refuse }}{{ fail . }}{{ end }}
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  strategy: {type: Recreate}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: web
          image: {{ .Values.image }}
          imagePullPolicy: IfNotPresent
          command: [sh, -c, {{ .Values.command | quote }}]
          resources: {requests: {cpu: {{ .Values.cpu | default "1m" }}}}
          {{- if .Values.probe }}
          readinessProbe: {periodSeconds: 1, exec: {command: [test, -f, /tmp/ready]}}
          {{- end }}
`),
		"templates/hook.yaml": []byte(`{{- if .Values.puller }}
apiVersion: apps/v1
kind: DaemonSet
metadata:
  name: puller
  annotations: {helm.sh/hook: "pre-install,pre-upgrade", helm.sh/hook-weight: "-10", helm.sh/hook-delete-policy: "before-hook-creation,hook-succeeded"}
spec:
  selector: {matchLabels: {app: puller}}
  template:
    metadata: {labels: {app: puller}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: p, image: {{ .Values.puller }}, imagePullPolicy: IfNotPresent, command: [sleep, "1000"]}]
---
{{- end }}
{{- if .Values.hookCommand }}
apiVersion: batch/v1
kind: Job
metadata:
  name: before
  annotations: {helm.sh/hook: "pre-install,pre-upgrade", helm.sh/hook-delete-policy: "before-hook-creation,hook-succeeded"}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 0
      containers: [{name: h, image: {{ .Values.image }}, imagePullPolicy: IfNotPresent, command: [sh, -c, {{ .Values.hookCommand | quote }}]}]
{{- end }}
`),
	}, "", "")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func smallRequest(t *testing.T, c *kube.Client, ns, variant string, values release.Values) Request {
	t.Helper()
	v := release.Values{"image": os.Getenv(imageEnv)}
	for k, x := range values {
		v[k] = x
	}
	var mu sync.Mutex
	return Request{
		Client: c, Namespace: ns, ReleaseName: "small", Chart: smallChart(t), Values: v,
		Deployable: release.DigestOf([]byte("deployable " + variant)),
		Access:     release.DigestOf([]byte("access")),
		Release:    release.DigestOf([]byte("release " + variant)),
		Timeout:    90 * time.Second,
		Observe: func(e Event) {
			mu.Lock()
			defer mu.Unlock()
			if testing.Verbose() {
				fmt.Fprintf(os.Stderr, "    %s %s %s %s\n", time.Now().Format("05.0"), e.Step, e.Object, e.Message)
			}
		},
	}
}

// history is the state of each revision, the newest first: "2 deployed, 1 superseded".
func history(t *testing.T, r Request) string {
	t.Helper()
	h, err := helm.New(r.Client, r.Namespace, nil).History(r.ReleaseName)
	if err != nil {
		t.Fatal(err)
	}
	var s []string
	for _, rec := range h {
		s = append(s, fmt.Sprintf("%d %s", rec.Revision, rec.Status))
	}
	return strings.Join(s, ", ")
}

func TestLabDeployReuseUpgradeAndState(t *testing.T) {
	c := labHub(t)
	ns := labNamespace(t, c)
	ctx := t.Context()
	if s := State(ctx, c, ns, "small"); s.Deployable != "" || s.Problem != "" || s.Revision != 0 {
		t.Errorf("before: %+v", s)
	}
	one := smallRequest(t, c, ns, "one", nil)
	res, err := Deploy(ctx, one)
	if err != nil || res.Revision != 1 || res.Reused || res.Started.IsZero() || res.Finished.Before(res.Started) {
		t.Fatalf("install: %+v, %v", res, err)
	}
	begun := time.Now()
	res, err = Deploy(ctx, one)
	if err != nil || res.Revision != 1 || !res.Reused {
		t.Fatalf("again: %+v, %v", res, err)
	}
	t.Logf("reuse took %s", time.Since(begun))

	first := State(ctx, c, ns, "small")
	access := one
	access.Access = release.DigestOf([]byte("another user"))
	if res, err = Deploy(ctx, access); err != nil || res.Revision != 2 || res.Reused {
		t.Fatalf("other access values: %+v, %v", res, err)
	}
	s := State(ctx, c, ns, "small")
	if s.Deployable != one.Deployable.Label() || s.Release != one.Release.Label() || s.Revision != 2 || s.Foreign || s.Problem != "" {
		t.Errorf("state %+v", s)
	}
	if s.Since.After(first.Since) {
		t.Errorf("a changed user list moved the beginning from %s to %s", first.Since, s.Since)
	}

	two := smallRequest(t, c, ns, "two", release.Values{"cpu": "2m"})
	if res, err = Deploy(ctx, two); err != nil || res.Revision != 3 {
		t.Fatalf("upgrade: %+v, %v", res, err)
	}
	if h := history(t, two); h != "3 deployed, 2 superseded, 1 superseded" {
		t.Error(h)
	}

	// What somebody deleted is put back.
	if err := c.AppsV1().Deployments(ns).Delete(ctx, "web", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if res, err = Deploy(ctx, two); err != nil || res.Revision != 4 || res.Reused {
		t.Fatalf("after a deletion: %+v, %v", res, err)
	}
}

func TestLabUsersHelmGoesOnWorking(t *testing.T) {
	c := labHub(t)
	program, err := exec.LookPath("helm")
	if err != nil {
		t.Skip("needs the helm program")
	}
	ns := labNamespace(t, c)
	ctx := t.Context()
	one := smallRequest(t, c, ns, "one", nil)
	if _, err := Deploy(ctx, one); err != nil {
		t.Fatal(err)
	}
	tgz := t.TempDir() + "/small.tgz"
	if err := os.WriteFile(tgz, one.Chart, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, program, "--kube-context", c.Context, "-n", ns, "upgrade", "small", tgz,
		"--set", "image="+os.Getenv(imageEnv), "--set", "cpu=3m", "--wait", "--timeout", "60s")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("helm upgrade: %v\n%s", err, out)
	}
	if s := State(ctx, c, ns, "small"); !s.Foreign || s.Deployable != "" {
		t.Errorf("after helm upgrade: %+v", s)
	}
	var foreign *ForeignError
	if _, err := Deploy(ctx, one); !errors.As(err, &foreign) || foreign.Revision != 2 || foreign.Pending {
		t.Fatalf("over another tool's revision: %v", err)
	}
	one.Adopt = true
	if res, err := Deploy(ctx, one); err != nil || res.Revision != 3 {
		t.Fatalf("adopt: %+v, %v", res, err)
	}
	if s := State(ctx, c, ns, "small"); s.Foreign || s.Deployable != one.Deployable.Label() {
		t.Errorf("after adoption: %+v", s)
	}
}

func TestLabCausesAreNamedAtOnce(t *testing.T) {
	c := labHub(t)
	missing := os.Getenv(registryEnv) + "/no-such-image:1"
	for name, tt := range map[string]struct {
		values release.Values
		reason string
		says   string
		within time.Duration
		quota  bool
	}{
		"crash loop":      {values: release.Values{"command": "echo no database >&2; exit 3"}, reason: kube.CrashLoop, says: "no database", within: 50 * time.Second},
		"without a probe": {values: release.Values{"command": "sleep 1; exit 4", "probe": false}, reason: kube.CrashLoop, says: "code 4", within: 60 * time.Second},
		"failing hook":    {values: release.Values{"hookCommand": "echo the table is locked; exit 5"}, reason: reasonJob, says: "table is locked", within: 30 * time.Second},
		"quota":           {values: release.Values{"cpu": "2"}, reason: reasonQuota, says: "exceeded quota", within: 40 * time.Second, quota: true},
		"image not found": {values: release.Values{"image": missing}, reason: kube.ImageNotFound, says: "no-such-image", within: 30 * time.Second},
		"image of a puller": {values: release.Values{"puller": missing, "hookCommand": "sleep 1000"},
			reason: kube.ImageNotFound, says: "DaemonSet/puller", within: 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ns := labNamespace(t, c)
			if err := c.EnsureNamespace(t.Context(), ns); err != nil {
				t.Fatal(err)
			}
			if tt.quota {
				q := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "q"},
					Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourceRequestsCPU: resource.MustParse("100m")}}}
				if _, err := c.CoreV1().ResourceQuotas(ns).Create(t.Context(), q, metav1.CreateOptions{}); err != nil {
					t.Fatal(err)
				}
				eventually(t, 20*time.Second, func() bool {
					q, err := c.CoreV1().ResourceQuotas(ns).Get(t.Context(), "q", metav1.GetOptions{})
					return err == nil && len(q.Status.Hard) > 0
				})
			}
			r := smallRequest(t, c, ns, "bad", tt.values)
			r.Timeout = 3 * time.Minute
			begun := time.Now()
			_, err := Deploy(t.Context(), r)
			took := time.Since(begun)
			var stuck *StuckError
			if !errors.As(err, &stuck) {
				t.Fatalf("after %s: %v", took, err)
			}
			t.Logf("after %s: %v", took.Round(time.Second), err)
			if (tt.reason != "" && stuck.Reason != tt.reason) || !strings.Contains(err.Error(), tt.says) || took > tt.within {
				t.Errorf("after %s: %v", took, err)
			}
			if h := history(t, r); h != "1 failed" {
				t.Error(h)
			}
			// And a good one passes afterwards.
			if tt.quota {
				return
			}
			if res, err := Deploy(t.Context(), smallRequest(t, c, ns, "good", nil)); err != nil || res.Revision != 2 {
				t.Errorf("a good one afterwards: %+v, %v", res, err)
			}
			if h := history(t, r); h != "2 deployed, 1 failed" && h != "2 deployed, 1 superseded" {
				t.Error(h)
			}
		})
	}
}

func TestLabStoppingEndsTheWaitsAndLeavesARightRecord(t *testing.T) {
	c := labHub(t)
	ns := labNamespace(t, c)
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	r := smallRequest(t, c, ns, "slow", release.Values{"command": "sleep 1000"})
	r.Observe = func(e Event) {
		if e.Step == "rollout" {
			cancel(errors.New("somebody pressed Ctrl-C"))
		}
	}
	_, err := Deploy(ctx, r)
	if err == nil || !strings.Contains(err.Error(), "Ctrl-C") {
		t.Errorf("got %v", err)
	}
	if h := history(t, r); h != "1 failed" {
		t.Error(h)
	}
	lease, err := c.CoordinationV1().Leases(ns).Get(t.Context(), kube.LockName, metav1.GetOptions{})
	if err != nil || lease.Spec.HolderIdentity == nil || *lease.Spec.HolderIdentity != "" {
		t.Errorf("the lock: %+v, %v", lease, err)
	}
}

// TestMain lets the test program be the run that is killed.
func TestMain(m *testing.M) {
	if os.Getenv(childEnv) == "" {
		os.Exit(m.Run())
	}
	flag.Parse()
	t := &testing.T{}
	c, err := kube.Connect(os.Getenv(contextEnv))
	if err == nil {
		variant := os.Getenv("GAUNTLET_TEST_VARIANT")
		values := release.Values{"cpu": variant}
		if command := os.Getenv("GAUNTLET_TEST_COMMAND"); command != "" {
			values["command"] = command
		}
		_, err = Deploy(context.Background(), smallRequest(t, c, os.Getenv(childEnv), variant, values))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func child(t *testing.T, ns, variant, point string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+ns, "GAUNTLET_TEST_VARIANT="+variant, kill.Env+"="+point)
	cmd.Stderr = os.Stderr
	return cmd
}

func TestLabAKilledDeployIsResumed(t *testing.T) {
	c := labHub(t)
	for _, tt := range []struct {
		point  string
		fresh  bool // killed at the first install
		after  string
		reused bool
	}{
		{"deploy:locked", false, "2 deployed, 1 superseded", false},
		{"deploy:pending", false, "3 deployed, 2 failed, 1 superseded", false},
		{"deploy:pending", true, "2 deployed, 1 failed", false},
		{"deploy:applied", false, "3 deployed, 2 failed, 1 superseded", false},
		{"deploy:superseded", false, "3 deployed, 2 failed, 1 superseded", false},
		{"deploy:recorded", false, "2 deployed, 1 superseded", true},
	} {
		name := strings.ReplaceAll(tt.point, ":", "-")
		if tt.fresh {
			name += "-at-install"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ns := labNamespace(t, c)
			if !tt.fresh {
				if _, err := Deploy(t.Context(), smallRequest(t, c, ns, "1m", release.Values{"cpu": "1m"})); err != nil {
					t.Fatal(err)
				}
			}
			err := child(t, ns, "2m", tt.point).Run()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
				t.Fatalf("the run was not killed: %v", err)
			}
			r := smallRequest(t, c, ns, "2m", release.Values{"cpu": "2m"})
			begun := time.Now()
			res, err := Deploy(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("resumed in %s", time.Since(begun).Round(time.Second))
			if res.Reused != tt.reused {
				t.Errorf("%+v", res)
			}
			if h := history(t, r); h != tt.after && h != strings.Replace(tt.after, "failed", "superseded", 1) {
				t.Errorf("history %s, want %s", h, tt.after)
			}
			recs, err := helm.New(c, ns, nil).History("small")
			if err != nil {
				t.Fatal(err)
			}
			for _, rec := range recs {
				if rec.Status == helm.Failed && !strings.Contains(rec.Description, "interrupted") {
					t.Errorf("revision %d failed without its reason: %s", rec.Revision, rec.Description)
				}
			}
			if s := State(t.Context(), c, ns, "small"); s.Deployable != r.Deployable.Label() || s.Revision != res.Revision {
				t.Errorf("state %+v", s)
			}
		})
	}
}

// A run that sleeps while another takes its hub over must not touch it on waking.
func TestLabAPausedRunChangesNothingWhenItWakes(t *testing.T) {
	c := labHub(t)
	ns := labNamespace(t, c)
	if _, err := Deploy(t.Context(), smallRequest(t, c, ns, "1m", nil)); err != nil {
		t.Fatal(err)
	}
	paused := child(t, ns, "3m", "")
	paused.Env = append(paused.Env, "GAUNTLET_TEST_COMMAND=sleep 1000")
	var said strings.Builder
	paused.Stderr = &said
	if err := paused.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, 30*time.Second, func() bool {
		d, err := c.AppsV1().Deployments(ns).Get(t.Context(), "web", metav1.GetOptions{})
		return err == nil && strings.Contains(strings.Join(d.Spec.Template.Spec.Containers[0].Command, " "), "sleep 1000")
	})
	if err := paused.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	two := smallRequest(t, c, ns, "2m", release.Values{"cpu": "2m"})
	begun := time.Now()
	if res, err := Deploy(t.Context(), two); err != nil || res.Revision != 3 {
		t.Fatalf("%+v, %v", res, err)
	}
	t.Logf("taken over and deployed in %s", time.Since(begun).Round(time.Second))
	if err := paused.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if err := paused.Wait(); err == nil {
		t.Error("the paused run succeeded")
	}
	t.Log(strings.TrimSpace(said.String()[strings.LastIndex(strings.TrimSpace(said.String()), "\n")+1:]))
	if !strings.Contains(said.String(), kube.ErrLockLost.Error()) {
		t.Errorf("it said: %s", said.String())
	}
	if h := history(t, two); h != "3 deployed, 2 failed, 1 superseded" {
		t.Error(h)
	}
	recs, err := helm.New(c, ns, nil).History("small")
	if err != nil || !strings.Contains(recs[1].Description, "interrupted") {
		t.Errorf("%+v, %v", recs, err)
	}
}

func TestLabOnlyOneOfTwoRunsChangesAHub(t *testing.T) {
	c := labHub(t)
	ns := labNamespace(t, c)
	var results [3]Result
	var errs [3]error
	var wg sync.WaitGroup
	for i := range results {
		wg.Go(func() { results[i], errs[i] = Deploy(t.Context(), smallRequest(t, c, ns, "same", nil)) })
	}
	wg.Wait()
	made := 0
	for i := range results {
		if errs[i] != nil {
			t.Fatal(errs[i])
		}
		if !results[i].Reused {
			made++
		}
	}
	if h := history(t, smallRequest(t, c, ns, "same", nil)); made != 1 || h != "1 deployed" {
		t.Errorf("%d made a revision; history %s", made, h)
	}
}

func TestLabRenderFindsWhatTheServerRefuses(t *testing.T) {
	c := labHub(t)
	ns := labNamespace(t, c)
	base := Rendering{Hub: "small", Cluster: c.Context, Connect: func() (*kube.Client, error) { return c, nil },
		Namespace: ns, ReleaseName: "small", Chart: smallChart(t)}
	for name, tt := range map[string]struct {
		values release.Values
		says   string
	}{
		"good":                            {release.Values{"image": "x", "hookCommand": "true"}, ""},
		"a bad quantity":                  {release.Values{"image": "x", "cpu": "lots"}, "quantities must match"},
		"no image":                        {release.Values{}, "image"},
		"a template that does not render": {release.Values{"image": "x", "refuse": "no such storage"}, "no such storage"},
	} {
		r := base
		r.Values = tt.values
		line, err := r.try(t.Context())
		t.Logf("%s: %q, %v", name, line, err)
		switch {
		case name == "good":
			if err != nil || !strings.Contains(line, "2 objects") {
				t.Errorf("%s: %q, %v", name, line, err)
			}
		case err == nil || !strings.Contains(err.Error(), tt.says):
			t.Errorf("%s: %v", name, err)
		}
	}
	down := base
	down.Values = release.Values{"image": "x"}
	down.Connect = func() (*kube.Client, error) {
		cfg := *c.Config
		cfg.Host = "https://127.0.0.1:1"
		return &kube.Client{Interface: c.Interface, Context: "nowhere", Config: &cfg}, nil
	}
	if _, err := down.try(t.Context()); err == nil || !strings.Contains(err.Error(), "is down") {
		t.Errorf("a cluster that is down: %v", err)
	}
	dead, _ := down.Connect()
	if s := State(t.Context(), dead, ns, "small"); !strings.Contains(s.Problem, "nowhere") {
		t.Errorf("state of a cluster that is down: %+v", s)
	}
}
