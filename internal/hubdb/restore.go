package hubdb

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gauntlet/internal/kube"
)

//go:embed restore.py
var restoring string

// said begins the line that restore.py ends with.
const said = "GAUNTLET "

// podName is the pod that puts a copy back. There is one at a time: the lock of the
// namespace is held.
const podName = "gauntlet-restore"

// cleaning bounds how long that pod takes to go.
const cleaning = time.Minute

// Restored is what it means to put a copy back.
type Restored struct {
	File    string   `json:"file"`              // the copy
	Kept    string   `json:"kept,omitempty"`    // where the migrated database is kept; "" when it was never migrated, and nothing is to do
	Users   []string `json:"users,omitempty"`   // whom the hub no longer knows: they came after the copy
	Servers []string `json:"servers,omitempty"` // USER/NAME of servers that it no longer knows
}

// Migrated says whether the database has another schema than the copy.
func (r Restored) Migrated() bool { return r.Kept != "" }

// Look says what it would mean to put one of these copies back, as Restore chooses it. It
// asks the hub's own pod, which must run.
func Look(ctx context.Context, c *kube.Client, namespace string, stamps []string) (Restored, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not done in %s", limit))
	defer cancel()
	d, err := hubOf(ctx, c, namespace)
	if err != nil {
		return Restored{}, err
	}
	pod, container, err := hubPod(ctx, c, namespace)
	if err != nil {
		return Restored{}, err
	}
	var out bytes.Buffer
	err = c.Exec(ctx, kube.Exec{Namespace: namespace, Pod: pod, Container: container, Stdout: &out,
		Command: command("LOOK", stamps, &d.Spec.Template.Spec)})
	if err != nil {
		return Restored{}, err
	}
	return read(out.String())
}

// Restore puts a copy back that Copy has made of the database of the hub in a namespace,
// unless the database still has the schema of the copy. The stamps are those of the copies
// from before each migration since, the oldest first. The newest that has the schema of the
// oldest is put back: a migration may have been tried more than once.
//
// The hub must be stopped. It is done by a pod of the hub as it shall run again, not as it
// is: its image has run here, and that of the hub which failed may be why it did. The pod
// mounts the hub's claims and nothing else and is gone afterwards. It may be interrupted
// and done again.
func Restore(ctx context.Context, c *kube.Client, namespace string, stamps []string, again *appsv1.Deployment) (r Restored, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not done in %s", limit))
	defer cancel()
	if err := c.DeletePod(ctx, namespace, podName); err != nil { // of a run that was killed
		return Restored{}, err
	}
	pod, err := c.CreatePod(ctx, restorer(namespace, again, stamps))
	if err != nil {
		return Restored{}, err
	}
	defer func() {
		ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), cleaning, fmt.Errorf("not gone in %s", cleaning))
		defer cancel()
		err = errors.Join(err, c.DeletePod(ctx, namespace, podName))
	}()
	if _, err := c.WaitFinished(ctx, namespace, pod.Name); err != nil {
		return Restored{}, err
	}
	line, err := c.FindLog(ctx, namespace, pod.Name, "restore", said)
	if err != nil {
		return Restored{}, err
	}
	return read(said + line)
}

func read(text string) (Restored, error) {
	_, text, _ = strings.Cut(text, said)
	var r Restored
	if err := json.Unmarshal([]byte(text), &r); err != nil || r.File == "" {
		return Restored{}, fmt.Errorf("read what was said of the copy: %w", errors.Join(err, errors.New(kube.OneLine(text))))
	}
	return r, nil
}

// restorer is the pod that puts a copy back: image, user, account and claims of a hub. It
// has no token of that account: only pull secrets and what admission grants it count.
func restorer(namespace string, d *appsv1.Deployment, stamps []string) *corev1.Pod {
	hub := d.Spec.Template.Spec
	main := hub.Containers[containerOf(hub.Containers)]
	ctr := corev1.Container{
		Name: "restore", Image: main.Image, ImagePullPolicy: main.ImagePullPolicy, SecurityContext: main.SecurityContext,
		Resources: main.Resources, // a quota may ask for them
		Command:   command("RESTORE", stamps, &hub),
	}
	var volumes []corev1.Volume
	for _, v := range hub.Volumes {
		if v.PersistentVolumeClaim == nil {
			continue
		}
		volumes = append(volumes, v)
		for _, m := range main.VolumeMounts {
			if m.Name == v.Name {
				ctr.VolumeMounts = append(ctr.VolumeMounts, m)
			}
		}
	}
	no, deadline := false, int64(limit/time.Second)
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: namespace, Name: podName,
			Labels: map[string]string{kube.ManagedByLabel: kube.ManagedBy},
		},
		Spec: corev1.PodSpec{
			Containers: []corev1.Container{ctr}, Volumes: volumes, RestartPolicy: corev1.RestartPolicyNever,
			SecurityContext: hub.SecurityContext, ImagePullSecrets: hub.ImagePullSecrets, NodeSelector: hub.NodeSelector,
			Tolerations: hub.Tolerations, Affinity: hub.Affinity, PriorityClassName: hub.PriorityClassName,
			ServiceAccountName:           hub.ServiceAccountName,
			AutomountServiceAccountToken: &no, EnableServiceLinks: &no, ActiveDeadlineSeconds: &deadline,
		},
	}
}

// command runs restore.py on the folders where a hub has its claims mounted.
func command(what string, stamps []string, hub *corev1.PodSpec) []string {
	return append([]string{"python3", "-c", restoring, what, strings.Join(stamps, ",")}, folders(hub)...)
}

// folders are where the hub has its claims mounted.
func folders(hub *corev1.PodSpec) []string {
	var out []string
	for _, v := range hub.Volumes {
		for _, m := range hub.Containers[containerOf(hub.Containers)].VolumeMounts {
			if v.PersistentVolumeClaim != nil && m.Name == v.Name {
				out = append(out, m.MountPath)
			}
		}
	}
	return out
}
