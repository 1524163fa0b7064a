package kube

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	toolswatch "k8s.io/client-go/tools/watch"
)

// logLines is how much of a log is searched for a cause: a Python traceback with
// its chain of causes fits.
const logLines = 150

// aside bounds what is asked on the side to explain a failure.
const aside = 10 * time.Second

// EnsureNamespace creates a namespace when it is missing, and returns when pods
// can be made in it: its default service account exists.
func (c *Client) EnsureNamespace(ctx context.Context, name string) error {
	_, err := c.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{ManagedByLabel: ManagedBy}}}
		_, err = c.CoreV1().Namespaces().Create(ctx, ns, metav1.CreateOptions{})
		if apierrors.IsAlreadyExists(err) {
			err = nil
		}
	}
	if err != nil {
		return fmt.Errorf("make sure of namespace %s in context %s: %w", name, c.Context, err)
	}
	lw := &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (rt, error) {
			o.FieldSelector = fields.OneTermEqualSelector("metadata.name", "default").String()
			return c.CoreV1().ServiceAccounts(name).List(ctx, o)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.FieldSelector = fields.OneTermEqualSelector("metadata.name", "default").String()
			return c.CoreV1().ServiceAccounts(name).Watch(ctx, o)
		},
	}
	_, err = toolswatch.UntilWithSync(ctx, lw, &corev1.ServiceAccount{}, nil, func(e watch.Event) (bool, error) {
		return e.Type == watch.Added || e.Type == watch.Modified, nil
	})
	if err != nil {
		return fmt.Errorf("wait for the default service account of namespace %s: %w", name, cause(ctx, err))
	}
	return nil
}

// CreatePod creates a pod. What admission or a quota refuses comes back as a
// *PodError with reason Rejected.
func (c *Client) CreatePod(ctx context.Context, pod *corev1.Pod) (*corev1.Pod, error) {
	made, err := c.CoreV1().Pods(pod.Namespace).Create(ctx, pod, metav1.CreateOptions{})
	if apierrors.IsForbidden(err) || apierrors.IsInvalid(err) {
		return nil, &PodError{Pod: pod.Name, Reason: Rejected, Message: OneLine(err.Error()), Permanent: true}
	}
	if err != nil {
		return nil, fmt.Errorf("create pod %s: %w", pod.Name, err)
	}
	return made, nil
}

// WaitReady waits until a pod is ready (without a readiness probe: running). It
// ends with a *PodError as soon as a permanent cause shows, when a passing one
// lasts too long (a failing pull 90 s, no node 5 min), and when ctx ends: then
// with what the pod was still waiting for.
func (c *Client) WaitReady(ctx context.Context, namespace, name string) (*corev1.Pod, error) {
	return c.WaitReadyTelling(ctx, namespace, name, nil)
}

// WaitReadyTelling is WaitReady that tells, each time it changes, what keeps the pod from
// running and may pass by itself.
func (c *Client) WaitReadyTelling(ctx context.Context, namespace, name string, tell func(*PodError)) (*corev1.Pod, error) {
	return c.waitPod(ctx, namespace, name, "ready", tell, func(pod *corev1.Pod) (bool, error) {
		if pod.Status.Phase == corev1.PodSucceeded {
			return false, &PodError{Pod: name, Reason: Finished, Message: "it ended with code zero while it should keep running", Permanent: true}
		}
		for _, cond := range pod.Status.Conditions {
			if cond.Type == corev1.PodReady && cond.Status == corev1.ConditionTrue {
				return true, nil
			}
		}
		return false, nil
	})
}

// WaitAddress waits until a pod has an address in the cluster's network, which it has
// before its containers run; it ends as WaitReady.
func (c *Client) WaitAddress(ctx context.Context, namespace, name string) (*corev1.Pod, error) {
	return c.waitPod(ctx, namespace, name, "given an address", nil, func(pod *corev1.Pod) (bool, error) {
		return pod.Status.PodIP != "", nil
	})
}

// WaitFinished waits until a pod has ended: nil when all its containers ended
// with code zero, else a *PodError as for WaitReady.
func (c *Client) WaitFinished(ctx context.Context, namespace, name string) (*corev1.Pod, error) {
	return c.waitPod(ctx, namespace, name, "finished", nil, func(pod *corev1.Pod) (bool, error) {
		return pod.Status.Phase == corev1.PodSucceeded, nil
	})
}

// explain adds to a failed container's cause what its log said last.
func (c *Client) explain(ctx context.Context, namespace string, pod *corev1.Pod, err error) error {
	var p *PodError
	if pod == nil || !errors.As(err, &p) || (p.Reason != Exited && p.Reason != CrashLoop && p.Reason != Finished) {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), aside)
	defer cancel()
	container := failedContainer(pod)
	log, logErr := c.Logs(ctx, namespace, pod.Name, container, logLines)
	if p.Reason == CrashLoop {
		if old, err := c.previousLogs(ctx, namespace, pod.Name, container, logLines); err == nil && old != "" {
			log, logErr = old, nil
		}
	}
	if line := Salient(log); logErr == nil && line != "" {
		q := *p
		q.Message += "; its log: " + line
		return &q
	}
	return err
}

func failedContainer(pod *corev1.Pod) string {
	for _, list := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
		for _, s := range list {
			if t := s.State.Terminated; t != nil && t.ExitCode != 0 {
				return s.Name
			}
			if s.State.Waiting != nil && s.RestartCount > 0 {
				return s.Name
			}
		}
	}
	if len(pod.Spec.Containers) > 0 {
		return pod.Spec.Containers[0].Name
	}
	return ""
}

// slow names what a pod without a known cause was doing: its containers' state
// and the newest warning about it.
func (c *Client) slow(ctx context.Context, namespace, name string, pod *corev1.Pod) *PodError {
	p := &PodError{Pod: name, Reason: Slow, Message: "it was never seen"}
	if pod != nil {
		p.Message = "it is " + string(pod.Status.Phase)
		for _, s := range pod.Status.ContainerStatuses {
			switch {
			case s.State.Waiting != nil:
				p.Message = s.State.Waiting.Reason
			case s.State.Running != nil && !s.Ready:
				p.Message = "container " + s.Name + " runs but does not pass its readiness probe"
			}
		}
	}
	if events := c.podEvents(context.WithoutCancel(ctx), namespace, name); len(events) > 0 {
		newest := events[len(events)-1]
		p.Message += fmt.Sprintf("; last event: %s: %s", newest.Reason, newest.Message)
	}
	return p
}

// podEvents are the events of a pod, the oldest first; none when they cannot be read.
func (c *Client) podEvents(ctx context.Context, namespace, name string) []*corev1.Event {
	ctx, cancel := context.WithTimeout(ctx, aside)
	defer cancel()
	list, err := c.CoreV1().Events(namespace).List(ctx, metav1.ListOptions{
		FieldSelector: fields.Set{"involvedObject.name": name, "involvedObject.kind": "Pod"}.String(),
	})
	if err != nil {
		return nil
	}
	var events []*corev1.Event
	for i := range list.Items {
		events = append(events, &list.Items[i])
	}
	sortEvents(events)
	return events
}

// onePod lists and watches one pod.
func (c *Client) onePod(namespace, name string) *cache.ListWatch {
	one := fields.OneTermEqualSelector("metadata.name", name).String()
	return &cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (rt, error) {
			o.FieldSelector = one
			return c.CoreV1().Pods(namespace).List(ctx, o)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.FieldSelector = one
			return c.CoreV1().Pods(namespace).Watch(ctx, o)
		},
	}
}

// DeletePod deletes a pod and waits until it is gone. A pod that is not there is
// no error.
func (c *Client) DeletePod(ctx context.Context, namespace, name string) error {
	// Containers of ours hold nothing worth a long goodbye.
	grace := int64(1)
	err := c.CoreV1().Pods(namespace).Delete(ctx, name, metav1.DeleteOptions{GracePeriodSeconds: &grace})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("delete pod %s: %w", name, err)
	}
	_, err = toolswatch.UntilWithSync(ctx, c.onePod(namespace, name), &corev1.Pod{}, func(store cache.Store) (bool, error) {
		_, found, err := store.GetByKey(namespace + "/" + name)
		return !found, err
	}, func(e watch.Event) (bool, error) {
		pod, ok := e.Object.(*corev1.Pod)
		return ok && pod.Name == name && e.Type == watch.Deleted, nil
	})
	if err != nil {
		return fmt.Errorf("wait until pod %s is gone: %w", name, cause(ctx, err))
	}
	return nil
}

// cause prefers why ctx ended to what a wait says when it was interrupted.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// LastWords is the line of a container's log that most likely says why it ended or
// what it waits for: of the run before, when it was started again. "" when it has
// written nothing.
func (c *Client) LastWords(ctx context.Context, namespace, pod, container string) (string, error) {
	log, err := c.previousLogs(ctx, namespace, pod, container, logLines)
	if line := Salient(log); err == nil && line != "" {
		return line, nil
	}
	log, err = c.Logs(ctx, namespace, pod, container, logLines)
	return Salient(log), err
}
