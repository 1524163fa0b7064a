package e2e

import (
	"slices"
	"strings"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
)

// A watching notes when the API first shows what a drill looks for. It watches by
// itself, beside gauntlet and in another way (all objects, by watch).
type watching struct {
	begun time.Time
	shows func(any) bool
	halt  chan struct{}
	wg    sync.WaitGroup

	mu   sync.Mutex
	seen time.Time
}

// watch begins to look at the hub's namespace, and at nodes and their leases.
func (l *line) watch(shows func(any) bool) *watching {
	l.t.Helper()
	return l.watchIn(l.name, shows)
}

func (l *line) watchIn(namespace string, shows func(any) bool) *watching {
	l.t.Helper()
	w := &watching{begun: time.Now(), shows: shows, halt: make(chan struct{})}
	if shows == nil {
		return w
	}
	core, apps, batch := l.client.CoreV1().RESTClient(), l.client.AppsV1().RESTClient(), l.client.BatchV1().RESTClient()
	for _, of := range []struct {
		client    rest.Interface
		resource  string
		namespace string
		kind      runtime.Object
	}{
		{core, "pods", namespace, &corev1.Pod{}},
		{core, "events", namespace, &corev1.Event{}},
		{core, "persistentvolumeclaims", namespace, &corev1.PersistentVolumeClaim{}},
		{core, "nodes", "", &corev1.Node{}},
		{l.client.CoordinationV1().RESTClient(), "leases", "kube-node-lease", &coordinationv1.Lease{}},
		{l.client.CoordinationV1().RESTClient(), "leases", namespace, &coordinationv1.Lease{}},
		{apps, "deployments", namespace, &appsv1.Deployment{}},
		{apps, "daemonsets", namespace, &appsv1.DaemonSet{}},
		{batch, "jobs", namespace, &batchv1.Job{}},
	} {
		informer := cache.NewSharedInformer(cache.NewListWatchFromClient(of.client, of.resource, of.namespace, fields.Everything()), of.kind, 0)
		_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc:    w.look,
			UpdateFunc: func(_, now any) { w.look(now) },
		})
		if err != nil {
			l.t.Fatal(err)
		}
		w.wg.Go(func() { informer.Run(w.halt) })
		if !cache.WaitForCacheSync(l.t.Context().Done(), informer.HasSynced) {
			l.t.Fatalf("the watch of %s does not begin", of.resource)
		}
	}
	return w
}

// look is called for every state of every object.
func (w *watching) look(object any) {
	now := time.Now()
	if e, ok := object.(*corev1.Event); ok {
		// What earlier drills left does not count. An event's own time is finer than
		// its way to here when it has microseconds.
		at := e.EventTime.Time
		if at.IsZero() {
			at = e.LastTimestamp.Time
		}
		if at.Before(w.begun.Truncate(time.Second)) {
			return
		}
		if !e.EventTime.IsZero() && at.Before(now) {
			now = at
		}
	}
	if !w.shows(object) {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.seen.IsZero() || now.Before(w.seen) {
		w.seen = now
	}
}

// stop ends the watching and says when the cause was first shown; zero: never.
func (w *watching) stop() time.Time {
	close(w.halt)
	w.wg.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen
}

// What objects may show. Names of pods begin with that of their workload.

// event is a warning about an object whose name begins so, with these words.
func event(of string, words ...string) func(any) bool {
	return func(object any) bool {
		e, ok := object.(*corev1.Event)
		return ok && strings.HasPrefix(e.InvolvedObject.Name, of) && holds(e.Reason+" "+e.Message, words...)
	}
}

// dies is a pod one of whose containers has ended with another code than zero.
func dies(of string) func(any) bool {
	return func(object any) bool {
		p, ok := object.(*corev1.Pod)
		if !ok || !strings.HasPrefix(p.Name, of) {
			return false
		}
		for _, s := range append(append([]corev1.ContainerStatus{}, p.Status.InitContainerStatuses...), p.Status.ContainerStatuses...) {
			for _, t := range []*corev1.ContainerStateTerminated{s.State.Terminated, s.LastTerminationState.Terminated} {
				if t != nil && t.ExitCode != 0 {
					return true
				}
			}
		}
		return false
	}
}

// waits is a pod one of whose containers waits for that reason.
func waits(of, reason string) func(any) bool {
	return func(object any) bool {
		p, ok := object.(*corev1.Pod)
		if !ok || !strings.HasPrefix(p.Name, of) {
			return false
		}
		for _, s := range append(append([]corev1.ContainerStatus{}, p.Status.InitContainerStatuses...), p.Status.ContainerStatuses...) {
			if s.State.Waiting != nil && s.State.Waiting.Reason == reason {
				return true
			}
		}
		return false
	}
}

// runs is a pod one of whose containers is at work.
func runs(of string) func(any) bool {
	return func(object any) bool {
		p, ok := object.(*corev1.Pod)
		return ok && strings.HasPrefix(p.Name, of) && slices.ContainsFunc(p.Status.ContainerStatuses, func(s corev1.ContainerStatus) bool { return s.State.Running != nil })
	}
}

// unschedulable is a pod that the scheduler has found no node for.
func unschedulable(of string) func(any) bool {
	return func(object any) bool {
		p, ok := object.(*corev1.Pod)
		if !ok || !strings.HasPrefix(p.Name, of) {
			return false
		}
		for _, c := range p.Status.Conditions {
			if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
				return true
			}
		}
		return false
	}
}

// either is one of several.
func either(of ...func(any) bool) func(any) bool {
	return func(object any) bool {
		for _, f := range of {
			if f(object) {
				return true
			}
		}
		return false
	}
}
