package deploy

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"gauntlet/internal/deploy/helm"
	"gauntlet/internal/kube"
	"gauntlet/internal/release"
)

// helm3Env names a helm program of version 3 to install with; without it a release is
// installed as Helm 4 does.
const helm3Env = "GAUNTLET_TEST_HELM3"

// byHand installs or upgrades as somebody does who knows nothing of gauntlet.
func byHand(t *testing.T, r Request, values release.Values) {
	t.Helper()
	v := release.Merge(r.Values, values)
	if program := os.Getenv(helm3Env); program != "" {
		runHelm3(t, program, r, v)
		return
	}
	h := helm.New(r.Client, r.Namespace, nil)
	if err := r.Client.EnsureNamespace(t.Context(), r.Namespace); err != nil {
		t.Fatal(err)
	}
	past, err := h.History(r.ReleaseName)
	if err != nil {
		t.Fatal(err)
	}
	w := newWaits(t.Context(), r.Client, r)
	defer w.close()
	if _, err := h.InstallOrUpgrade(helm.Apply{Name: r.ReleaseName, Chart: r.Chart, Values: v, Timeout: r.Timeout, Waits: w}, past); err != nil {
		t.Fatal(err)
	}
}

func runHelm3(t *testing.T, program string, r Request, v release.Values) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "c.tgz"), r.Chart, 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"--kube-context", r.Client.Context, "-n", r.Namespace, "upgrade", "--install", "--create-namespace", "--wait", r.ReleaseName, filepath.Join(dir, "c.tgz")}
	for _, l := range v.Leaves() {
		args = append(args, "--set-json", l.Path.String()+"="+jsonOf(t, l.Value))
	}
	helm3(t, program, args...)
}

func helm3(t *testing.T, program string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("helm: %v: %s", err, out)
	}
	return string(out)
}

func TestLabAHubOfPlainHelmIsTakenOverAndItsValuesAreNotLost(t *testing.T) {
	c := labHub(t)
	ns := labNamespace(t, c)
	r := smallRequest(t, c, ns, "a", nil)
	byHand(t, r, release.Values{"extra": "note", "team": map[string]any{"bucket": "b"}})

	var foreign *ForeignError
	if _, err := Deploy(t.Context(), r); !errors.As(err, &foreign) || foreign.Revision != 1 {
		t.Fatalf("%v", err)
	}
	r.Adopt = true
	for _, deploy := range []func() error{
		func() error { return Standing(t.Context(), r) },
		func() error { _, err := Deploy(t.Context(), r); return err },
	} {
		var gone *LostError
		if err := deploy(); !errors.As(err, &gone) || !slices.Equal(gone.Paths, []string{"extra", "team.bucket"}) {
			t.Fatalf("%v", err)
		}
	}
	if got := history(t, r); got != "1 deployed" {
		t.Errorf("refused, and the history is %s", got)
	}
	r.Adopt = false

	runs, err := Look(t.Context(), c, ns, r.ReleaseName)
	if err != nil || runs.Ours || runs.Adopted || runs.Chart != "small" || !slices.Contains(runs.Images, os.Getenv(imageEnv)) {
		t.Fatalf("%+v, %v", runs, err)
	}
	if v, _ := runs.Values.Get("team.bucket"); v != "b" {
		t.Errorf("%v", runs.Values)
	}
	if os.Getenv(helm3Env) != "" != runs.ClientSide {
		t.Errorf("client-side: %v", runs.ClientSide)
	}
	before := uidOf(t, c, ns)
	q := AdoptRequest{Client: c, Namespace: ns, ReleaseName: r.ReleaseName, Revision: 1}
	for range 2 {
		if at, err := Adopt(t.Context(), q); err != nil || at.IsZero() {
			t.Fatalf("%v, %v", at, err)
		}
	}
	if s := State(t.Context(), c, ns, r.ReleaseName); !s.Foreign || !s.Adopted || s.Revision != 1 {
		t.Errorf("%+v", s)
	}
	q.Revision = 2
	if _, err := Adopt(t.Context(), q); err == nil {
		t.Error("a revision that is not there was taken over")
	}

	// The release that holds what was taken in goes on from there without a restart.
	var gone *LostError
	if _, err := Deploy(t.Context(), r); !errors.As(err, &gone) {
		t.Fatalf("a release from before the values were taken in: %v", err)
	}
	r.Values = release.Merge(r.Values, release.Values{"extra": "note", "team": map[string]any{"bucket": "b"}})
	res, err := Deploy(t.Context(), r)
	if err != nil || res.Revision != 2 || len(res.Dropped) != 0 {
		t.Fatalf("%+v, %v", res, err)
	}
	if after := uidOf(t, c, ns); after != before {
		t.Error("the pod was replaced though nothing of it changed")
	}
	if got := history(t, r); got != "2 deployed, 1 superseded" {
		t.Errorf("%s", got)
	}
	t.Run("and a rollback leads back to it", func(t *testing.T) {
		q := RollbackRequest{Client: c, Namespace: ns, ReleaseName: r.ReleaseName, Reason: "blank plots"}
		for range 2 { // again it changes nothing
			b, err := Rollback(t.Context(), q)
			if err != nil || b.Revision != 3 || b.From != 2 || b.To != 1 || b.Deployable != "" || b.Release != "" {
				t.Fatalf("%+v, %v", b, err)
			}
		}
		if s := State(t.Context(), c, ns, r.ReleaseName); !s.Adopted || s.Revision != 3 || s.Deployable != "" {
			t.Errorf("%+v", s)
		}
		if res, err := Deploy(t.Context(), r); err != nil || res.Revision != 4 {
			t.Fatalf("%+v, %v", res, err)
		}
	})
	t.Run("and plain helm still goes back", func(t *testing.T) {
		if program := os.Getenv(helm3Env); program != "" {
			if out := helm3(t, program, "--kube-context", c.Context, "-n", ns, "history", r.ReleaseName); !strings.Contains(out, "gauntlet release") {
				t.Errorf("helm's history: %s", out)
			}
			helm3(t, program, "--kube-context", c.Context, "-n", ns, "rollback", "--wait", r.ReleaseName, "1")
		} else {
			h := helm.New(c, ns, nil)
			past, err := h.History(r.ReleaseName)
			if err != nil {
				t.Fatal(err)
			}
			w := newWaits(t.Context(), c, r)
			defer w.close()
			if _, err := h.Rollback(helm.Rollback{Name: r.ReleaseName, To: past[3], Timeout: r.Timeout, Waits: w}); err != nil {
				t.Fatal(err)
			}
		}
		// What it made is not what was taken over, whatever labels it copied.
		if s := State(t.Context(), c, ns, r.ReleaseName); !s.Foreign || s.Adopted || s.Revision != 5 {
			t.Errorf("%+v", s)
		}
		if _, err := Deploy(t.Context(), r); !errors.As(err, &foreign) {
			t.Errorf("%v", err)
		}
	})
	t.Run("and what is dropped is told", func(t *testing.T) {
		r := r
		r.Adopt, r.Values = true, release.Values{"image": os.Getenv(imageEnv)}
		r.Drop = []string{"extra", "team"}
		res, err := Deploy(t.Context(), r)
		if err != nil || !slices.Equal(res.Dropped, []string{"extra", "team.bucket"}) {
			t.Errorf("%+v, %v", res, err)
		}
	})
}

// uidOf is the pod that serves.
func uidOf(t *testing.T, c *kube.Client, ns string) types.UID {
	t.Helper()
	pods, err := c.CoreV1().Pods(ns).List(t.Context(), metav1.ListOptions{LabelSelector: "app=web"})
	if err != nil || len(pods.Items) != 1 {
		t.Fatalf("%v, %v", pods, err)
	}
	return pods.Items[0].UID
}

func TestLabAHubOfAnotherToolIsRefusedBeforeAnythingIsWritten(t *testing.T) {
	c := labHub(t)
	ns := labNamespace(t, c)
	r := smallRequest(t, c, ns, "a", nil)
	byHand(t, r, nil)
	mark := func(patch string) {
		t.Helper()
		if _, err := c.AppsV1().Deployments(ns).Patch(t.Context(), "web", types.MergePatchType, []byte(patch), metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	mark(`{"metadata":{"annotations":{"argocd.argoproj.io/tracking-id":"pangeo:apps/Deployment:x/web"}}}`)
	var owned *OwnedError
	if _, err := Look(t.Context(), c, ns, r.ReleaseName); !errors.As(err, &owned) || owned.Owner.Name != "pangeo" || owned.Objects[0] != "Deployment/web" {
		t.Errorf("%v", err)
	}
	r.Adopt = true
	if err := Standing(t.Context(), r); !errors.As(err, &owned) {
		t.Errorf("%v", err)
	}
	mark(`{"metadata":{"annotations":{"argocd.argoproj.io/tracking-id":null}}}`)
	if err := Standing(t.Context(), r); err != nil {
		t.Errorf("%v", err)
	}
	// The same of objects that no Helm release holds: Argo CD leaves none.
	h := helm.New(c, ns, nil)
	if err := h.Uninstall(r.ReleaseName, time.Minute); err != nil {
		t.Fatal(err)
	}
	if err := Standing(t.Context(), r); err != nil {
		t.Errorf("nothing is there: %v", err)
	}
}
