package suites

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gauntlet/internal/dask"
	"gauntlet/internal/kube"
)

// The successor of a preempted worker ends with "name taken" until the scheduler has
// noticed that the other is gone.
func TestAWorkerThatEndsMayComeBackOnlyAfterAPreemption(t *testing.T) {
	for _, tt := range []struct {
		name   string
		part   dask.Component
		policy corev1.RestartPolicy
		thrown []string
		since  time.Duration
		fails  bool
	}{
		{"nothing was preempted", dask.Worker, corev1.RestartPolicyAlways, nil, 0, true},
		{"the successor of a preempted worker", dask.Worker, corev1.RestartPolicyAlways, []string{"w"}, 0, false},
		{"one that does not come back", dask.Worker, corev1.RestartPolicyAlways, []string{"w"}, kube.Grace(kube.Exited) + time.Second, true},
		{"one that nobody starts again", dask.Worker, corev1.RestartPolicyNever, []string{"w"}, 0, true},
		{"the scheduler", dask.Scheduler, corev1.RestartPolicyAlways, []string{"w"}, 0, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			pod := &corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{Name: "p", Labels: map[string]string{"dask.org/cluster-name": "c", "dask.org/component": string(tt.part)}},
				Spec:       corev1.PodSpec{RestartPolicy: tt.policy},
				Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{Name: "dask-worker",
					State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1, Message: "name taken"}}}}},
			}
			s := &scaling{probe: newProbe(HubTarget{}), cluster: &dask.Cluster{Name: "c"}, thrown: tt.thrown}
			since := map[string]time.Time{"p " + kube.Exited: time.Now().Add(-tt.since)}
			if _, why := s.stuck(&kube.Snapshot{Pods: []*corev1.Pod{pod}}, []*corev1.Pod{pod}, since); (why != nil) != tt.fails {
				t.Errorf("got %+v", why)
			}
		})
	}
}
