package deploy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gauntlet/internal/gate"
	"gauntlet/internal/kube"
	"gauntlet/internal/release"
)

func n(i int32) *int32 { return &i }

func TestDeploymentsAreDoneWhenOnlyTheNewestTemplateRuns(t *testing.T) {
	for _, tt := range []struct {
		name       string
		generation int64
		status     appsv1.DeploymentStatus
		want       int32
		done       bool
	}{
		{"done", 2, appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 2, UpdatedReplicas: 2, AvailableReplicas: 2}, 2, true},
		{"its controller has not looked", 3, appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 2, UpdatedReplicas: 2, AvailableReplicas: 2}, 2, false},
		{"not updated", 2, appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 2, UpdatedReplicas: 1, AvailableReplicas: 2}, 2, false},
		{"old pods are left", 2, appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 3, UpdatedReplicas: 2, AvailableReplicas: 2}, 2, false},
		{"not ready", 2, appsv1.DeploymentStatus{ObservedGeneration: 2, Replicas: 2, UpdatedReplicas: 2, AvailableReplicas: 1}, 2, false},
		{"none wanted", 2, appsv1.DeploymentStatus{ObservedGeneration: 2}, 0, true},
	} {
		d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Generation: tt.generation}, Spec: appsv1.DeploymentSpec{Replicas: n(tt.want)}, Status: tt.status}
		if done, text := deploymentStatus(d); done != tt.done || text == "" {
			t.Errorf("%s: %v, %q", tt.name, done, text)
		}
	}
}

func TestStatefulSetsAreDoneUpToTheirPartition(t *testing.T) {
	rolling := func(partition *int32) appsv1.StatefulSetUpdateStrategy {
		return appsv1.StatefulSetUpdateStrategy{Type: appsv1.RollingUpdateStatefulSetStrategyType,
			RollingUpdate: &appsv1.RollingUpdateStatefulSetStrategy{Partition: partition}}
	}
	for _, tt := range []struct {
		name     string
		strategy appsv1.StatefulSetUpdateStrategy
		status   appsv1.StatefulSetStatus
		done     bool
	}{
		{"done", rolling(nil), appsv1.StatefulSetStatus{UpdatedReplicas: 3, ReadyReplicas: 3, CurrentRevision: "b", UpdateRevision: "b"}, true},
		{"updating", rolling(nil), appsv1.StatefulSetStatus{UpdatedReplicas: 2, ReadyReplicas: 3, CurrentRevision: "a", UpdateRevision: "b"}, false},
		{"up to the partition", rolling(n(2)), appsv1.StatefulSetStatus{UpdatedReplicas: 1, ReadyReplicas: 3, CurrentRevision: "a", UpdateRevision: "b"}, true},
		{"not ready", rolling(nil), appsv1.StatefulSetStatus{UpdatedReplicas: 3, ReadyReplicas: 2, CurrentRevision: "b", UpdateRevision: "b"}, false},
		{"updated by hand", appsv1.StatefulSetUpdateStrategy{Type: appsv1.OnDeleteStatefulSetStrategyType},
			appsv1.StatefulSetStatus{UpdatedReplicas: 0, ReadyReplicas: 3, CurrentRevision: "a", UpdateRevision: "b"}, true},
	} {
		s := &appsv1.StatefulSet{Spec: appsv1.StatefulSetSpec{Replicas: n(3), UpdateStrategy: tt.strategy}, Status: tt.status}
		if done, text := statefulSetStatus(s); done != tt.done || text == "" {
			t.Errorf("%s: %v, %q", tt.name, done, text)
		}
	}
}

func TestDaemonSetsAreDoneOnAllTheirNodesAndSayWhenThereIsNone(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status appsv1.DaemonSetStatus
		done   bool
		says   string
	}{
		{"done", appsv1.DaemonSetStatus{DesiredNumberScheduled: 2, UpdatedNumberScheduled: 2, NumberAvailable: 2}, true, "2 nodes"},
		{"not updated", appsv1.DaemonSetStatus{DesiredNumberScheduled: 2, UpdatedNumberScheduled: 1, NumberAvailable: 2}, false, "updated on 1 of 2"},
		{"not ready", appsv1.DaemonSetStatus{DesiredNumberScheduled: 2, UpdatedNumberScheduled: 2, NumberAvailable: 1}, false, "ready on 1 of 2"},
		{"no node", appsv1.DaemonSetStatus{}, true, "no node matches"},
	} {
		if done, text := daemonSetStatus(&appsv1.DaemonSet{Status: tt.status}); done != tt.done || !strings.Contains(text, tt.says) {
			t.Errorf("%s: %v, %q", tt.name, done, text)
		}
	}
}

func TestJobsEndFinishedOrFailed(t *testing.T) {
	cond := func(c batchv1.JobConditionType) *batchv1.Job {
		return &batchv1.Job{Status: batchv1.JobStatus{Conditions: []batchv1.JobCondition{{Type: c, Status: corev1.ConditionTrue, Reason: "R", Message: "m"}}}}
	}
	if done, _, failed := jobStatus(cond(batchv1.JobComplete)); !done || failed != "" {
		t.Error("complete")
	}
	if done, _, failed := jobStatus(cond(batchv1.JobFailed)); done || failed != "R: m" {
		t.Error("failed")
	}
	if done, text, failed := jobStatus(&batchv1.Job{Status: batchv1.JobStatus{Active: 1}}); done || failed != "" || text != "0 of 1 runs finished, 1 at work" {
		t.Error(text)
	}
}

func TestProblemsEndAWaitAfterTheirGrace(t *testing.T) {
	begun := time.Now()
	at := func(s int) time.Time { return begun.Add(time.Duration(s) * time.Second) }
	one := func(p ...problem) []status { return []status{{Object: "Deployment/hub", Problems: p}} }
	since := map[string]time.Time{}

	if err := judge(one(problem{Reason: "Denied", Grace: 0, Message: "no"}), map[string]time.Time{}, begun, at(3)); err == nil {
		t.Error("a permanent problem did not end the wait")
	}
	slow := problem{Reason: "Unschedulable", Grace: 60 * time.Second, Message: "no node"}
	for _, s := range []int{0, 30, 59} {
		if err := judge(one(slow), since, begun, at(s)); err != nil {
			t.Errorf("at %d s: %v", s, err)
		}
	}
	// It went away: its clock begins anew.
	if err := judge(one(), since, begun, at(60)); err != nil {
		t.Error(err)
	}
	if err := judge(one(slow), since, begun, at(61)); err != nil {
		t.Error(err)
	}
	err := judge(one(slow), since, begun, at(121))
	var stuck *StuckError
	if !errors.As(err, &stuck) || stuck.Reason != "Unschedulable" || stuck.After != 121*time.Second || stuck.Object != "Deployment/hub" {
		t.Errorf("got %v", err)
	}
	never := problem{Reason: "Volume", Grace: forever}
	if err := judge(one(never), since, begun, at(100000)); err != nil {
		t.Errorf("a problem without an end ended the wait: %v", err)
	}
}

func TestAWaitThatRanOutSaysWhatItWaitedFor(t *testing.T) {
	why := errors.New("not done in 10m")
	last := []status{{Object: "Deployment/a", Done: true}, {Object: "Deployment/b", Text: "0 of 1 pods ready"}}
	if err := over(why, last, nil, time.Minute); !errors.Is(err, why) || !strings.Contains(err.Error(), "Deployment/b 0 of 1") || strings.Contains(err.Error(), "/a") {
		t.Errorf("got %v", err)
	}
	last[1].Problems = []problem{{Reason: "Volume", Message: "it cannot be mounted"}}
	var stuck *StuckError
	if err := over(why, last, nil, time.Minute); !errors.As(err, &stuck) || stuck.Reason != "Volume" {
		t.Errorf("got %v", err)
	}
	if err := over(why, nil, errors.New("connection refused"), time.Minute); !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("got %v", err)
	}
	if err := over(why, nil, context.DeadlineExceeded, time.Minute); !errors.Is(err, why) {
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
		{"first exit", pod(0, exited), kube.Exited, graceRestart},
		{"first back-off", pod(1, waiting("CrashLoopBackOff", "")), kube.CrashLoop, graceRestart},
		{"third exit", pod(2, exited), kube.CrashLoop, 0},
		{"third back-off", pod(2, waiting("CrashLoopBackOff", "")), kube.CrashLoop, 0},
		{"no such image", pod(0, waiting("ErrImagePull", "manifest unknown")), kube.ImageNotFound, 0},
		{"registry down", pod(0, waiting("ErrImagePull", "503 Service Unavailable")), kube.ImagePull, gracePull},
		{"slow runtime", pod(0, waiting("CreateContainerError", "context deadline exceeded")), kube.CannotStart, graceStart},
	} {
		p := podProblem(tt.pod)
		if p == nil || p.Reason != tt.reason || p.Grace != tt.grace {
			t.Errorf("%s: %+v", tt.name, p)
		}
	}
	if p := podProblem(pod(0, waiting("ContainerCreating", ""))); p != nil {
		t.Errorf("an ordinary start: %+v", p)
	}
}

func TestRefusalsOfPodsArePermanentButQuota(t *testing.T) {
	for _, tt := range []struct {
		message, reason string
		grace           time.Duration
	}{
		{`pods "x" is forbidden: exceeded quota: q`, reasonQuota, graceQuota},
		{`pods "x" is forbidden: violates PodSecurity "restricted:latest"`, kube.Rejected, 0},
		{`admission webhook "w" denied the request: no`, kube.Rejected, 0},
		{`Internal error occurred: failed calling webhook "w": connection refused`, kube.Rejected, graceRestart},
	} {
		if p := refusal(tt.message); p.Reason != tt.reason || p.Grace != tt.grace {
			t.Errorf("%s: %+v", tt.message, p)
		}
	}
}

func TestANodeThatShowsNoSignOfItsPodIsNamed(t *testing.T) {
	now := time.Now()
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p"}, Spec: corev1.PodSpec{NodeName: "n1"}, Status: corev1.PodStatus{
		Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(now.Add(-20 * time.Second))}}}}
	sick := &corev1.Node{Spec: corev1.NodeSpec{Unschedulable: true}, Status: corev1.NodeStatus{
		Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionUnknown, Message: "Kubelet stopped posting node status."}}}}
	got := silentNode(p, sick, now)
	if got == nil || !strings.Contains(got.Message, "n1") || !strings.Contains(got.Message, "Ready=Unknown") || !strings.Contains(got.Message, "cordoned") {
		t.Errorf("%+v", got)
	}
	if got := silentNode(p, nil, now.Add(-15*time.Second)); got != nil {
		t.Errorf("too early: %+v", got)
	}
	p.Status.ContainerStatuses = []corev1.ContainerStatus{{}}
	if got := silentNode(p, sick, now); got != nil {
		t.Errorf("its kubelet works on it: %+v", got)
	}
}

// rec is a Helm record's metadata, made at minute made and last written at minute
// written.
func rec(revision int, status, deployable string, markedAs, made, written int) metav1.PartialObjectMetadata {
	base := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	at := func(m int) metav1.Time { return metav1.NewTime(base.Add(time.Duration(m) * time.Minute)) }
	labels := map[string]string{"version": strconv.Itoa(revision), "status": status}
	if deployable != "" {
		labels[labelDeployable], labels[labelRelease], labels[labelRevision] = deployable, "r-"+deployable, strconv.Itoa(markedAs)
	}
	w := at(written)
	return metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
		Labels: labels, CreationTimestamp: at(made), ManagedFields: []metav1.ManagedFieldsEntry{{Time: &w}}}}
}

func TestStateIsWhatTheNewestRecordSays(t *testing.T) {
	minute := func(m int) time.Time { return time.Date(2026, 11, 1, 0, m, 0, 0, time.UTC) }
	for name, tt := range map[string]struct {
		records []metav1.PartialObjectMetadata
		want    gate.HubState
	}{
		"nothing": {nil, gate.HubState{}},
		"deployed": {[]metav1.PartialObjectMetadata{rec(1, "superseded", "a", 1, 0, 9), rec(2, "deployed", "b", 2, 10, 11)},
			gate.HubState{Deployable: "b", Release: "r-b", Revision: 2, Since: minute(11)}},
		"the same deployable again goes on": {[]metav1.PartialObjectMetadata{
			rec(12, "deployed", "b", 12, 30, 31), rec(11, "superseded", "b", 11, 20, 30), rec(10, "superseded", "a", 10, 0, 20)},
			gate.HubState{Deployable: "b", Release: "r-b", Revision: 12, Since: minute(20)}},
		"but not across a failure": {[]metav1.PartialObjectMetadata{
			rec(3, "deployed", "b", 3, 30, 31), rec(2, "failed", "c", 2, 25, 26), rec(1, "superseded", "b", 1, 0, 30)},
			gate.HubState{Deployable: "b", Release: "r-b", Revision: 3, Since: minute(31)}},
		"failed":                                {[]metav1.PartialObjectMetadata{rec(1, "deployed", "a", 1, 0, 1), rec(2, "failed", "b", 2, 10, 11)}, gate.HubState{Revision: 2}},
		"pending":                               {[]metav1.PartialObjectMetadata{rec(2, "pending-upgrade", "b", 2, 10, 10)}, gate.HubState{Revision: 2}},
		"another tool, which copied our labels": {[]metav1.PartialObjectMetadata{rec(3, "deployed", "b", 2, 10, 10)}, gate.HubState{Revision: 3, Foreign: true}},
		"another tool":                          {[]metav1.PartialObjectMetadata{rec(1, "deployed", "", 0, 10, 10)}, gate.HubState{Revision: 1, Foreign: true}},
		"uninstalled":                           {[]metav1.PartialObjectMetadata{rec(4, "uninstalled", "b", 4, 10, 10)}, gate.HubState{Revision: 4}},
	} {
		if d := cmp.Diff(tt.want, stateOf(tt.records)); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestLabelsFitAndNameTheRevision(t *testing.T) {
	r := Request{Deployable: release.DigestOf([]byte("d")), Access: release.DigestOf([]byte("a")), Release: release.DigestOf([]byte("r"))}
	l := labels(r, 7)
	for k, v := range l {
		if len(v) > 63 || len(v) == 0 {
			t.Errorf("%s=%s", k, v)
		}
	}
	if !ours(l, 7) || ours(l, 8) || ours(nil, 0) {
		t.Error("ours")
	}
}

func TestClipKeepsTheObjectAndTheCause(t *testing.T) {
	long := "the object web " + strings.Repeat("wrapping ", 100) + "the cause"
	got := clip(long)
	if !strings.HasPrefix(got, "the object web") || !strings.HasSuffix(got, "the cause") || len([]rune(got)) > 300 {
		t.Errorf("%q", got)
	}
	if clip("a\nb") != "a b" {
		t.Error(clip("a\nb"))
	}
}

func TestNoHubsIsASuiteThatFails(t *testing.T) {
	if s := RenderSuite(nil); len(s.Checks) != 0 || s.Digest == "" {
		t.Errorf("%+v", s) // the runner fails a suite without checks
	}
}

// program puts a program called sops first in the path.
func program(t *testing.T, script string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "sops"), []byte("#!/bin/sh\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

func TestDecryptGivesSopsTheCiphertextAndReadsItsValues(t *testing.T) {
	program(t, `case "$*" in *s3cret*) exit 9;; esac; test "$(cat)" = "cipher s3cret" && echo "hub: {password: plain, n: 3}"`)
	v, err := Decrypt(t.Context(), "testing.enc.yml", []byte("cipher s3cret"))
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := v.Get("hub.password"); got != "plain" {
		t.Errorf("%v", v)
	}
}

func TestDecryptFailsWithItsReasonAndWithoutValues(t *testing.T) {
	program(t, `cat >/dev/null; echo "Failed to get the data key" >&2; exit 128`)
	if _, err := Decrypt(t.Context(), "x.yml", []byte("c")); err == nil || !strings.Contains(err.Error(), "decrypt x.yml") || !strings.Contains(err.Error(), "data key") {
		t.Errorf("got %v", err)
	}
	program(t, `cat >/dev/null; echo "- topsecret"`)
	if _, err := Decrypt(t.Context(), "x.yml", []byte("c")); err == nil || strings.Contains(err.Error(), "topsecret") {
		t.Errorf("got %v", err)
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := Decrypt(t.Context(), "x.yml", []byte("c")); err == nil || !strings.Contains(err.Error(), "not installed") {
		t.Errorf("got %v", err)
	}
}

func TestForeignErrorsSayWhatToDo(t *testing.T) {
	e := ForeignError{Context: "c", Namespace: "n", ReleaseName: "r", Revision: 3, Status: "deployed"}
	if !strings.Contains(e.Error(), "--adopt") {
		t.Error(e.Error())
	}
	e.Pending = true
	if !strings.Contains(fmt.Sprint(&e), "helm --kube-context c -n n rollback r") {
		t.Error(e.Error())
	}
}
