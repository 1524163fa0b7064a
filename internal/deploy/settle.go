package deploy

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
)

// steady is how many times the settle time a container must run that was restarted
// during the rollout: it may end again.
const steady = 3

// settling watches containers that nothing else vouches for. One without a readiness
// probe is "ready" from its start, also one that will crash.
type settling struct {
	settle  time.Duration
	running map[string]time.Time // container id to when it was first seen to run
	known   map[runKey]int32     // restarts of the containers that were there at the beginning
	proven  []proven             // containers that ran before the rollout
}

type runKey struct {
	pod       types.UID
	container string
}

// proven is a container that has run for long without ending.
type proven struct {
	workload  string
	container corev1.Container
}

// begin notes what ran before anything was changed.
func (s *settling) begin(workload string, pods []*corev1.Pod, now time.Time) {
	for _, pod := range pods {
		for _, c := range pod.Status.ContainerStatuses {
			s.known[runKey{pod.UID, c.Name}] = c.RestartCount
			if r := c.State.Running; r == nil || now.Sub(r.StartedAt.Time) < s.settle || c.RestartCount > 0 {
				continue
			}
			for _, spec := range pod.Spec.Containers {
				if spec.Name == c.Name && standsAlone(pod, spec) {
					s.proven = append(s.proven, proven{workload, bare(spec)})
				}
			}
		}
	}
}

// unsettled says what must still be watched for a moment, and until when; "" when
// nothing must. now is the time by the API server.
func (s *settling) unsettled(workload string, pods []*corev1.Pod, now time.Time) (string, time.Time) {
	for _, pod := range pods {
		specs := map[string]corev1.Container{}
		for _, c := range pod.Spec.Containers {
			specs[c.Name] = c
		}
		for _, c := range pod.Status.ContainerStatuses {
			r := c.State.Running
			if r == nil {
				continue
			}
			need, why := time.Duration(0), ""
			switch again := c.RestartCount > s.known[runKey{pod.UID, c.Name}]; {
			case again:
				need, why = steady*s.settle, fmt.Sprintf("was restarted (%d times): it must run for %s", c.RestartCount, steady*s.settle)
			case specs[c.Name].ReadinessProbe == nil && !s.isProven(workload, specs[c.Name]):
				need, why = s.settle, fmt.Sprintf("has no readiness probe: it must run for %s", s.settle)
			}
			first, seen := s.running[c.ContainerID]
			if !seen {
				first = now
				s.running[c.ContainerID] = now
			}
			// Long up by its own clock: no skew of clocks explains that.
			if end := first.Add(need); now.Before(end) && now.Sub(r.StartedAt.Time) < need+time.Minute {
				return fmt.Sprintf("container %s of pod %s %s", c.Name, pod.Name, why), end
			}
		}
	}
	return "", time.Time{}
}

// isProven says whether the very same container ran before the rollout: starting it
// once more proves nothing new.
func (s *settling) isProven(workload string, c corev1.Container) bool {
	for _, p := range s.proven {
		if p.workload == workload && equality.Semantic.DeepEqual(p.container, bare(c)) {
			return true
		}
	}
	return false
}

// serviceAccountMount begins the name of a volume that every pod gets anew.
const serviceAccountMount = "kube-api-access-"

// bare is a container without what differs from pod to pod.
func bare(c corev1.Container) corev1.Container {
	var mounts []corev1.VolumeMount
	for _, m := range c.VolumeMounts {
		if !strings.HasPrefix(m.Name, serviceAccountMount) {
			mounts = append(mounts, m)
		}
	}
	c.VolumeMounts = mounts
	return c
}

// standsAlone says that all that makes a container what it is stands in its own
// specification: nothing of a ConfigMap or a Secret, which may have changed.
func standsAlone(pod *corev1.Pod, c corev1.Container) bool {
	if len(c.EnvFrom) > 0 {
		return false
	}
	for _, e := range c.Env {
		if f := e.ValueFrom; f != nil && (f.ConfigMapKeyRef != nil || f.SecretKeyRef != nil) {
			return false
		}
	}
	for _, m := range bare(c).VolumeMounts {
		for _, v := range pod.Spec.Volumes {
			if v.Name == m.Name && (v.ConfigMap != nil || v.Secret != nil || v.Projected != nil) {
				return false
			}
		}
	}
	return true
}
