package gather

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gauntlet/internal/deploy"
	"gauntlet/internal/kube"
	"gauntlet/internal/plan"
	"gauntlet/internal/preflight"
	"gauntlet/internal/release"
)

// These tests need a real cluster: GAUNTLET_TEST_CONTEXT names its kubeconfig context,
// and GAUNTLET_TEST_IMAGE an image with a shell that its nodes can run.
func labTarget(t *testing.T) Target {
	t.Helper()
	name, image := os.Getenv("GAUNTLET_TEST_CONTEXT"), os.Getenv("GAUNTLET_TEST_IMAGE")
	if name == "" || image == "" {
		t.Skip("needs a cluster: set GAUNTLET_TEST_CONTEXT and GAUNTLET_TEST_IMAGE")
	}
	c, err := kube.Connect(name)
	if err != nil {
		t.Fatal(err)
	}
	ns := "h-preflight-" + strings.ToLower(t.Name())
	ns = ns[:min(len(ns), 60)]
	if err := c.EnsureNamespace(t.Context(), ns); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := c.CoreV1().Namespaces().Delete(ctx, ns, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			t.Error(err)
		}
	})
	chart, err := release.PackChart(map[string][]byte{
		"Chart.yaml": []byte("apiVersion: v2\nname: small\nversion: 1.0.0\n"),
		"values.yaml": []byte(`hub: {image: {name: x, tag: "1"}, nodeSelector: {}, random: false, api: v1, pullSecret: ""}
singleuser: {image: {name: x, tag: "1"}}
`),
		"templates/hub.yaml": []byte(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: hub}
spec:
  selector: {matchLabels: {app: hub}}
  strategy: {type: Recreate}
  template:
    metadata: {labels: {app: hub}}
    spec:
      nodeSelector: {{ toJson .Values.hub.nodeSelector }}
      {{- with .Values.hub.pullSecret }}
      imagePullSecrets: [{name: {{ . }}}]
      {{- end }}
      terminationGracePeriodSeconds: 0
      containers:
        - name: hub
          image: {{ .Values.hub.image.name }}:{{ .Values.hub.image.tag }}
          command: [sh, -c, "while true; do sleep 1; done"]
          resources: {requests: {cpu: 1m}}
---
apiVersion: {{ .Values.hub.api }}
kind: Secret
metadata: {name: hub}
data: {token: {{ if .Values.hub.random }}{{ randAlphaNum 8 | b64enc }}{{ else }}YQ=={{ end }}}
`),
	}, "", "")
	if err != nil {
		t.Fatal(err)
	}
	i := strings.LastIndex(image, ":")
	at := map[string]any{"name": image[:i], "tag": image[i+1:]}
	return Target{Hub: "hub", Request: deploy.Request{
		Client: c, Namespace: ns, ReleaseName: "small", Chart: chart, Holder: "preflight test",
		Values:     release.Values{"hub": map[string]any{"image": at}, "singleuser": map[string]any{"image": at}},
		Deployable: release.DigestOf([]byte("d")), Access: release.DigestOf([]byte("a")), Release: release.DigestOf([]byte("r")),
	}}
}

// found are the codes of what is found, with the values that a change makes.
func found(t *testing.T, target Target, set map[string]any) []string {
	t.Helper()
	over, err := release.FromSet(set)
	if err != nil {
		t.Fatal(err)
	}
	target.Own = over
	target.Request.Values = release.Merge(target.Request.Values, over)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	f, err := Facts(ctx, target)
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for _, one := range preflight.Judge(f, nil) {
		t.Logf("%s %s", one.Severity, one)
		// Other tests change what the nodes are.
		if line := fmt.Sprintf("%s %s", one.Severity, one.Code); !strings.Contains(line, "node-full") && !strings.Contains(line, "node-sick") && !slices.Contains(out, line) {
			out = append(out, line)
		}
	}
	return out
}

func expect(t *testing.T, got []string, want ...string) {
	t.Helper()
	if want == nil {
		want = []string{}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestPullSecretsThatAReleaseBringsInHooksAreRead(t *testing.T) {
	k := &keyring{accounts: map[string][]string{}, g: &gathering{f: &preflight.Facts{
		Objects: []plan.Pair{{New: plan.Object{"kind": "Secret", "metadata": map[string]any{"name": "one"}, "data": map[string]any{"a": "Yg=="}}}},
		Hooks: []plan.Object{
			{"kind": "Secret", "metadata": map[string]any{"name": "two"}, "stringData": map[string]any{"a": "c"}},
			{"kind": "ServiceAccount", "metadata": map[string]any{"name": "hub"}, "imagePullSecrets": []any{map[string]any{"name": "two"}}},
		},
	}}}
	want := map[string]map[string][]byte{"one": {"a": []byte("b")}, "two": {"a": []byte("c")}}
	if d := cmp.Diff(want, k.brought()); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(map[string][]string{"hub": {"two"}}, k.accounts); d != "" {
		t.Error(d)
	}
}

func TestLab(t *testing.T) {
	target := labTarget(t)
	c, ns := target.Request.Client, target.Request.Namespace
	expect(t, found(t, target, nil))
	expect(t, found(t, target, map[string]any{"hub.random": true})) // a first install has to make it
	if _, err := deploy.Deploy(t.Context(), target.Request); err != nil {
		t.Fatal(err)
	}
	expect(t, found(t, target, nil))
	expect(t, found(t, target, map[string]any{"hub.image.tag": "no-such-tag"}), "error image-missing")
	expect(t, found(t, target, map[string]any{"hub.image.name": "127.0.0.1:1/x"}), "warning image-unreachable")
	expect(t, found(t, target, map[string]any{"hub.image.name": "127.0.0.1:1/UPPER"}), "error image-invalid")
	expect(t, found(t, target, map[string]any{"hub.random": true}), "error secret-regenerated")
	expect(t, found(t, target, map[string]any{"hub.api": "policy/v1beta1"}), "error api-removed")
	expect(t, found(t, target, map[string]any{"hub.nodeSelector": map[string]any{"no": "node"}}), "error node-none")
	expect(t, found(t, target, map[string]any{"hub.imag": "x", "hub.password": "hunter2"}), "warning key-unknown", "warning secret-plain")
	expect(t, found(t, target, map[string]any{"hub.pullSecret": "none"}), "warning pull-secret")

	auth := base64.StdEncoding.EncodeToString([]byte("robot:hunter2"))
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "pull"}, Type: corev1.SecretTypeDockerConfigJson,
		Data: map[string][]byte{corev1.DockerConfigJsonKey: []byte(`{"auths": {"quay.io": {"auth": "` + auth + `"}}}`)}}
	if _, err := c.CoreV1().Secrets(ns).Create(t.Context(), secret, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	expect(t, found(t, target, map[string]any{"hub.pullSecret": "pull"}))

	target.Request.Deployable = release.DigestOf([]byte("another"))
	helmBegan(t, c, ns, "small", 2)
	expect(t, found(t, target, nil), "error helm-pending")
}

// helmBegan leaves the record that a helm leaves which was killed.
func helmBegan(t *testing.T, c *kube.Client, ns, name string, revision int) {
	t.Helper()
	secrets := c.CoreV1().Secrets(ns)
	old, err := secrets.Get(t.Context(), fmt.Sprintf("sh.helm.release.v1.%s.v%d", name, revision-1), metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	data, err := pendingCopy(old.Data["release"], revision)
	if err != nil {
		t.Fatal(err)
	}
	next := &corev1.Secret{Type: old.Type, ObjectMeta: metav1.ObjectMeta{
		Name:   fmt.Sprintf("sh.helm.release.v1.%s.v%d", name, revision),
		Labels: map[string]string{"owner": "helm", "name": name, "status": "pending-upgrade", "version": fmt.Sprint(revision)},
	}, Data: map[string][]byte{"release": data}}
	if _, err := secrets.Create(t.Context(), next, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}
