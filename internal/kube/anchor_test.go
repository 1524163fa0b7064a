package kube

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"gauntlet/internal/release"
)

// The fake cluster knows no streamed lists.
func init() { _ = os.Setenv("KUBE_FEATURE_WatchListClient", "false") }

func anchorClient() *Client {
	return &Client{Context: "here", Interface: fake.NewClientset(
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: "default", Namespace: "hub"}})}
}

func TestAnAnchorIsRememberedAndItsPinIsNotChanged(t *testing.T) {
	ctx, c := t.Context(), anchorClient()
	one, two := release.DigestOf([]byte("1")), release.DigestOf([]byte("2"))

	if a, err := ReadAnchor(ctx, c, "hub"); err != nil || a.Policy != "" || len(a.Heads) != 0 {
		t.Fatalf("a namespace that does not exist: %+v, %v", a, err)
	}
	if err := PinPolicy(ctx, c, "hub", one, "production"); err != nil {
		t.Fatal(err)
	}
	if err := PinPolicy(ctx, c, "hub", one, "production"); err != nil {
		t.Errorf("the same again: %v", err)
	}
	var pinned *PinnedError
	if err := PinPolicy(ctx, c, "hub", one, "bleeding-edge"); !errors.As(err, &pinned) || pinned.Tier != "production" {
		t.Errorf("another tier: %v", err)
	}
	if err := PinPolicy(ctx, c, "hub", two, "production"); !errors.As(err, &pinned) || pinned.Pinned != one || pinned.Asked != two {
		t.Errorf("another pin: %v", err)
	}
	if err := WriteAnchor(ctx, c, "hub", one, []release.Digest{two, one}); err != nil {
		t.Fatal(err)
	}
	if err := WriteAnchor(ctx, c, "hub", two, []release.Digest{two}); !errors.As(err, &pinned) {
		t.Errorf("heads judged by another pin: %v", err)
	}
	a, err := ReadAnchor(ctx, c, "hub")
	if err != nil {
		t.Fatal(err)
	}
	got := map[release.Digest]bool{}
	for _, h := range a.Heads {
		got[h] = true
	}
	if d := cmp.Diff(map[release.Digest]bool{one: true, two: true}, got); d != "" || a.Policy != one {
		t.Errorf("anchor %+v: %s", a, d)
	}
	ns, err := c.CoreV1().Namespaces().Get(ctx, "hub", metav1.GetOptions{})
	if err != nil || ns.Labels[ManagedByLabel] != ManagedBy {
		t.Errorf("namespace %+v, %v", ns, err)
	}
	if err := PinPolicy(ctx, c, "hub", "latest", "production"); err == nil {
		t.Error("pinned what is no digest")
	}
}

func TestAnAnchorThatCannotBeReadIsAnError(t *testing.T) {
	for key, data := range map[string]map[string]string{
		"policy": {"policy": "sha256:short"},
		"heads":  {"heads": `["sha256:short"]`},
		"heads:": {"heads": `{`},
	} {
		cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "gauntlet", Namespace: "hub"}, Data: data}
		c := &Client{Context: "here", Interface: fake.NewClientset(cm)}
		if _, err := ReadAnchor(t.Context(), c, "hub"); err == nil || !strings.Contains(err.Error(), "hub/gauntlet: "+strings.TrimSuffix(key, ":")) {
			t.Errorf("%v: %v", data, err)
		}
	}
}
