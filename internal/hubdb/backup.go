// Package hubdb copies a hub's own database before an upgrade that migrates it, and puts
// the copy back when the hub goes back.
package hubdb

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gauntlet/internal/kube"
)

//go:embed backup.py
var script string

// limit bounds a backup: the database of a hub of thousands of users has some MiB.
const limit = 5 * time.Minute

// None is the stamp of no copy: of a database that is migrated and that nobody copied here,
// because it is on a server of its own or because that was asked for.
const None = "none"

// A Backup is a copy of a hub's database on the volume of the hub itself.
type Backup struct {
	Stamp string `json:"-"`     // what Restore finds it by; fit for a label of Kubernetes
	File  string `json:"file"`  // in the hub's container
	Bytes int64  `json:"bytes"` // of the copy
	Users int    `json:"users"` // that it knows
}

func (b Backup) String() string {
	return fmt.Sprintf("%s (%d users, %.1f MiB)", kube.OneLine(b.File), b.Users, float64(b.Bytes)/(1<<20))
}

// Copy copies the SQLite database of the hub in a namespace, through SQLite's own online
// backup, to a file beside it named after the time at. The copy is checked; the newest
// three are kept. The hub must run: what it has open is what is copied. Its pod is found
// by the label component=hub, as zero-to-jupyterhub has it.
func Copy(ctx context.Context, c *kube.Client, namespace string, at time.Time) (Backup, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not done in %s", limit))
	defer cancel()
	pod, container, err := hubPod(ctx, c, namespace)
	if err != nil {
		return Backup{}, err
	}
	var out bytes.Buffer
	stamp := at.UTC().Format("20060102T150405Z")
	err = c.Exec(ctx, kube.Exec{Namespace: namespace, Pod: pod, Container: container, Stdout: &out,
		Command: []string{"python3", "-c", script, stamp}})
	if err != nil {
		return Backup{}, err
	}
	b := Backup{Stamp: stamp}
	if err := json.Unmarshal(out.Bytes(), &b); err != nil || b.File == "" {
		return Backup{}, fmt.Errorf("read what the backup in pod %s said: %w", pod, errors.Join(err, errors.New(kube.OneLine(out.String()))))
	}
	return b, nil
}

// hubPod is the pod and the container that the hub runs in.
func hubPod(ctx context.Context, c *kube.Client, namespace string) (pod, container string, err error) {
	list, err := c.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: "component=hub"})
	if err != nil {
		return "", "", fmt.Errorf("find the hub's pod: %w", err)
	}
	for _, p := range list.Items {
		if p.Status.Phase != corev1.PodRunning || p.DeletionTimestamp != nil || len(p.Spec.Containers) == 0 {
			continue
		}
		return p.Name, p.Spec.Containers[containerOf(p.Spec.Containers)].Name, nil
	}
	return "", "", fmt.Errorf("no pod of the hub runs in namespace %s (label component=hub)", namespace)
}

// containerOf is the place of the container that the hub runs in.
func containerOf(list []corev1.Container) int {
	return max(0, slices.IndexFunc(list, func(c corev1.Container) bool { return c.Name == "hub" }))
}
