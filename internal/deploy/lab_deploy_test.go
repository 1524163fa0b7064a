package deploy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gauntlet/internal/deploy/helm"
	"gauntlet/internal/kube"
	"gauntlet/internal/release"
)

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
	if err := Runs(ctx, c, ns, "small", one.Deployable); err != nil {
		t.Error(err)
	}
	if err := Runs(ctx, c, ns, "small", one.Release); err == nil || !strings.Contains(err.Error(), "is deployable") {
		t.Errorf("it runs another: %v", err)
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
	one.Adopt, one.Drop = true, []string{"cpu"}
	if res, err := Deploy(ctx, one); err != nil || res.Revision != 3 {
		t.Fatalf("adopt: %+v, %v", res, err)
	}
	if s := State(ctx, c, ns, "small"); s.Foreign || s.Deployable != one.Deployable.Label() {
		t.Errorf("after adoption: %+v", s)
	}
	h := helm.New(c, ns, nil)
	for range 2 { // the second finds nothing, which is no error
		if err := h.Uninstall("small", time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	if recs, err := h.History("small"); err != nil || len(recs) > 0 {
		t.Errorf("after uninstalling: %v, %v", recs, err)
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
		"failing hook":    {values: release.Values{"hookCommand": "echo the table is locked; exit 5"}, reason: kube.HookFailed, says: "table is locked", within: 30 * time.Second},
		"quota":           {values: release.Values{"cpu": "2"}, reason: kube.Quota, says: "exceeded quota", within: 40 * time.Second, quota: true},
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
			nothingOfHooks(t, c, ns)
		})
	}
}

// nothingOfHooks waits until no Job, DaemonSet or pod of a hook is left.
func nothingOfHooks(t *testing.T, c *kube.Client, ns string) {
	t.Helper()
	eventually(t, 40*time.Second, func() bool {
		jobs, jerr := c.BatchV1().Jobs(ns).List(t.Context(), metav1.ListOptions{})
		sets, serr := c.AppsV1().DaemonSets(ns).List(t.Context(), metav1.ListOptions{})
		pods, perr := c.CoreV1().Pods(ns).List(t.Context(), metav1.ListOptions{})
		return jerr == nil && serr == nil && perr == nil && len(jobs.Items)+len(sets.Items) == 0 && len(pods.Items) == 1
	})
}

func TestLabAGoodOneRemovesWhatAFailedOneMade(t *testing.T) {
	c := labHub(t)
	ns := labNamespace(t, c)
	one := smallRequest(t, c, ns, "one", nil)
	if _, err := Deploy(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	bad := smallRequest(t, c, ns, "bad", release.Values{"image": os.Getenv(registryEnv) + "/no-such-image:1", "extra": "only-bad"})
	if _, err := Deploy(t.Context(), bad); err == nil {
		t.Fatal("an image that is nowhere was deployed")
	}
	if _, err := c.CoreV1().ConfigMaps(ns).Get(t.Context(), "only-bad", metav1.GetOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := Deploy(t.Context(), one); err != nil {
		t.Fatal(err)
	}
	if _, err := c.CoreV1().ConfigMaps(ns).Get(t.Context(), "only-bad", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("what only the failed revision has is left: %v", err)
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

func TestLabAChartBringsItsOwnKinds(t *testing.T) {
	c := labHub(t)
	ns := labNamespace(t, c)
	const crd = "drills.gauntlet.example"
	remove := func() {
		out, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		err := c.CoreV1().RESTClient().Delete().AbsPath("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/" + crd).Do(out).Error()
		if err != nil && !apierrors.IsNotFound(err) {
			t.Error(err)
		}
	}
	remove()
	t.Cleanup(remove)
	chart, err := release.PackChart(map[string][]byte{
		"Chart.yaml": []byte("apiVersion: v2\nname: small\nversion: 1.0.0\n"),
		"crds/drills.yaml": []byte(`apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: drills.gauntlet.example}
spec:
  group: gauntlet.example
  names: {kind: Drill, plural: drills, singular: drill}
  scope: Namespaced
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {size: {type: integer}}}}}}}]
`),
		"templates/all.yaml": []byte(`apiVersion: gauntlet.example/v1
kind: Drill
metadata: {name: one}
spec: {size: {{ .Values.size }}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: one}
data: {size: {{ .Values.size | quote }}}
`),
	}, "small", "1.0.0")
	if err != nil {
		t.Fatal(err)
	}
	request := func(size any) Request {
		r := smallRequest(t, c, ns, fmt.Sprint(size), nil)
		r.Chart, r.Values = chart, release.Values{"size": size}
		return r
	}
	rendering := Rendering{Hub: "small", Cluster: c.Context, Connect: func() (*kube.Client, error) { return c, nil },
		Namespace: ns, ReleaseName: "small", Chart: chart, Values: release.Values{"size": 1}}
	line, err := rendering.try(t.Context())
	if err != nil || !strings.Contains(line, "1 object passes") || !strings.Contains(line, "Drill/one") {
		t.Errorf("before it is installed: %q, %v", line, err)
	}
	seen, err := Rehearse(t.Context(), request(1))
	if err != nil || seen.Refused != nil || len(seen.Pairs) != 2 {
		t.Errorf("before it is installed: %+v, %v", seen, err)
	}
	if _, err := Deploy(t.Context(), request(1)); err != nil {
		t.Fatal(err)
	}
	rendering.Values = release.Values{"size": 2}
	if line, err = rendering.try(t.Context()); err != nil || !strings.Contains(line, "2 objects pass") {
		t.Errorf("when it is installed: %q, %v", line, err)
	}
	rendering.Values = release.Values{"size": "large"}
	if _, err := rendering.try(t.Context()); err == nil || !strings.Contains(err.Error(), "size") {
		t.Errorf("when it is installed the API server has its say: %v", err)
	}
	if _, err := Deploy(t.Context(), request(2)); err != nil {
		t.Error(err)
	}
}
