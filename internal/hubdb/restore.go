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
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"gauntlet/internal/kube"
)

//go:embed restore.py
var restoring string

// said begins the line that restore.py ends with.
const said = "GAUNTLET "

// Restored is what it means to put a copy back.
type Restored struct {
	File    string   `json:"file"`              // the copy
	Kept    string   `json:"kept,omitempty"`    // where the migrated database is kept; "" when it was never migrated, and nothing is to do
	Users   []string `json:"users,omitempty"`   // whom the hub no longer knows: they came after the copy
	Servers []string `json:"servers,omitempty"` // USER/NAME of servers that it no longer knows
}

// Migrated says whether the database has another schema than the copy.
func (r Restored) Migrated() bool { return r.Kept != "" }

// Look says what it would mean to put the copy with this stamp back. It asks the hub's
// own pod, which must run.
func Look(ctx context.Context, c *kube.Client, namespace, stamp string) (Restored, error) {
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
		Command: append([]string{"python3", "-c", restoring, "LOOK", stamp}, folders(&d.Spec.Template.Spec)...)})
	if err != nil {
		return Restored{}, err
	}
	return read(out.String())
}

// Restore puts the copy with this stamp back, which Copy has made of the database of the
// hub in a namespace, unless the database still has the schema of the copy. The hub must
// be stopped. It is done by a pod of the hub's own image, which mounts the hub's volumes
// and nothing else and is gone afterwards. It may be interrupted and done again.
func Restore(ctx context.Context, c *kube.Client, namespace, stamp string) (r Restored, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not done in %s", limit))
	defer cancel()
	d, err := hubOf(ctx, c, namespace)
	if err != nil {
		return Restored{}, err
	}
	pod := restorer(d, stamp)
	if err := c.DeletePod(ctx, namespace, pod.Name); err != nil { // of a run that was killed
		return Restored{}, err
	}
	if pod, err = c.CreatePod(ctx, pod); err != nil {
		return Restored{}, err
	}
	defer func() {
		err = errors.Join(err, c.DeletePod(context.WithoutCancel(ctx), namespace, pod.Name))
	}()
	if _, err := c.WaitFinished(ctx, namespace, pod.Name); err != nil {
		return Restored{}, fmt.Errorf("put %s back: %w", stamp, err)
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

// restorer is the pod that puts a copy back: the hub's own image, user and volumes.
func restorer(d *appsv1.Deployment, stamp string) *corev1.Pod {
	hub := d.Spec.Template.Spec
	main := hub.Containers[containerOf(hub.Containers)]
	ctr := corev1.Container{
		Name: "restore", Image: main.Image, ImagePullPolicy: main.ImagePullPolicy, SecurityContext: main.SecurityContext,
		Command: append([]string{"python3", "-c", restoring, "RESTORE", stamp}, folders(&hub)...),
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
			Namespace: d.Namespace, Name: "gauntlet-restore",
			Labels: map[string]string{kube.ManagedByLabel: kube.ManagedBy},
		},
		Spec: corev1.PodSpec{
			Containers: []corev1.Container{ctr}, Volumes: volumes, RestartPolicy: corev1.RestartPolicyNever,
			SecurityContext: hub.SecurityContext, ImagePullSecrets: hub.ImagePullSecrets, NodeSelector: hub.NodeSelector,
			Tolerations: hub.Tolerations, Affinity: hub.Affinity, PriorityClassName: hub.PriorityClassName,
			AutomountServiceAccountToken: &no, EnableServiceLinks: &no, ActiveDeadlineSeconds: &deadline,
		},
	}
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

// hubOf is the Deployment of the hub in a namespace, found by the label component=hub of
// its pods.
func hubOf(ctx context.Context, c *kube.Client, namespace string) (*appsv1.Deployment, error) {
	list, err := c.AppsV1().Deployments(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("find the hub's Deployment: %w", err)
	}
	for i := range list.Items {
		d := &list.Items[i]
		if d.Spec.Template.Labels["component"] == "hub" && len(d.Spec.Template.Spec.Containers) > 0 {
			return d, nil
		}
	}
	return nil, fmt.Errorf("no Deployment of a hub is in namespace %s (label component=hub)", namespace)
}

// replicasNote remembers, on the Deployment of a hub that is stopped, how many pods it had.
const replicasNote = "gauntlet/replicas"

// Stop stops the hub in a namespace and returns when no pod of it is left. Servers of
// users go on.
func Stop(ctx context.Context, c *kube.Client, namespace string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("the hub has not stopped in %s", limit))
	defer cancel()
	d, err := hubOf(ctx, c, namespace)
	if err != nil {
		return err
	}
	selector, err := metav1.LabelSelectorAsSelector(d.Spec.Selector)
	if err != nil {
		return fmt.Errorf("read the selector of Deployment/%s: %w", d.Name, err)
	}
	if had := replicas(d); had != 0 {
		note := map[string]any{replicasNote: fmt.Sprint(had)}
		if err := scale(ctx, c, d, 0, note); err != nil {
			return err
		}
	}
	for {
		pods, err := c.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector.String()})
		if err != nil {
			return fmt.Errorf("see whether the hub has stopped: %w", err)
		}
		if len(pods.Items) == 0 {
			return nil
		}
		if err := kube.Sleep(ctx, time.Second); err != nil {
			return err
		}
	}
}

// Start starts a hub that Stop has stopped; one that runs is left as it is. It does not
// wait.
func Start(ctx context.Context, c *kube.Client, namespace string) error {
	d, err := hubOf(ctx, c, namespace)
	if err != nil {
		return err
	}
	var had int32
	if _, err := fmt.Sscan(d.Annotations[replicasNote], &had); err != nil {
		return nil // nobody has stopped it
	}
	return scale(ctx, c, d, max(had, replicas(d)), map[string]any{replicasNote: nil})
}

func replicas(d *appsv1.Deployment) int32 {
	if d.Spec.Replicas == nil {
		return 1
	}
	return *d.Spec.Replicas
}

func scale(ctx context.Context, c *kube.Client, d *appsv1.Deployment, to int32, notes map[string]any) error {
	patch := map[string]any{"metadata": map[string]any{"annotations": notes}}
	if replicas(d) != to {
		patch["spec"] = map[string]any{"replicas": to}
	}
	text, err := json.Marshal(patch)
	if err != nil {
		return err
	}
	_, err = c.AppsV1().Deployments(d.Namespace).Patch(ctx, d.Name, types.MergePatchType, text, metav1.PatchOptions{FieldManager: kube.ManagedBy})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("scale Deployment/%s to %d: %w", d.Name, to, err)
	}
	return nil
}
