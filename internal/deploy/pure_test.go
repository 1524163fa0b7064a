package deploy

import (
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
	got := clip(errors.New(long))
	if !strings.HasPrefix(got, "the object web") || !strings.HasSuffix(got, "the cause") || len([]rune(got)) > 300 {
		t.Errorf("%q", got)
	}
	if got := clip(errors.New("a\nb")); got != "a b" {
		t.Error(got)
	}
}

func TestOfSeveralRefusalsEachIsTold(t *testing.T) {
	var all error
	for i := range 7 { // as Helm joins them
		all = errors.Join(all, fmt.Errorf("object %d: %s%w", i, strings.Repeat("x ", 200), fmt.Errorf("cause %d", i)))
	}
	got := clip(fmt.Errorf("the API server refuses it: %w", all))
	for _, want := range []string{"the API server refuses it: object 0", "cause 0;", "object 4", "cause 4", "and 2 more"} {
		if !strings.Contains(got, want) {
			t.Errorf("it does not say %q: %s", want, got)
		}
	}
	if strings.Contains(got, "object 5") {
		t.Errorf("it says more than can be read: %s", got)
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
	if !strings.Contains(fmt.Sprint(&e), "`gauntlet unstick`") {
		t.Error(e.Error())
	}
}
