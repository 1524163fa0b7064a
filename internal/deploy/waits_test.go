package deploy

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gauntlet/internal/config"
	"gauntlet/internal/kube"
)

var graces = config.Graces{}.OrDefault()

func trouble(reason, message string, grace time.Duration) problem {
	return problem{Cause: kube.Cause{Object: "Pod/p", Reason: reason, Message: message}, Grace: grace}
}

func TestProblemsEndAWaitAfterTheirGrace(t *testing.T) {
	begun := time.Now()
	at := func(s int) time.Time { return begun.Add(time.Duration(s) * time.Second) }
	one := func(p ...problem) []status { return []status{{Object: "Deployment/hub", Problems: p}} }
	try := func(tr troubles, all []status, s int) error {
		tr.see(all, at(s))
		return tr.judge(begun, at(s))
	}

	if err := try(troubles{}, one(trouble("Denied", "no", 0)), 3); err == nil {
		t.Error("a permanent problem did not end the wait")
	}
	tr, slow := troubles{}, trouble("Unschedulable", "no node", 60*time.Second)
	for _, s := range []int{0, 30, 45, 59} {
		if err := try(tr, one(slow), s); err != nil {
			t.Errorf("at %d s: %v", s, err)
		}
	}
	// Gone for a moment its clock goes on, gone for longer it begins anew.
	if err := try(tr, one(), 59); err != nil {
		t.Error(err)
	}
	if err := try(tr, one(slow), 61); err == nil {
		t.Error("a problem that was out of sight for a moment began anew")
	}
	tr = troubles{}
	for _, s := range []int{0, 20} {
		_ = try(tr, one(slow), s)
	}
	_ = try(tr, one(), 40)
	if err := try(tr, one(slow), 70); err != nil {
		t.Errorf("a problem that was over: %v", err)
	}
	err := try(tr, one(trouble("Other", "less", forever), slow), 131)
	var stuck *StuckError
	if !errors.As(err, &stuck) || stuck.Reason != "Unschedulable" || stuck.After != 131*time.Second || stuck.Object != "Deployment/hub" {
		t.Fatalf("got %v", err)
	}
	if len(stuck.Causes) != 2 || stuck.Causes[0].Reason != "Unschedulable" || stuck.Causes[1].Reason != "Other" || !strings.Contains(err.Error(), "beside it, Deployment/hub: Other: less") {
		t.Errorf("not all causes are told: %v", err)
	}
	if err := try(troubles{}, one(trouble("Volume", "", forever)), 100000); err != nil {
		t.Errorf("a problem without an end ended the wait: %v", err)
	}
}

func TestTimeInWhichNobodyLookedCountsForNoProblem(t *testing.T) {
	begun := time.Now()
	tr, bad := troubles{}, []status{{Object: "Deployment/hub", Problems: []problem{trouble("Unschedulable", "no node", 60*time.Second)}}}
	tr.see(bad, begun)
	tr.skip(90 * time.Second)
	for _, s := range []int{91, 149, 151} {
		ends, now := s > 150, begun.Add(time.Duration(s)*time.Second)
		if fresh, over := tr.see(bad, now); len(fresh)+len(over) > 0 {
			t.Errorf("after %d s it is new or over", s)
		}
		if err := tr.judge(begun, now); (err != nil) != ends {
			t.Errorf("after %d s: %v", s, err)
		}
	}
}

func TestWhatIsWrongIsNewOnceAndOverOnce(t *testing.T) {
	tr, now := troubles{}, time.Now()
	bad := []status{{Object: "Deployment/hub", Problems: []problem{trouble("Volume", "x", forever)}}}
	if fresh, over := tr.see(bad, now); len(fresh) != 1 || len(over) != 0 {
		t.Errorf("%d new, %d over", len(fresh), len(over))
	}
	if fresh, over := tr.see(bad, now.Add(time.Second)); len(fresh) != 0 || len(over) != 0 {
		t.Errorf("%d new, %d over", len(fresh), len(over))
	}
	if fresh, over := tr.see([]status{{Object: "Deployment/hub", Done: true}}, now.Add(2*time.Second)); len(fresh) != 0 || len(over) != 1 {
		t.Errorf("%d new, %d over", len(fresh), len(over))
	}
}

func TestManyPodsWithOneTroubleAreOneProblem(t *testing.T) {
	var all []problem
	for _, name := range []string{"a", "b", "c"} {
		p := trouble("ImagePull", "pod "+name+": 503", time.Minute)
		p.Object = "Pod/" + name
		all = append(all, p)
	}
	all = append(all, trouble("Volume", "other", forever))
	got := group(all)
	if len(got) != 2 || got[0].Message != "pod a: 503 (and 2 more like it: Pod/b, Pod/c)" || got[1].Message != "other" {
		t.Errorf("%+v", got)
	}
}

func TestAWaitThatRanOutSaysWhatItWaitedFor(t *testing.T) {
	why, now := errors.New("not done in 10m"), time.Now()
	last := []status{{Object: "Deployment/a", Done: true}, {Object: "Deployment/b", Text: "0 of 1 pods ready"}}
	if err := over(why, last, troubles{}, now, nil, time.Minute); !errors.Is(err, why) || !strings.Contains(err.Error(), "Deployment/b 0 of 1") || strings.Contains(err.Error(), "/a") {
		t.Errorf("got %v", err)
	}
	last[1].Problems = []problem{trouble("Volume", "it cannot be mounted", forever)}
	tr := troubles{}
	tr.see(last, now)
	var stuck *StuckError
	if err := over(why, last, tr, now, nil, time.Minute); !errors.As(err, &stuck) || stuck.Reason != "Volume" || !strings.Contains(err.Error(), "not done in 10m") {
		t.Errorf("got %v", err)
	}
	if err := over(why, nil, nil, now, errors.New("connection refused"), time.Minute); !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("got %v", err)
	}
	if err := over(why, nil, nil, now, context.DeadlineExceeded, time.Minute); !errors.Is(err, why) {
		t.Errorf("got %v", err)
	}
}

func pod(restarts int32, state corev1.ContainerState) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Status: corev1.PodStatus{
		Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{{Name: "c", RestartCount: restarts, State: state}}}}
}

func TestOneRestartIsAnAccidentAndThreeAreACrashLoop(t *testing.T) {
	waiting := func(reason, message string) corev1.ContainerState {
		return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
	}
	exited := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 3}}
	for _, tt := range []struct {
		name   string
		pod    *corev1.Pod
		reason string
		grace  time.Duration
	}{
		{"first exit", pod(0, exited), kube.Exited, graces.Restart},
		{"first back-off", pod(1, waiting("CrashLoopBackOff", "")), kube.CrashLoop, graces.Restart},
		{"third exit", pod(2, exited), kube.CrashLoop, 0},
		{"third back-off", pod(2, waiting("CrashLoopBackOff", "")), kube.CrashLoop, 0},
		{"no such image", pod(0, waiting("ErrImagePull", "manifest unknown")), kube.ImageNotFound, 0},
		{"registry denies", pod(0, waiting("ErrImagePull", "403 Forbidden")), kube.ImageDenied, 0},
		{"registry down", pod(0, waiting("ErrImagePull", "503 Service Unavailable")), kube.ImagePull, graces.ImagePull},
		{"full disk", pod(0, waiting("ErrImagePull", "write /x: no space left on device")), kube.DiskFull, graces.DiskFull},
		{"slow runtime", pod(0, waiting("CreateContainerError", "context deadline exceeded")), kube.CannotStart, graces.Start},
	} {
		c := kube.PodCause(tt.pod, nil, time.Now())
		if c == nil {
			t.Errorf("%s: no cause", tt.name)
			continue
		}
		if p := podProblem(tt.pod, c, graces); p.Reason != tt.reason || p.Grace != tt.grace {
			t.Errorf("%s: %+v", tt.name, p)
		}
	}
	if c := kube.PodCause(pod(0, waiting("ContainerCreating", "")), nil, time.Now()); c != nil {
		t.Errorf("an ordinary start: %+v", c)
	}
}

func TestEachCauseIsWaitedForAsItsKindAsks(t *testing.T) {
	for reason, want := range map[string]time.Duration{
		kube.Unschedulable: 5 * time.Minute, kube.ScalingUp: 10 * time.Minute, kube.NoScaleUp: time.Minute,
		kube.Volume: 7 * time.Minute, kube.Claim: 2 * time.Minute, kube.ProbeFails: 10 * time.Minute,
		kube.NodeSilent: 7 * time.Minute, kube.NotStarted: 7 * time.Minute, kube.Evicted: 2 * time.Minute,
		kube.Quota: 15 * time.Second, kube.WebhookDown: 2 * time.Minute, kube.NoNode: forever, kube.HookWaits: forever,
	} {
		if got := graceOf(&kube.Cause{Reason: reason}, graces); got != want {
			t.Errorf("%s: %s, not %s", reason, got, want)
		}
	}
}

func TestRefusalsOfPodsArePermanentButQuotaAndAWebhookThatIsDown(t *testing.T) {
	for _, tt := range []struct {
		message, reason string
		grace           time.Duration
	}{
		{`pods "x" is forbidden: exceeded quota: q`, kube.Quota, graces.Quota},
		{`pods "x" is forbidden: violates PodSecurity "restricted:latest"`, kube.Rejected, 0},
		{`pods "x" is forbidden: maximum cpu usage per Container is 1, but limit is 2`, kube.LimitRange, 0},
		{`admission webhook "w" denied the request: no`, kube.Rejected, 0},
		{`Internal error occurred: failed calling webhook "w": connection refused`, kube.WebhookDown, graces.Webhook},
		{`Internal error occurred: etcd is away`, kube.Rejected, graces.Restart},
	} {
		if p := refusal("Deployment/x", tt.message, graces); p.Reason != tt.reason || p.Grace != tt.grace {
			t.Errorf("%s: %+v", tt.message, p)
		}
	}
}
