package pipeline

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"gauntlet/internal/evidence"
	"gauntlet/internal/kube"
)

const exactNS = "h-adopt-exact"

func TestLabASavedPlanIsDeployedExactlyOrNotAtAll(t *testing.T) {
	if os.Getenv(contextEnv) == "" {
		t.Skipf("needs a cluster: set %s", contextEnv)
	}
	c, err := kube.Connect(os.Getenv(contextEnv))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		for _, ns := range []string{exactNS, exactNS + "-workbench"} {
			if err := c.CoreV1().Namespaces().Delete(ctx, ns, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
				t.Error(err)
			}
		}
	})
	srv := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(srv.Close)
	who := small(t, c, strings.TrimPrefix(srv.URL, "http://"))
	edit(t, filepath.Join(who("").Dir, "gauntlet.yaml"), rollbackNS, exactNS)
	if _, err := who("ada").PolicyInit(t.Context()); err != nil {
		t.Fatal(err)
	}
	deployed(t, who("ci"), "a")
	w := who("ci")
	s, m := moved(t, w, "b")
	file := filepath.Join(t.TempDir(), "b.plan")
	saved := func() {
		t.Helper()
		p, err := w.Plan(t.Context(), m.release.Hex(), "only", file)
		if err != nil || p.Saved == nil || p.Saved.File != file {
			t.Fatalf("%+v, %v", p, err)
		}
		if m.exact, err = readPlan(file, m.release, "only"); err != nil || m.exact.digest != p.Saved.Digest {
			t.Fatal(err)
		}
	}
	saved()
	data, err := os.ReadFile(file)
	if err != nil || strings.Contains(string(data), `"name"`) || !strings.Contains(string(data), "v1 ConfigMap "+exactNS+"/one") {
		t.Errorf("%s, %v", data, err)
	}
	if err := w.asPlanned(t.Context(), s, m); err != nil {
		t.Errorf("nothing has moved: %v", err)
	}

	// Somebody changes an object: neither before the lock nor under it is it deployed.
	patch := func(p string) {
		t.Helper()
		if _, err := c.CoreV1().ConfigMaps(exactNS).Patch(t.Context(), "one", types.MergePatchType, []byte(p), metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	patch(`{"data":{"more":"x"}}`)
	for _, try := range []func() error{
		func() error { return w.asPlanned(t.Context(), s, m) },
		func() error { _, err := w.deployHub(t.Context(), s, m); return err },
	} {
		var e *MovedError
		if err := try(); !errors.As(err, &e) || !slices.Equal(e.Moved, []string{"v1 ConfigMap " + exactNS + "/one was changed"}) {
			t.Errorf("%v", err)
		}
	}
	if st := w.states(t.Context())["only"]; st.Revision != 1 {
		t.Errorf("it was deployed all the same: %+v", st)
	}
	patch(`{"data":{"more":null}}`)

	if _, err := w.deployHub(t.Context(), s, m); err != nil {
		t.Fatal(err)
	}
	var last evidence.Deployment
	for _, r := range s.view.Records {
		if d, ok := s.deployed(r); ok {
			last = d
		}
	}
	if last.Revision != 2 || last.Plan != m.exact.digest {
		t.Errorf("%+v", last)
	}
	// Run again, it is there: the plan of the revision before stands in nobody's way.
	if err := w.asPlanned(t.Context(), s, m); err != nil {
		t.Errorf("%v", err)
	}
	// Of another release or hub it is no plan.
	if _, err := readPlan(file, digest("other"), "only"); err == nil {
		t.Error("a plan of another release is taken")
	}
	if _, err := readPlan(file, m.release, "other"); err == nil {
		t.Error("a plan of another hub is taken")
	}
	// Somebody deploys in between: the hub is at another revision.
	s, m = moved(t, w, "c")
	saved()
	deployed(t, w, "a")
	var e *MovedError
	if err := w.asPlanned(t.Context(), s, m); !errors.As(err, &e) || !slices.Contains(e.Moved, "the hub is at revision 3, and was at 2") {
		t.Errorf("%v", err)
	}
}
