package kube

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	toolswatch "k8s.io/client-go/tools/watch"
)

// How long a cause that may pass by itself is waited for before it ends a wait.
const (
	pullGrace     = 90 * time.Second // a registry that answers 503, a slow name server
	scheduleGrace = 5 * time.Minute  // an autoscaler that brings a node
)

// waitPod waits until done says so, and ends as WaitReady tells.
func (c *Client) waitPod(ctx context.Context, namespace, name, what string, tell func(*PodError), done func(*corev1.Pod) (bool, error)) (*corev1.Pod, error) {
	start := time.Now()
	watched, cancel := context.WithCancelCause(ctx)
	var (
		mu      sync.Mutex
		last    *corev1.Pod
		passing *PodError // the cause that may pass by itself, if any
		grace   *time.Timer
		ended   bool
	)
	now := func(why *PodError) { // it keeps the pod from running
		passing = why
		if tell != nil {
			tell(why)
		}
		grace = time.AfterFunc(Grace(why.Reason), func() { cancel(errGrace) })
	}
	// A pod that no scheduler looks at never changes, and one whose sandbox or volumes
	// cannot be made says so in events alone.
	lookAside := func() {
		mu.Lock()
		pod := last
		busy := pod == nil || passing != nil || ended
		mu.Unlock()
		if busy {
			return
		}
		why := unlooked(pod, time.Now())
		if why == nil && !begun(pod) {
			why = eventCause(pod, c.podEvents(watched, namespace, name), time.Now())
		}
		mu.Lock()
		defer mu.Unlock()
		if why != nil && pod == last && passing == nil && !ended {
			now(&PodError{Pod: name, Reason: why.Reason, Message: why.Message})
		}
	}
	var beside sync.WaitGroup
	beside.Go(func() {
		t := time.NewTicker(silence / 2)
		defer t.Stop()
		for {
			select {
			case <-watched.Done():
				return
			case <-t.C:
				lookAside()
			}
		}
	})
	defer func() {
		cancel(nil)
		beside.Wait()
		if grace != nil {
			grace.Stop()
		}
	}()
	look := func(e watch.Event) (bool, error) {
		mu.Lock()
		defer mu.Unlock()
		pod, ok := e.Object.(*corev1.Pod)
		if !ok || pod.Name != name {
			return false, nil
		}
		if e.Type == watch.Deleted {
			gone := &PodError{Pod: name, Reason: Gone, Message: "it was deleted while it was waited for", Permanent: true}
			if passing != nil { // whoever deleted it gave up on that
				gone.Reason, gone.Message = passing.Reason, passing.Message+" ("+gone.Message+")"
			}
			return false, gone
		}
		last = pod
		if ok, err := done(pod); ok || err != nil {
			return ok, err
		}
		why := Diagnose(pod)
		if why != nil && why.Permanent {
			return false, why
		}
		// A pull alternates between failing and backing off: the clock of its
		// grace goes on until the image is there.
		if why == nil && passing != nil && stillPulling(pod) {
			return false, nil
		}
		if why == nil || passing == nil || why.Reason != passing.Reason {
			if grace != nil {
				grace.Stop()
				grace = nil
			}
			if passing = why; why != nil {
				now(why)
			}
		}
		return false, nil
	}
	_, err := toolswatch.UntilWithSync(watched, c.onePod(namespace, name), &corev1.Pod{}, func(store cache.Store) (bool, error) {
		if _, found, _ := store.GetByKey(namespace + "/" + name); !found {
			return false, &PodError{Pod: name, Reason: Gone, Message: "there is no such pod in namespace " + namespace, Permanent: true}
		}
		return false, nil
	}, look)
	mu.Lock()
	defer mu.Unlock()
	ended = true
	if err == nil {
		return last, nil
	}
	if watched.Err() != nil {
		waited := time.Since(start).Round(time.Second)
		if passing == nil {
			passing = c.slow(ctx, namespace, name, last)
		}
		p := *passing
		p.Message = OneLine(fmt.Sprintf("not %s after %s: %s", what, waited, p.Message))
		return last, &p
	}
	return last, c.explain(ctx, namespace, last, err)
}

var errGrace = errors.New("grace over")

// Grace is how long a cause of this reason that may pass by itself is waited for.
func Grace(reason string) time.Duration {
	if reason == Unschedulable || reason == Unscheduled {
		return scheduleGrace
	}
	return pullGrace
}

func stillPulling(pod *corev1.Pod) bool {
	for _, s := range allStatuses(pod) {
		if s.State.Waiting != nil && s.ImageID == "" {
			return true
		}
	}
	return false
}
