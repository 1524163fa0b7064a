package deploy

import (
	"errors"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"gauntlet/internal/deploy/helm"
	"gauntlet/internal/kube"
	"gauntlet/internal/release"
)

func smallRollback(t *testing.T, c *kube.Client, ns string) RollbackRequest {
	t.Helper()
	r := smallRequest(t, c, ns, "", nil)
	return RollbackRequest{Client: c, Namespace: ns, ReleaseName: r.ReleaseName, Timeout: r.Timeout, Observe: r.Observe,
		Reason: "plots are blank"}
}

// twice deploys A, then B, which has one object more.
func twice(t *testing.T, c *kube.Client, ns string) (a, b Request) {
	t.Helper()
	a = smallRequest(t, c, ns, "1m", release.Values{"cpu": "1m"})
	b = smallRequest(t, c, ns, "2m", release.Values{"cpu": "2m", "extra": "only-b"})
	for _, r := range []Request{a, b} {
		if _, err := Deploy(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	return a, b
}

// runsA checks that the hub runs what a applied, and all of it says so.
func runsA(t *testing.T, a Request, revision int) {
	t.Helper()
	d, err := a.Client.AppsV1().Deployments(a.Namespace).Get(t.Context(), "web", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if cpu := d.Spec.Template.Spec.Containers[0].Resources.Requests.Cpu().String(); cpu != "1m" {
		t.Errorf("it asks for %s of cpu", cpu)
	}
	if _, err := a.Client.CoreV1().ConfigMaps(a.Namespace).Get(t.Context(), "only-b", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("what only B has is left: %v", err)
	}
	s := State(t.Context(), a.Client, a.Namespace, a.ReleaseName)
	if s.Deployable != a.Deployable.Label() || s.Release != a.Release.Label() || s.Revision != revision || s.Foreign {
		t.Errorf("state %+v", s)
	}
	if err := Runs(t.Context(), a.Client, a.Namespace, a.ReleaseName, a.Deployable); err != nil {
		t.Error(err)
	}
}

func TestLabRollbackRunsWhatRanBefore(t *testing.T) {
	c := labHub(t)
	ns := labNamespaceOf(t, c, "h-roll-")
	a, b := twice(t, c, ns)
	q := smallRollback(t, c, ns)
	res, err := Rollback(t.Context(), q)
	if err != nil || res.Revision != 3 || res.From != 2 || res.To != 1 || res.Reused || res.Release != a.Release.Label() {
		t.Fatalf("%+v, %v", res, err)
	}
	runsA(t, a, 3)
	recs, err := helm.New(c, ns, nil).History("small")
	if err != nil || !strings.Contains(recs[0].Description, "back from revision 2 to 1: plots are blank") {
		t.Errorf("%+v, %v", recs, err)
	}
	// Again changes nothing; the deploy of A knows that it runs; B can come again.
	if res, err = Rollback(t.Context(), q); err != nil || res.Revision != 3 || !res.Reused || res.To != 1 {
		t.Errorf("again: %+v, %v", res, err)
	}
	if res, err := Deploy(t.Context(), a); err != nil || res.Revision != 3 || !res.Reused {
		t.Errorf("deploy of what it went back to: %+v, %v", res, err)
	}
	if res, err := Deploy(t.Context(), b); err != nil || res.Revision != 4 {
		t.Errorf("deploy of what it went back from: %+v, %v", res, err)
	}
	if h := history(t, a); h != "4 deployed, 3 superseded, 2 superseded, 1 superseded" {
		t.Error(h)
	}
}

func TestLabRollbackTakesBackWhatWasChangedByHand(t *testing.T) {
	c := labHub(t)
	ns := labNamespaceOf(t, c, "h-hand-")
	a, _ := twice(t, c, ns)
	byHand := []byte(`{"spec":{"template":{"spec":{"containers":[{"name":"web","resources":{"requests":{"cpu":"3m"}}}]}}}}`)
	_, err := c.AppsV1().Deployments(ns).Patch(t.Context(), "web", types.StrategicMergePatchType, byHand, metav1.PatchOptions{FieldManager: "kubectl-set"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Rollback(t.Context(), smallRollback(t, c, ns)); err != nil {
		t.Fatal(err)
	}
	runsA(t, a, 3)
}

func TestLabAKilledRollbackIsResumed(t *testing.T) {
	c := labHub(t)
	for point, after := range map[string]string{
		"rollback:pending":    "4 deployed, 3 failed, 2 superseded, 1 superseded",
		"rollback:applied":    "4 deployed, 3 failed, 2 superseded, 1 superseded",
		"rollback:superseded": "4 deployed, 3 failed, 2 superseded, 1 superseded",
		"rollback:recorded":   "3 deployed, 2 superseded, 1 superseded",
	} {
		t.Run(strings.ReplaceAll(point, ":", "-"), func(t *testing.T) {
			t.Parallel()
			ns := labNamespaceOf(t, c, "h-roll-")
			a, _ := twice(t, c, ns)
			killed := child(t, ns, "", point)
			killed.Env = append(killed.Env, "GAUNTLET_TEST_ROLLBACK=1")
			var exit *exec.ExitError
			if err := killed.Run(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
				t.Fatalf("the run was not killed: %v", err)
			}
			begun := time.Now()
			res, err := Rollback(t.Context(), smallRollback(t, c, ns))
			if err != nil || res.From != 2 || res.To != 1 {
				t.Fatalf("%+v, %v", res, err)
			}
			t.Logf("resumed in %s", time.Since(begun).Round(time.Second))
			if h := history(t, a); h != after && h != strings.Replace(after, "failed", "superseded", 1) {
				t.Errorf("history %s, want %s", h, after)
			}
			runsA(t, a, res.Revision)
		})
	}
}
