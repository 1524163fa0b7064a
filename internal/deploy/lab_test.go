package deploy

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gauntlet/internal/deploy/helm"
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
	prefixEnv   = "GAUNTLET_TEST_PREFIX" // of namespaces, for tests side by side
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
	return labNamespaceOf(t, c, cmp.Or(os.Getenv(prefixEnv), "h-deploy-"))
}

func labNamespaceOf(t *testing.T, c *kube.Client, prefix string) string {
	t.Helper()
	ns := prefix + strings.ToLower(strings.NewReplacer("_", "-", "/", "-").Replace(t.Name()))
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
		"templates/extra.yaml": []byte(`{{- with .Values.extra }}
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ . }}}
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
	return Request{
		Client: c, Namespace: ns, ReleaseName: "small", Chart: smallChart(t), Values: v,
		Deployable: release.DigestOf([]byte("deployable " + variant)),
		Access:     release.DigestOf([]byte("access")),
		Release:    release.DigestOf([]byte("release " + variant)),
		Timeout:    90 * time.Second,
		Observe: func(e Event) {
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
