package kube

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"golang.org/x/sync/errgroup"

	"gauntlet/internal/config"
)

type rt = runtime.Object

// Labels of what gauntlet makes in a cluster.
const (
	ManagedByLabel = "app.kubernetes.io/managed-by"
	ManagedBy      = "gauntlet"
	RunLabel       = "gauntlet/run" // the run that made it
)

// podLife bounds the life of a workbench pod: the kubelet ends it even when
// nobody is left to delete it.
const podLife = time.Hour

// A Workbench runs pods of one run in the namespace where images and pairings
// are tested.
type Workbench struct {
	Client    *Client
	Namespace string
	Run       *Run

	node     map[string]string
	tolerate []corev1.Toleration
	security *corev1.PodSecurityContext
}

// OpenWorkbench makes the workbench's namespace when it is missing, and removes
// what dead runs left there. The workbench must be closed.
func OpenWorkbench(ctx context.Context, c *Client, cfg config.Workbench) (*Workbench, error) {
	w, err := NewWorkbench(c, cfg)
	if err != nil {
		return nil, err
	}
	if err := c.EnsureNamespace(ctx, w.Namespace); err != nil {
		return nil, err
	}
	if err := w.Run.Begin(ctx); err != nil {
		return nil, err
	}
	if _, err := w.Sweep(ctx); err != nil {
		return nil, errors.Join(err, w.Run.End(ctx))
	}
	return w, nil
}

// NewWorkbench is OpenWorkbench without a word to the cluster.
func NewWorkbench(c *Client, cfg config.Workbench) (*Workbench, error) {
	w := &Workbench{Client: c, Namespace: cfg.Namespace, Run: NewRun(c, cfg.Namespace), node: cfg.NodeSelector}
	if err := Recode(cfg.Tolerations, &w.tolerate); err != nil {
		return nil, fmt.Errorf("workbench.tolerations in gauntlet.yaml: each must be a Kubernetes Toleration (key, operator, value, effect): %w", err)
	}
	if cfg.SecurityContext != nil {
		w.security = &corev1.PodSecurityContext{}
		if err := Recode(cfg.SecurityContext, w.security); err != nil {
			return nil, fmt.Errorf("workbench.securityContext in gauntlet.yaml: it must be a Kubernetes PodSecurityContext: %w", err)
		}
	}
	return w, nil
}

// Recode reads what a configuration holds of a Kubernetes type; a field that the type does
// not have is an error.
func Recode(from, to any) error {
	b, err := json.Marshal(from)
	if err != nil {
		return err
	}
	dec := json.NewDecoder(strings.NewReader(string(b)))
	dec.DisallowUnknownFields()
	return dec.Decode(to)
}

// A Job is what one pod of the workbench runs: one container, never restarted.
type Job struct {
	Name  string   // begins the pod's name; lower case letters, digits, "-"
	Image string   // by digest
	Args  []string // given to the image's entrypoint, or run in its place when it has none
	Env   map[string]string
	Ready *corev1.Probe // nil: ready when it runs
}

// Pod is the pod that would run the job.
func (w *Workbench) Pod(j Job) *corev1.Pod {
	no, life, grace := false, int64(podLife/time.Second), int64(2)
	env := make([]corev1.EnvVar, 0, len(j.Env))
	for k, v := range j.Env {
		env = append(env, corev1.EnvVar{Name: k, Value: v})
	}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: w.Namespace,
			Name:      fmt.Sprintf("%s-%s", j.Name, strings.ToLower(rand.Text()[:8])),
			Labels:    w.Run.Labels(),
		},
		Spec: corev1.PodSpec{
			RestartPolicy:                 corev1.RestartPolicyNever,
			ActiveDeadlineSeconds:         &life,
			TerminationGracePeriodSeconds: &grace,
			AutomountServiceAccountToken:  &no,
			EnableServiceLinks:            &no,
			NodeSelector:                  w.node,
			Tolerations:                   w.tolerate,
			SecurityContext:               w.security,
			Containers: []corev1.Container{{
				Name: "main", Image: j.Image, Args: j.Args, Env: env, ReadinessProbe: j.Ready,
				ImagePullPolicy: corev1.PullIfNotPresent,
			}},
		},
	}
}

// Close deletes all pods of this run, waits until they are gone, and sweeps once
// more. Where another run showed no sign of life since this one began, it waits
// until that is long enough (15 s in all) to know the other for dead: what a
// killed run left is gone after the next.
func (w *Workbench) Close(ctx context.Context) error {
	err := w.clear(ctx, RunLabel+"="+w.Run.ID)
	return errors.Join(err, w.awaitDead(ctx), w.sweep(ctx), w.Run.End(ctx))
}

// awaitDead waits while another run may still turn out to be dead.
func (w *Workbench) awaitDead(ctx context.Context) error {
	again := time.NewTicker(time.Second)
	defer again.Stop()
	for {
		others, err := w.Run.Others(ctx)
		if err != nil || !others.Silent() {
			return err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for a sign of life of other runs: %w", context.Cause(ctx))
		}
	}
}

func (w *Workbench) sweep(ctx context.Context) error {
	_, err := w.Sweep(ctx)
	return err
}

// Sweep deletes what dead runs have left: pods whose run gives no sign of life,
// and pods past their life. It returns the names of the deleted pods.
func (w *Workbench) Sweep(ctx context.Context) (removed []string, err error) {
	pods, err := w.pods(ctx, RunLabel)
	if err != nil {
		return nil, err
	}
	others, err := w.Run.Others(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range pods {
		run := p.Labels[RunLabel]
		old := time.Since(p.CreationTimestamp.Time) > podLife+10*time.Minute
		if run != w.Run.ID && (others.Dead(run) || old) {
			removed = append(removed, p.Name)
		}
	}
	if err := w.remove(ctx, removed); err != nil {
		return removed, err
	}
	return removed, w.Run.Forget(ctx, others)
}

func (w *Workbench) clear(ctx context.Context, selector string) error {
	pods, err := w.pods(ctx, selector)
	if err != nil {
		return err
	}
	var names []string
	for _, p := range pods {
		names = append(names, p.Name)
	}
	return w.remove(ctx, names)
}

func (w *Workbench) pods(ctx context.Context, selector string) ([]corev1.Pod, error) {
	list, err := w.Client.CoreV1().Pods(w.Namespace).List(ctx, metav1.ListOptions{LabelSelector: ManagedByLabel + "=" + ManagedBy + "," + selector})
	if err != nil {
		return nil, fmt.Errorf("list pods of the workbench %s: %w", w.Namespace, err)
	}
	return list.Items, nil
}

// remove deletes pods side by side and waits until they are gone.
func (w *Workbench) remove(ctx context.Context, names []string) error {
	var g errgroup.Group
	errs := make([]error, len(names))
	for i, name := range names {
		g.Go(func() error {
			errs[i] = w.Client.DeletePod(ctx, w.Namespace, name)
			return nil
		})
	}
	_ = g.Wait()
	return errors.Join(errs...)
}
