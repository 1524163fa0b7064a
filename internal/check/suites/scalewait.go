package suites

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"gauntlet/internal/dask"
	"gauntlet/internal/kernel"
	"gauntlet/internal/kube"
)

// of are the pods of a part of the cluster, those that are being deleted among them. It
// notes where they run and which of them lost their places.
func (s *scaling) of(shot *kube.Snapshot, part dask.Component) []*corev1.Pod {
	var pods []*corev1.Pod
	for _, pod := range shot.Pods {
		if !s.cluster.Has(pod, part) {
			continue
		}
		pods = append(pods, pod)
		s.nodes.hosted(pod)
		if why := shot.PodCause(pod); why != nil && why.Reason == kube.Evicted {
			words := fmt.Sprintf("%s on node %s: %s", pod.Name, pod.Spec.NodeName, why.Message)
			if !slices.Contains(s.thrown, words) {
				s.thrown = append(s.thrown, words)
				s.tell("lost its place: %s", words)
			}
		}
	}
	return pods
}

// lost says which pods lost their places: the platform's doing, and no fault of a release.
func (s *scaling) lost() string {
	if len(s.thrown) == 0 {
		return ""
	}
	return "; preempted and replaced meanwhile: " + strings.Join(s.thrown, "; ")
}

// await waits until done holds of the pods of a part of the cluster. It ends early with
// what keeps one of them from running, unless that may pass.
func (s *scaling) await(ctx context.Context, part dask.Component, done func([]*corev1.Pod) bool) ([]*corev1.Pod, error) {
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	troubles := map[string]time.Time{} // pod and reason, since when
	for {
		shot := s.view.Snapshot()
		pods := s.of(shot, part)
		if done(pods) {
			return pods, nil
		}
		if pod, why := s.stuck(shot, pods, troubles); why != nil {
			return pods, s.ended(ctx, pod, why)
		}
		select {
		case <-s.view.Changed():
		case <-tick.C:
		case <-ctx.Done():
			return pods, context.Cause(ctx)
		}
	}
}

// stuck is what keeps a pod from running: at once when it is for good, after its grace
// when it may pass.
func (s *scaling) stuck(shot *kube.Snapshot, pods []*corev1.Pod, since map[string]time.Time) (*corev1.Pod, *kube.Cause) {
	for _, pod := range pods {
		why := shot.PodCause(pod)
		if why == nil || why.Reason == kube.Evicted || pod.DeletionTimestamp != nil {
			continue
		}
		key := pod.Name + " " + why.Reason
		if since[key].IsZero() {
			since[key] = time.Now()
			s.tell("pod %s: %s: %s", pod.Name, why.Reason, why.Message)
		}
		if (why.Permanent && !s.mayComeBack(pod, why)) || time.Since(since[key]) > kube.Grace(why.Reason) {
			return pod, why
		}
	}
	return nil, nil
}

// mayComeBack says that a worker whose container ended may yet run, since the kubelet
// starts it again: the successor of a preempted worker has its name, and is refused ("name
// taken") until the scheduler has noticed that the other is gone.
func (s *scaling) mayComeBack(pod *corev1.Pod, why *kube.Cause) bool {
	return len(s.thrown) > 0 && s.cluster.Has(pod, dask.Worker) && pod.Spec.RestartPolicy == corev1.RestartPolicyAlways &&
		(why.Reason == kube.Exited || why.Reason == kube.CrashLoop)
}

// ended is a cause as an error, with what a container said before it ended.
func (s *scaling) ended(ctx context.Context, pod *corev1.Pod, why *kube.Cause) error {
	err := fmt.Errorf("pod %s: %s: %s", pod.Name, why.Reason, why.Message)
	switch why.Reason {
	case kube.CrashLoop, kube.Exited, kube.Finished:
		if words, lerr := s.t.Client.LastWords(ctx, s.t.Namespace, pod.Name, ""); lerr == nil && words != "" && !strings.Contains(why.Message, words) {
			err = fmt.Errorf("%w; it said: %s", err, kube.OneLine(words))
		}
	}
	return err
}

// watched does something while the pods of a part of the cluster are looked at.
func (s *scaling) watched(ctx context.Context, part dask.Component, do func(context.Context) (kernel.Output, error)) (kernel.Output, error) {
	if part == "" {
		return do(ctx)
	}
	doing, cancel := context.WithCancelCause(ctx)
	var wg sync.WaitGroup
	var trouble error // to be read once the watching has ended
	wg.Go(func() {
		_, err := s.await(doing, part, func([]*corev1.Pod) bool { return false })
		if err != nil && doing.Err() == nil {
			trouble = err
			cancel(err)
		}
	})
	out, err := do(doing)
	cancel(nil)
	wg.Wait()
	if trouble != nil && err != nil {
		return out, trouble
	}
	return out, err
}

// come waits until n workers run.
func (s *scaling) come(ctx context.Context, n int) ([]*corev1.Pod, error) {
	var ready []*corev1.Pod
	pods, err := s.await(ctx, dask.Worker, func(pods []*corev1.Pod) bool {
		ready = slices.DeleteFunc(slices.Clone(pods), func(p *corev1.Pod) bool { return p.DeletionTimestamp != nil || !kube.IsReady(p) })
		return len(ready) >= n
	})
	if err == nil || len(pods) > 0 {
		return ready, err
	}
	return nil, fmt.Errorf("%w: there is no pod of a worker; %s", err, s.state(ctx))
}

// begins waits until an adaptive cluster with work asks for workers, and says who does
// not do their part otherwise: users see all of these as a computation that never starts.
func (s *scaling) begins(ctx context.Context) error {
	bounded, cancel := context.WithTimeoutCause(ctx, adaptiveStart, fmt.Errorf("no worker came in %s", adaptiveStart))
	defer cancel()
	_, err := s.await(bounded, dask.Worker, func(pods []*corev1.Pod) bool { return len(pods) > 0 })
	if err == nil || bounded.Err() == nil || ctx.Err() != nil {
		return err
	}
	want, terr := s.run(ctx, "", "target")
	adapts, aerr := s.cluster.Adapts(ctx)
	wanted, _, werr := s.cluster.Wanted(ctx)
	if uerr := errors.Join(terr, aerr, werr); uerr != nil {
		return fmt.Errorf("adaptive scaling does nothing: %w; why could not be found out: %w", err, uerr)
	}
	switch {
	case !adapts:
		return fmt.Errorf("adaptive scaling does nothing: %w, and cluster.adapt() made no DaskAutoscaler", err)
	case want.Workers == 0:
		return fmt.Errorf("adaptive scaling does nothing: %w: the scheduler has work and wants no workers", err)
	case wanted == 0:
		return fmt.Errorf("adaptive scaling does nothing: %w: the scheduler wants %d, and the Dask operator does not ask for them: it does not run, hangs, or cannot reach the scheduler",
			err, want.Workers)
	}
	return fmt.Errorf("adaptive scaling does nothing: %w: %d are asked for, and the Dask operator makes no pods of them", err, wanted)
}

// gone waits until no worker is left, being deleted or not.
func (s *scaling) gone(ctx context.Context) error {
	pods, err := s.await(ctx, dask.Worker, func(pods []*corev1.Pod) bool { return len(pods) == 0 })
	if err == nil {
		return nil
	}
	if len(pods) == 0 {
		return err
	}
	asked, cancel := context.WithTimeout(context.WithoutCancel(ctx), stateTime)
	defer cancel()
	shot := s.view.Snapshot()
	var words []string
	for _, pod := range pods {
		switch why := kube.NotEnding(pod, nil, shot.Now); {
		case why != nil:
			words = append(words, pod.Name+": "+why.Message)
		case pod.DeletionTimestamp != nil:
			words = append(words, pod.Name+" is ending")
		default:
			words = append(words, pod.Name+" runs and was not told to end")
		}
	}
	return fmt.Errorf("workers survive: %s; %s", kube.OneLine(strings.Join(words, "; ")), s.state(asked))
}

// stateTime bounds a look at the cluster's objects after a check's own time is over.
const stateTime = 2 * time.Second

// state says what the cluster's worker group asks for.
func (s *scaling) state(ctx context.Context) string {
	asked, cancel := context.WithTimeout(context.WithoutCancel(ctx), stateTime)
	defer cancel()
	n, found, err := s.cluster.Wanted(asked)
	switch {
	case err != nil:
		return kube.OneLine(err.Error())
	case !found:
		return "the Dask operator has made no worker group of the cluster: it does not run, hangs, or lacks rights"
	}
	return fmt.Sprintf("the worker group asks for %d: the Dask operator does not do that; it does not run, hangs, or lacks rights", n)
}

// why adds to a failure of the client what the workers said last.
func (s *scaling) why(ctx context.Context, err error) error {
	for _, pod := range s.of(s.view.Snapshot(), dask.Worker) {
		words, lerr := s.t.Client.LastWords(ctx, s.t.Namespace, pod.Name, "")
		if lerr == nil && words != "" {
			return fmt.Errorf("%w; worker %s said last: %s", err, pod.Name, kube.OneLine(words))
		}
	}
	return err
}
