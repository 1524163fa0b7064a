package hubdb

import (
	"errors"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// manifest is of a hub that has what a pod of its own must not get.
const manifest = `# Source: hub/templates/config.yaml
apiVersion: v1
kind: ConfigMap
metadata: {name: hub}
data: {replicas: "no number"}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: proxy}
spec: {template: {metadata: {labels: {component: proxy}}, spec: {containers: [{name: proxy, image: proxy}]}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: hub}
spec:
  template:
    metadata: {labels: {component: hub}}
    spec:
      serviceAccountName: hub
      securityContext: {fsGroup: 1000}
      imagePullSecrets: [{name: pull}]
      nodeSelector: {pool: core}
      containers:
        - name: sidecar
          image: sidecar@sha256:1
        - name: hub
          image: hub@sha256:2
          env: [{name: PASSWORD, value: secret}]
          resources: {limits: {memory: 1Gi}}
          volumeMounts:
            - {name: config, mountPath: /etc/jupyterhub}
            - {name: db, mountPath: /srv/jupyterhub, subPath: hub}
      volumes:
        - {name: config, secret: {secretName: hub}}
        - {name: db, persistentVolumeClaim: {claimName: hub-db-dir}}
`

func TestThePodThatRestoresHasTheHubsClaimsAndNothingElseOfIt(t *testing.T) {
	d, err := Of(manifest)
	if err != nil {
		t.Fatal(err)
	}
	pod := restorer("ns", d, []string{"A", "B"})
	spec, ctr := pod.Spec, pod.Spec.Containers[0]
	if len(spec.Containers) != 1 || ctr.Image != "hub@sha256:2" || pod.Namespace != "ns" {
		t.Errorf("%s runs %+v", pod.Namespace, spec.Containers)
	}
	if len(ctr.Env)+len(ctr.EnvFrom) != 0 || spec.AutomountServiceAccountToken == nil || *spec.AutomountServiceAccountToken {
		t.Errorf("it gets what it does not need: %+v", spec)
	}
	if len(spec.Volumes) != 1 || spec.Volumes[0].PersistentVolumeClaim == nil || len(ctr.VolumeMounts) != 1 || ctr.VolumeMounts[0].SubPath != "hub" {
		t.Errorf("it mounts %+v of %+v", ctr.VolumeMounts, spec.Volumes)
	}
	if spec.ServiceAccountName != "hub" || spec.ImagePullSecrets[0].Name != "pull" || *spec.SecurityContext.FSGroup != 1000 ||
		spec.NodeSelector["pool"] != "core" || ctr.Resources.Limits.Memory().String() != "1Gi" {
		t.Errorf("it could not run where the hub does: %+v", spec)
	}
	if got := strings.Join(ctr.Command[3:], " "); got != "RESTORE A,B /srv/jupyterhub" {
		t.Errorf("it does %s", got)
	}
	if spec.ActiveDeadlineSeconds == nil || spec.RestartPolicy != corev1.RestartPolicyNever {
		t.Error("it may go on for ever")
	}
}

func TestAManifestWithoutAHubIsSaidToHaveNone(t *testing.T) {
	without, _, _ := strings.Cut(manifest, "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: hub}")
	if _, err := Of(without); !errors.Is(err, errNoHub) {
		t.Error(err)
	}
}

func TestAHubHasBegunWhenItsOwnContainerEverRan(t *testing.T) {
	d, err := Of(manifest)
	if err != nil {
		t.Fatal(err)
	}
	pod := func(image string, s corev1.ContainerStatus) corev1.Pod {
		p := corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "hub", Image: image}}}}
		s.Name = "hub"
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "sidecar", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}, s}
		return p
	}
	const now, before = "hub@sha256:2", "hub@sha256:1"
	running := corev1.ContainerStatus{State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}
	pulling := corev1.ContainerStatus{State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff"}}}
	crashing := corev1.ContainerStatus{State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}, RestartCount: 2}
	for name, tt := range map[string]struct {
		pods []corev1.Pod
		want bool
	}{
		"it runs":                         {[]corev1.Pod{pod(now, running)}, true},
		"it crashed":                      {[]corev1.Pod{pod(now, crashing)}, true},
		"its image never came":            {[]corev1.Pod{pod(now, pulling)}, false},
		"the one from before runs beside": {[]corev1.Pod{pod(before, running), pod(now, pulling)}, false},
		"only the one from before is":     {[]corev1.Pod{pod(before, running)}, true},
		"nobody knows":                    {nil, true},
	} {
		if got := begun(d, tt.pods); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
		slices.Reverse(tt.pods)
		if got := begun(d, tt.pods); got != tt.want {
			t.Errorf("%s, the other way round: %v", name, got)
		}
	}
}
