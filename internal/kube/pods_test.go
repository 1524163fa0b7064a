package kube

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"gauntlet/internal/config"
)

func pod(change func(*corev1.PodStatus)) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "bench", Name: "p"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main"}}}}
	p.Status.Phase = corev1.PodPending
	if change != nil {
		change(&p.Status)
	}
	return p
}

func waitingFor(reason, message string) func(*corev1.PodStatus) {
	return func(s *corev1.PodStatus) {
		s.ContainerStatuses = []corev1.ContainerStatus{{Name: "main", Image: "r/x@sha256:1", State: corev1.ContainerState{
			Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}}}
	}
}

func terminated(code int32, reason string) func(*corev1.PodStatus) {
	return func(s *corev1.PodStatus) {
		s.Phase = corev1.PodFailed
		s.ContainerStatuses = []corev1.ContainerStatus{{Name: "main", State: corev1.ContainerState{
			Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Reason: reason}}}}
	}
}

func ready(s *corev1.PodStatus) {
	s.Phase = corev1.PodRunning
	s.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
}

func unschedulable(s *corev1.PodStatus) {
	s.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "0/2 nodes are available: 2 Insufficient cpu."}}
}

func TestDiagnoseNamesTheCause(t *testing.T) {
	cases := map[string]struct {
		status    func(*corev1.PodStatus)
		reason    string // "": nothing wrong
		permanent bool
		words     string
	}{
		"on its way":       {nil, "", false, ""},
		"creating":         {waitingFor("ContainerCreating", ""), "", false, ""},
		"ready":            {ready, "", false, ""},
		"no such image":    {waitingFor("ErrImagePull", `rpc error: code = NotFound desc = failed to resolve reference "r/x@sha256:1": r/x@sha256:1: not found`), ImageNotFound, true, "no image r/x@sha256:1"},
		"backing off":      {waitingFor("ImagePullBackOff", `Back-off pulling image "r/x": ErrImagePull: r/x: not found`), ImageNotFound, true, "no image"},
		"old back-off":     {waitingFor("ImagePullBackOff", `Back-off pulling image "r/x"`), ImagePull, false, "r/x"},
		"denied":           {waitingFor("ErrImagePull", "pull access denied, repository does not exist or may require authorization"), ImageDenied, true, "denies"},
		"registry is down": {waitingFor("ErrImagePull", `failed to resolve reference "r/x@sha256:1": dial tcp 10.0.0.1:5000: connect: connection refused`), ImagePull, false, "r/x@sha256:1: dial tcp"},
		"bad name":         {waitingFor("InvalidImageName", "couldn't parse image name"), ImageNotFound, true, ""},
		"missing secret":   {waitingFor("CreateContainerConfigError", `secret "x" not found`), CannotStart, true, `secret "x"`},
		"crash loop": {func(s *corev1.PodStatus) {
			waitingFor("CrashLoopBackOff", "back-off 10s")(s)
			s.ContainerStatuses[0].RestartCount = 3
			s.ContainerStatuses[0].LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ExitCode: 139}
		}, CrashLoop, true, "restarted 3 times, the last run ended with code 139 (signal 11)"},
		"exit":          {terminated(3, "Error"), Exited, true, "code 3"},
		"out of memory": {terminated(137, "OOMKilled"), OutOfMemory, true, "memory limit"},
		"no command":    {terminated(128, "StartError"), CannotStart, true, "main"},
		"evicted":       {func(s *corev1.PodStatus) { s.Phase, s.Reason, s.Message = corev1.PodFailed, "Evicted", "low on disk" }, Evicted, true, "low on disk"},
		"past its life": {func(s *corev1.PodStatus) { s.Phase, s.Reason = corev1.PodFailed, "DeadlineExceeded" }, TimedOut, true, ""},
		"rejected":      {func(s *corev1.PodStatus) { s.Phase, s.Reason = corev1.PodFailed, "NodeAffinity" }, Rejected, true, "NodeAffinity"},
		"failed":        {func(s *corev1.PodStatus) { s.Phase = corev1.PodFailed }, Exited, true, "does not say why"},
		"unschedulable": {unschedulable, Unschedulable, false, "Insufficient cpu"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := Diagnose(pod(c.status))
			switch {
			case c.reason == "" && got != nil:
				t.Errorf("got %v for a pod with nothing wrong", got)
			case c.reason != "" && (got == nil || got.Reason != c.reason || got.Permanent != c.permanent || !strings.Contains(got.Message, c.words)):
				t.Errorf("got %+v, want %s, permanent %v, %q", got, c.reason, c.permanent, c.words)
			}
		})
	}
}

// later is a client whose one pod changes after the wait for it has begun.
func later(t *testing.T, before, after *corev1.Pod) *Client {
	t.Helper()
	cs := fake.NewClientset(before)
	c := &Client{Interface: cs}
	began := make(chan struct{}, 16)
	cs.PrependWatchReactor("pods", func(a clienttesting.Action) (bool, watch.Interface, error) {
		w, err := cs.Tracker().Watch(a.GetResource(), a.GetNamespace())
		began <- struct{}{}
		return true, w, err
	})
	go func() {
		<-began
		if after == nil {
			_ = cs.CoreV1().Pods("bench").Delete(context.Background(), "p", metav1.DeleteOptions{})
			return
		}
		_, _ = cs.CoreV1().Pods("bench").UpdateStatus(context.Background(), after, metav1.UpdateOptions{})
	}()
	return c
}

// soon bounds a test: what it waits for comes at once or never.
func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestAWaitEndsWithWhatHappened(t *testing.T) {
	succeeded := func(s *corev1.PodStatus) { s.Phase = corev1.PodSucceeded }
	cases := map[string]struct {
		after  *corev1.Pod
		reason string
	}{
		"ready":            {pod(ready), ""},
		"no such image":    {pod(waitingFor("ErrImagePull", "not found")), ImageNotFound},
		"ended with error": {pod(terminated(1, "Error")), Exited},
		"ended well":       {pod(succeeded), Finished},
		"deleted":          {nil, Gone},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := later(t, pod(nil), c.after).WaitReady(soon(t), "bench", "p")
			var p *PodError
			if c.reason == "" && err != nil || c.reason != "" && (!errors.As(err, &p) || p.Reason != c.reason) {
				t.Errorf("got %v, want %q", err, c.reason)
			}
		})
	}
	t.Run("finished", func(t *testing.T) {
		if _, err := later(t, pod(ready), pod(succeeded)).WaitFinished(soon(t), "bench", "p"); err != nil {
			t.Error(err)
		}
	})
}

func TestAWaitCutShortNamesItsCause(t *testing.T) {
	for name, c := range map[string]struct {
		now    *corev1.Pod
		reason string
		words  string
	}{
		"cause that may pass": {pod(unschedulable), Unschedulable, "Insufficient cpu"},
		"no cause":            {pod(waitingFor("ContainerCreating", "")), Slow, "ContainerCreating"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
			defer cancel()
			_, err := (&Client{Interface: fake.NewClientset(c.now)}).WaitReady(ctx, "bench", "p")
			var p *PodError
			if !errors.As(err, &p) || p.Reason != c.reason || !strings.Contains(p.Message, c.words) {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("deleted by whoever gave up on it", func(t *testing.T) {
		var told []string
		cs := fake.NewClientset(pod(unschedulable))
		began := make(chan struct{}, 16)
		cs.PrependWatchReactor("pods", func(a clienttesting.Action) (bool, watch.Interface, error) {
			w, err := cs.Tracker().Watch(a.GetResource(), a.GetNamespace())
			began <- struct{}{}
			return true, w, err
		})
		_, err := (&Client{Interface: cs}).WaitReadyTelling(soon(t), "bench", "p", func(p *PodError) {
			told = append(told, p.Reason)
			<-began
			_ = cs.CoreV1().Pods("bench").Delete(context.Background(), "p", metav1.DeleteOptions{})
		})
		var p *PodError
		if !errors.As(err, &p) || p.Reason != Unschedulable || !strings.Contains(p.Message, "deleted") {
			t.Errorf("got %v", err)
		}
		if len(told) != 1 || told[0] != Unschedulable {
			t.Errorf("told %q", told)
		}
	})
	t.Run("no pod", func(t *testing.T) {
		_, err := (&Client{Interface: fake.NewClientset()}).WaitReady(soon(t), "bench", "p")
		var p *PodError
		if !errors.As(err, &p) || p.Reason != Gone {
			t.Errorf("got %v", err)
		}
	})
}

func TestAPodThatNoSchedulerLooksAtIsToldOfWhileItIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pod(nil)
		p.Spec.SchedulerName = "hub-user-scheduler"
		begun, named := time.Now(), time.Duration(0)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := (&Client{Interface: fake.NewClientset(p)}).WaitReadyTelling(ctx, "bench", "p", func(why *PodError) { named = time.Since(begun) })
		var why *PodError
		if !errors.As(err, &why) || why.Reason != Unscheduled || !strings.Contains(why.Message, "not ready after 1m0s: scheduler hub-user-scheduler has not looked at it") {
			t.Errorf("got %v", err)
		}
		if named == 0 || named > 15*time.Second {
			t.Errorf("named after %s", named)
		}
	})
}

func TestAPodWhoseSandboxCannotBeMadeIsToldOfWhileItIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pod(nil)
		p.Spec.NodeName = "node-1"
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionTrue}}
		event := &corev1.Event{
			ObjectMeta:     metav1.ObjectMeta{Name: "p.1", Namespace: "bench"},
			InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: "bench", Name: "p"},
			Reason:         "FailedCreatePodSandBox", Message: `failed to get sandbox image "pause:3.10"`,
			LastTimestamp: metav1.Now(),
		}
		begun, named := time.Now(), time.Duration(0)
		_, err := (&Client{Interface: fake.NewClientset(p, event)}).WaitReadyTelling(t.Context(), "bench", "p", func(*PodError) { named = time.Since(begun) })
		var why *PodError
		if !errors.As(err, &why) || why.Reason != Sandbox || !strings.Contains(why.Message, `failed to get sandbox image "pause:3.10"`) {
			t.Errorf("got %v", err)
		}
		if named == 0 || named > 15*time.Second {
			t.Errorf("named after %s", named)
		}
	})
}

func TestWhatAdmissionRefusesIsRejected(t *testing.T) {
	cs := fake.NewClientset()
	cs.PrependReactor("create", "pods", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "p", errors.New("exceeded quota: small"))
	})
	_, err := (&Client{Interface: cs}).CreatePod(soon(t), pod(nil))
	var p *PodError
	if !errors.As(err, &p) || p.Reason != Rejected || !p.Permanent || !strings.Contains(p.Message, "exceeded quota") {
		t.Errorf("got %v", err)
	}
}

func TestDeletingWhatIsNotThereIsNoError(t *testing.T) {
	if err := (&Client{Interface: fake.NewClientset()}).DeletePod(soon(t), "bench", "p"); err != nil {
		t.Error(err)
	}
	if err := (&Client{Interface: fake.NewClientset(pod(nil))}).DeletePod(soon(t), "bench", "p"); err != nil {
		t.Error(err)
	}
}

func TestAWorkbenchRefusesSettingsKubernetesDoesNotKnow(t *testing.T) {
	c := &Client{Interface: fake.NewClientset()}
	ok := config.Workbench{Namespace: "bench", Tolerations: []map[string]any{{"key": "dask", "operator": "Exists"}}, SecurityContext: map[string]any{"runAsNonRoot": true}}
	w, err := NewWorkbench(c, ok)
	if err != nil {
		t.Fatal(err)
	}
	p := w.Pod(Job{Name: "image-x", Image: "r/x"})
	if p.Spec.Tolerations[0].Key != "dask" || !*p.Spec.SecurityContext.RunAsNonRoot {
		t.Errorf("the pod lacks its settings: %+v", p.Spec)
	}
	if p.Labels[ManagedByLabel] != ManagedBy || p.Labels[RunLabel] != w.Run.ID || p.Spec.ActiveDeadlineSeconds == nil {
		t.Errorf("a pod that nobody would find again, or that never ends: %+v", p)
	}
	for _, bad := range []config.Workbench{
		{Tolerations: []map[string]any{{"ky": "x"}}}, {SecurityContext: map[string]any{"runAsNonRoot": "yes"}},
	} {
		if _, err := NewWorkbench(c, bad); err == nil || !strings.Contains(err.Error(), "gauntlet.yaml") {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

func TestOnlyRunsThatShowNoLifeAreDead(t *testing.T) {
	at := time.Now()
	old := at.Add(-time.Second)
	before := beats{at: at, runs: map[string]beat{"still": {"l", old}, "moved": {"m", old}}}
	now := beats{at: at.Add(beatLost), runs: map[string]beat{"still": {"l", old}, "moved": {"m", at}, "new": {"n", at}}}
	for run, want := range map[string]bool{"still": true, "moved": false, "new": false, "without a lease": true} {
		if got := now.dead(run, before); got != want {
			t.Errorf("%s: dead is %v", run, got)
		}
	}
	early := now
	early.at = at.Add(beatLost / 2)
	if early.dead("still", before) || !early.silent(before) || now.silent(before) {
		t.Error("a run that was silent for a short while must be waited for, and not for longer than it takes")
	}
}

func TestAWorkbenchSweepsWhatDeadRunsLeft(t *testing.T) {
	ctx := soon(t)
	old := pod(nil)
	old.Labels = map[string]string{ManagedByLabel: ManagedBy, RunLabel: "killed"}
	foreign := pod(nil)
	foreign.Name = "somebody-elses"
	sa := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: "bench", Name: "default"}}
	cs := fake.NewClientset(old, foreign, sa)
	w, err := OpenWorkbench(ctx, &Client{Interface: cs}, config.Workbench{Namespace: "bench"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Client.CreatePod(ctx, w.Pod(Job{Name: "mine"})); err != nil {
		t.Fatal(err)
	}
	// Another run, alive, with a pod.
	other, err := OpenWorkbench(ctx, w.Client, config.Workbench{Namespace: "bench"})
	if err != nil {
		t.Fatal(err)
	}
	others := other.Pod(Job{Name: "others"})
	others.CreationTimestamp = metav1.Now() // which the API server would set
	if _, err := w.Client.CreatePod(ctx, others); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(ctx); err != nil {
		t.Fatal(err)
	}
	left, err := cs.CoreV1().Pods("bench").List(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range left.Items {
		names = append(names, p.Name)
	}
	if len(names) != 2 || !strings.HasPrefix(names[0], "others-") || names[1] != "somebody-elses" {
		t.Errorf("left: %v", names)
	}
	if err := other.Close(ctx); err != nil {
		t.Fatal(err)
	}
	leases, err := cs.CoordinationV1().Leases("bench").List(ctx, metav1.ListOptions{})
	if err != nil || len(leases.Items) != 0 {
		t.Errorf("leases left: %v %v", leases.Items, err)
	}
}
