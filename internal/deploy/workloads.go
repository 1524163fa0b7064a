package deploy

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// How far a workload is, by its own status: whether its newest template is all
// that runs.

func deploymentStatus(d *appsv1.Deployment) (bool, string) {
	if d.Status.ObservedGeneration < d.Generation {
		return false, unseen
	}
	want := replicas(d.Spec.Replicas)
	st := d.Status
	switch {
	case st.UpdatedReplicas < want:
		return false, fmt.Sprintf("%d of %d pods updated", st.UpdatedReplicas, want)
	case st.Replicas > st.UpdatedReplicas:
		return false, fmt.Sprintf("%d old pods are still there", st.Replicas-st.UpdatedReplicas)
	case st.AvailableReplicas < want:
		return false, fmt.Sprintf("%d of %d pods ready", st.AvailableReplicas, want)
	}
	return true, ready(want)
}

func ready(pods int32) string {
	if pods == 1 {
		return "1 pod ready"
	}
	return fmt.Sprintf("%d pods ready", pods)
}

func statefulSetStatus(s *appsv1.StatefulSet) (bool, string) {
	if s.Status.ObservedGeneration < s.Generation {
		return false, unseen
	}
	want, st := replicas(s.Spec.Replicas), s.Status
	updated := want
	switch r := s.Spec.UpdateStrategy.RollingUpdate; {
	case s.Spec.UpdateStrategy.Type == appsv1.OnDeleteStatefulSetStrategyType:
		updated = 0 // whoever chose this deletes the old pods by hand
	case r != nil && r.Partition != nil:
		updated = max(want-*r.Partition, 0)
	}
	switch {
	case st.UpdatedReplicas < updated && st.CurrentRevision != st.UpdateRevision:
		return false, fmt.Sprintf("%d of %d pods updated", st.UpdatedReplicas, updated)
	case st.ReadyReplicas < want:
		return false, fmt.Sprintf("%d of %d pods ready", st.ReadyReplicas, want)
	}
	return true, ready(want)
}

func daemonSetStatus(d *appsv1.DaemonSet) (bool, string) {
	if d.Status.ObservedGeneration < d.Generation {
		return false, unseen
	}
	st := d.Status
	want := st.DesiredNumberScheduled
	switch {
	case d.Spec.UpdateStrategy.Type != appsv1.OnDeleteDaemonSetStrategyType && st.UpdatedNumberScheduled < want:
		return false, fmt.Sprintf("updated on %d of %d nodes", st.UpdatedNumberScheduled, want)
	case st.NumberAvailable < want:
		return false, fmt.Sprintf("ready on %d of %d nodes", st.NumberAvailable, want)
	case want == 0:
		return true, "runs on no node: no node matches it"
	}
	return true, fmt.Sprintf("ready on %d nodes", want)
}

// jobStatus also says why a job has failed.
func jobStatus(j *batchv1.Job) (done bool, text string, failed string) {
	for _, c := range j.Status.Conditions {
		if c.Status != corev1.ConditionTrue {
			continue
		}
		switch c.Type {
		case batchv1.JobComplete:
			return true, "finished", ""
		case batchv1.JobFailed:
			return false, "failed", c.Reason + ": " + c.Message
		}
	}
	if j.Spec.Suspend != nil && *j.Spec.Suspend {
		return false, "suspended", ""
	}
	want := int32(1)
	if j.Spec.Completions != nil {
		want = *j.Spec.Completions
	}
	return false, fmt.Sprintf("%d of %d runs finished, %d at work", j.Status.Succeeded, want, j.Status.Active), ""
}

func replicas(n *int32) int32 {
	if n == nil {
		return 1
	}
	return *n
}
