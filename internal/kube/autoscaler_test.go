package kube

import (
	"strings"
	"testing"
	"time"
)

const newStatus = `time: 2026-11-01 11:59:30.546750398 +0000 UTC
autoscalerStatus: Running
clusterWide:
  health:
    status: Healthy
    nodeCounts: {registered: {total: 5, ready: 4, notStarted: 1}}
  scaleUp:
    status: InProgress
  scaleDown: {status: NoCandidates}
nodeGroups:
- name: user
  health: {status: Healthy, cloudProviderTarget: 3, minSize: 0, maxSize: 3}
  scaleUp: {status: NoActivity}
- name: dask
  health: {status: Healthy, cloudProviderTarget: 1, minSize: 0, maxSize: 100}
  scaleUp:
    status: Backoff
    backoffInfo: {errorCode: QUOTA_EXCEEDED, errorMessage: "Instance quota used up"}
`

const oldStatus = `Cluster-autoscaler status at 2026-11-01 11:59:30.123456789 +0000 UTC:
Cluster-wide:
  Health:      Healthy (ready=4 unready=0 notStarted=0 longNotStarted=0 registered=4 longUnregistered=0)
               LastProbeTime:      2026-11-01 11:59:29.98 +0000 UTC m=+4352.7
  ScaleUp:     NoActivity (ready=4 registered=4)
  ScaleDown:   NoCandidates (candidates=0)

NodeGroups:
  Name:        user
  Health:      Healthy (ready=3 unready=0 registered=3 longUnregistered=0 cloudProviderTarget=3 (minSize=0, maxSize=3))
  ScaleUp:     NoActivity (ready=3 cloudProviderTarget=3)
  Name:        dask
  Health:      Unhealthy (ready=1 cloudProviderTarget=1 (minSize=0, maxSize=100))
  ScaleUp:     Backoff (ready=1 cloudProviderTarget=1)
`

func TestTheAutoscalersStatusIsReadInBothForms(t *testing.T) {
	for form, tt := range map[string]struct {
		status string
		adding bool
		says   []string
	}{
		"YAML": {newStatus, true, []string{"brings nodes", "user has all of its 3 nodes", "dask: Backoff: QUOTA_EXCEEDED Instance quota used up"}},
		"text": {oldStatus, false, []string{"healthy and brings no nodes", "user has all of its 3 nodes", "dask: Backoff"}},
	} {
		a, err := ReadAutoscaler(tt.status)
		if err != nil {
			t.Errorf("%s: %v", form, err)
			continue
		}
		if a.Adding != tt.adding || len(a.Groups) != 2 || a.Groups[1].Most != 100 || !a.Works(noon) || a.Works(noon.Add(5*time.Minute)) {
			t.Errorf("%s: %+v", form, a)
		}
		for _, s := range tt.says {
			if !strings.Contains(a.String(), s) {
				t.Errorf("%s: %q does not say %q", form, a.String(), s)
			}
		}
	}
	for _, bad := range []string{"", "- a\n- b", "hello: there", "\x00"} {
		if a, err := ReadAutoscaler(bad); err == nil {
			t.Errorf("%q: %+v", bad, a)
		}
	}
}

func FuzzReadAutoscaler(f *testing.F) {
	f.Add(newStatus)
	f.Add(oldStatus)
	f.Add("Cluster-autoscaler status at x:\nNodeGroups:\n  Health: x (maxSize=999999999999)\n")
	f.Fuzz(func(t *testing.T, status string) {
		a, err := ReadAutoscaler(status)
		if (a == nil) == (err == nil) {
			t.Errorf("%v, %v", a, err)
		}
		if a != nil && strings.ContainsAny(a.String(), "\n\r\x1b") {
			t.Errorf("%q is not one line", a.String())
		}
	})
}

func FuzzPullReason(f *testing.F) {
	f.Add("r/x:1", `failed to resolve reference "r/x:1": r/x:1: not found`)
	f.Fuzz(func(t *testing.T, image, message string) {
		reason, permanent := pullReason(message)
		if permanent != (reason == ImageNotFound || reason == ImageDenied) {
			t.Errorf("%s, permanent %v", reason, permanent)
		}
		if pullWords(reason, image, message) == "" {
			t.Error("no words")
		}
	})
}
