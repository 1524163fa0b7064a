package prepull

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gauntlet/internal/kube"
)

// removeRun removes a run's DaemonSets, their pods, and what they pulled with. The API server removes the
// pods at once, also those on nodes whose kubelet is dead; what it is asked too late
// for, the cluster's garbage collector removes.
func (s *Session) removeRun(ctx context.Context, run string) error {
	selector := kube.ManagedByLabel + "=" + kube.ManagedBy + "," + kube.RunLabel + "=" + run + "," + PoolLabel
	list := metav1.ListOptions{LabelSelector: selector}
	sets := s.r.Client.AppsV1().DaemonSets(s.r.Namespace)
	found, err := sets.List(ctx, list)
	if err != nil {
		return fmt.Errorf("list the DaemonSets of the pre-pull in namespace %s: %w", s.r.Namespace, err)
	}
	background, now := metav1.DeletePropagationBackground, int64(0)
	for _, d := range found.Items {
		err := sets.Delete(ctx, d.Name, metav1.DeleteOptions{PropagationPolicy: &background})
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("remove DaemonSet %s/%s of the pre-pull: %w", s.r.Namespace, d.Name, err)
		}
	}
	err = s.r.Client.CoreV1().Pods(s.r.Namespace).DeleteCollection(ctx, metav1.DeleteOptions{GracePeriodSeconds: &now}, list)
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsForbidden(err) {
		return fmt.Errorf("remove the pods of the pre-pull in namespace %s: %w", s.r.Namespace, err)
	}
	return s.removeCopies(ctx, selector)
}

// otherRuns are the runs other than this one that have something here.
func (s *Session) otherRuns(ctx context.Context) ([]string, error) {
	const selector = kube.ManagedByLabel + "=" + kube.ManagedBy + "," + kube.RunLabel + "," + PoolLabel
	sets, err := s.r.Client.AppsV1().DaemonSets(s.r.Namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, fmt.Errorf("look for what earlier pre-pulls have left in namespace %s: %w", s.r.Namespace, err)
	}
	secrets, err := s.copies(ctx, selector)
	if err != nil {
		return nil, err
	}
	var runs []string
	add := func(labels map[string]string) {
		if run := labels[kube.RunLabel]; run != s.run.ID && !slices.Contains(runs, run) {
			runs = append(runs, run)
		}
	}
	for _, d := range sets.Items {
		add(d.Labels)
	}
	for _, c := range secrets {
		add(c.Labels)
	}
	return runs, nil
}

// lookForOthers says whether another run has something here, dead or alive, and
// begins to watch for its sign of life.
func (s *Session) lookForOthers(ctx context.Context) (bool, error) {
	runs, err := s.otherRuns(ctx)
	if err != nil || len(runs) == 0 {
		return false, err
	}
	_, err = s.run.Others(ctx)
	return true, err
}

// sweep removes what dead runs have left. While one may still turn out to be dead, it
// waits until that is known, 15 s at most: what a killed run left is gone after the
// next. A run that is alive is left alone.
func (s *Session) sweep(ctx context.Context) (removed int, err error) {
	for {
		runs, err := s.otherRuns(ctx)
		if err != nil || len(runs) == 0 {
			return removed, err
		}
		others, err := s.run.Others(ctx)
		if err != nil {
			return removed, err
		}
		for _, run := range runs {
			if others.Dead(run) {
				err = errors.Join(err, s.removeRun(ctx, run))
				removed++
			}
		}
		if err = errors.Join(err, s.run.Forget(ctx, others)); err != nil || !others.Silent() {
			return removed, err
		}
		if err := kube.Sleep(ctx, time.Second); err != nil {
			return removed, err
		}
	}
}
