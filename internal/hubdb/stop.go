package hubdb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"gauntlet/internal/kube"
)

// hubOf is the Deployment of the hub in a namespace, found by the label component=hub of
// its pods.
func hubOf(ctx context.Context, c *kube.Client, namespace string) (*appsv1.Deployment, error) {
	list, err := c.AppsV1().Deployments(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("find the hub's Deployment: %w", err)
	}
	for i := range list.Items {
		if d := &list.Items[i]; isHub(d) {
			return d, nil
		}
	}
	return nil, fmt.Errorf("%w in namespace %s (label component=hub)", errNoHub, namespace)
}

var errNoHub = errors.New("no Deployment of a hub is")

// Of is the Deployment of the hub in a manifest of Helm, found as hubOf finds it.
func Of(manifest string) (*appsv1.Deployment, error) {
	for _, text := range strings.Split("\n"+manifest, "\n---") {
		var d appsv1.Deployment
		text = strings.TrimPrefix(text, "\n")
		// What is no Deployment need not be readable as one.
		if yaml.Unmarshal([]byte(text), &d) == nil && d.Kind == "Deployment" && isHub(&d) {
			return &d, nil
		}
	}
	return nil, fmt.Errorf("%w in the manifest (label component=hub)", errNoHub)
}

func isHub(d *appsv1.Deployment) bool {
	return d.Spec.Template.Labels["component"] == "hub" && len(d.Spec.Template.Spec.Containers) > 0
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

// Settle ends what a run that was killed has left of putting a copy back: no pod of it
// works on the database any more. The hub stays stopped until Start.
func Settle(ctx context.Context, c *kube.Client, namespace string) error {
	_, had, err := stopped(ctx, c, namespace)
	if err != nil || had == 0 {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, cleaning, fmt.Errorf("not gone in %s", cleaning))
	defer cancel()
	return c.DeletePod(ctx, namespace, podName)
}

// Start starts a hub that Stop has stopped; one that runs, or none, is left as it is. It
// does not wait for the hub.
func Start(ctx context.Context, c *kube.Client, namespace string) error {
	d, had, err := stopped(ctx, c, namespace)
	if err != nil || had == 0 {
		return err
	}
	if err := Settle(ctx, c, namespace); err != nil {
		return err
	}
	return scale(ctx, c, d, max(had, replicas(d)), map[string]any{replicasNote: nil})
}

// stopped is a hub that Stop has stopped, and how many pods it had: 0 when nobody has.
func stopped(ctx context.Context, c *kube.Client, namespace string) (*appsv1.Deployment, int32, error) {
	d, err := hubOf(ctx, c, namespace)
	if errors.Is(err, errNoHub) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	var had int32
	if _, err := fmt.Sscan(d.Annotations[replicasNote], &had); err != nil {
		return d, 0, nil
	}
	return d, had, nil
}

// Begun says whether the hub as it is deployed now has ever run here, and so may have
// migrated its database. One whose pods cannot be found counts as if it had.
func Begun(ctx context.Context, c *kube.Client, namespace string) (bool, error) {
	d, err := hubOf(ctx, c, namespace)
	if err != nil {
		return false, err
	}
	list, err := c.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: "component=hub"})
	if err != nil {
		return false, fmt.Errorf("see whether the hub has run: %w", err)
	}
	return begun(d, list.Items), nil
}

func begun(d *appsv1.Deployment, pods []corev1.Pod) bool {
	hub := d.Spec.Template.Spec.Containers[containerOf(d.Spec.Template.Spec.Containers)]
	seen := false
	for _, p := range pods {
		if i := slices.IndexFunc(p.Spec.Containers, func(c corev1.Container) bool { return c.Name == hub.Name && c.Image == hub.Image }); i < 0 {
			continue // of the hub from before
		}
		seen = true
		for _, s := range p.Status.ContainerStatuses {
			if s.Name == hub.Name && (s.State.Running != nil || s.State.Terminated != nil || s.LastTerminationState.Terminated != nil || s.RestartCount > 0) {
				return true
			}
		}
	}
	return !seen
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
