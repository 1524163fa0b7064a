package kube

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// said are events about a pod, the oldest first: "Reason: message".
func said(lines ...string) []*corev1.Event {
	var out []*corev1.Event
	for i, l := range lines {
		reason, message, _ := strings.Cut(l, ": ")
		reporter := ""
		if r, rest, ok := strings.Cut(reason, "@"); ok {
			reporter, reason = r, rest
		}
		out = append(out, &corev1.Event{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprint(i)}, Reason: reason, Message: message,
			ReportingController: reporter, LastTimestamp: metav1.NewTime(noon.Add(time.Duration(i) * time.Second))})
	}
	return out
}

// bound is a pod that a node was given a while ago; its container waits.
func bound(since time.Duration) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "hub-1"}, Spec: corev1.PodSpec{NodeName: "n1"}, Status: corev1.PodStatus{
		Phase:             corev1.PodPending,
		Conditions:        []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: ago(since)}},
		ContainerStatuses: []corev1.ContainerStatus{{Name: "hub", Image: "r/hub:1", State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}}}},
	}}
}

func unplaced() *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "hub-1"}, Status: corev1.PodStatus{Phase: corev1.PodPending}}
}

// runs is a pod whose container has run for a time and is not ready.
func runs(since time.Duration) *corev1.Pod {
	p := bound(time.Hour)
	p.Status.Phase = corev1.PodRunning
	p.Status.ContainerStatuses[0] = corev1.ContainerStatus{Name: "hub", ImageID: "sha256:1", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: ago(since)}}}
	return p
}

func TestEventsNameACauseBeforeTheStatusDoes(t *testing.T) {
	const notFound = `Failed: Failed to pull image "r/hub:1": rpc error: code = NotFound desc = failed to pull and unpack image "r/hub:1": r/hub:1: not found`
	backingOff := bound(time.Minute)
	backingOff.Status.ContainerStatuses[0].State.Waiting = &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: `Back-off pulling image "r/hub:1"`}
	thrown := bound(time.Minute)
	thrown.Status.Phase = corev1.PodFailed
	thrown.Status.Conditions = append(thrown.Status.Conditions, corev1.PodCondition{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue,
		Reason: corev1.PodReasonPreemptionByScheduler, Message: "preempting to accommodate a higher priority pod"})
	for name, tt := range map[string]struct {
		pod       *corev1.Pod
		events    []*corev1.Event
		reason    string // "" for none
		permanent bool
		says      string
	}{
		"on its way":              {bound(time.Second), said("Scheduled: x", "Pulling: Pulling image \"r/hub:1\""), "", false, ""},
		"no such image":           {bound(time.Second), said(`Pulling: Pulling image "r/hub:1"`, notFound), ImageNotFound, true, "no image r/hub:1"},
		"denied":                  {bound(time.Second), said(`Failed: Failed to pull image "r/hub:1": 401 Unauthorized`), ImageDenied, true, "denies"},
		"503":                     {bound(time.Second), said(`Failed: Failed to pull image "r/hub:1": 503 Service Unavailable`), ImagePull, false, "image r/hub:1: 503"},
		"timeout":                 {bound(time.Second), said(`Failed: Failed to pull image "r/hub:1": dial tcp 10.0.0.1:443: i/o timeout`), ImagePull, false, "i/o timeout"},
		"full disk":               {bound(time.Second), said(`Failed: Failed to pull image "r/hub:1": write /var/lib/x: no space left on device`), DiskFull, false, "no room"},
		"tried again":             {bound(time.Second), said(`Failed: Failed to pull image "r/hub:1": 503`, "BackOff: Back-off pulling image", `Pulling: Pulling image "r/hub:1"`), ImagePull, false, "503"},
		"pulled in the end":       {bound(time.Second), said(`Failed: Failed to pull image "r/hub:1": 503`, `Pulled: Successfully pulled image "r/hub:1" in 3s`), "", false, ""},
		"another image pulled":    {bound(time.Second), said(notFound, `Pulled: Container image "r/side:1" already present on machine`), ImageNotFound, true, "r/hub:1"},
		"a status without a word": {backingOff, said(notFound), ImageNotFound, true, "no image"},
		"mount": {bound(time.Minute), said(`FailedMount: MountVolume.SetUp failed for volume "config" : configmap "hub" not found`), Volume, false,
			"does not exist"},
		"multi-attach":        {bound(time.Minute), said(`FailedAttachVolume: Multi-Attach error for volume "pvc-1" Volume is already used by pod(s) hub-0`), Volume, false, "strategy Recreate"},
		"attached in the end": {bound(time.Minute), said(`FailedAttachVolume: x`, "SuccessfulAttachVolume: y"), "", false, ""},
		"no sandbox":          {bound(time.Minute), said(`FailedCreatePodSandBox: plugin type="bridge" failed: no IP addresses available`), Sandbox, false, "no IP addresses"},
		"sandbox in the end":  {bound(time.Minute), said(`FailedCreatePodSandBox: x`, `Pulling: Pulling image "r/hub:1"`), "", false, ""},
		"no node":             {unplaced(), said("FailedScheduling: 0/2 nodes are available: 2 Too many pods."), Unschedulable, false, "pod limit"},
		"a node comes": {unplaced(), said("FailedScheduling: 0/2 nodes are available: 2 Insufficient cpu.", "TriggeredScaleUp: pod triggered scale-up: [{user 1->2 (max: 3)}]"),
			ScalingUp, false, "1->2"},
		"no node can come": {unplaced(), said("FailedScheduling: 0/2 nodes are available: 2 Insufficient cpu.", "NotTriggerScaleUp: pod didn't trigger scale-up: 1 max node group size reached"),
			NoScaleUp, false, "max node group size"},
		"Karpenter brings one": {unplaced(), said("FailedScheduling: 0/2 nodes are available: 2 Insufficient cpu.", "karpenter@Nominated: Pod should schedule on: nodeclaim/user-x"),
			ScalingUp, false, "nodeclaim/user-x"},
		"Karpenter cannot": {unplaced(), said("FailedScheduling: 0/2 nodes are available: 2 Insufficient cpu.", "karpenter@FailedScheduling: Failed to schedule pod, incompatible with nodepool user"),
			NoScaleUp, false, "incompatible with nodepool"},
		"no such claim":        {unplaced(), said(`FailedScheduling: 0/2 nodes are available: persistentvolumeclaim "hub-db" not found. not found`), Claim, false, "hub-db"},
		"just started":         {runs(3 * time.Second), said("Unhealthy: Readiness probe failed: connection refused"), "", false, ""},
		"fails its probe":      {runs(time.Minute), said("Unhealthy: Readiness probe failed: HTTP probe failed with statuscode: 500"), ProbeFails, false, "statuscode: 500"},
		"not ready, no events": {runs(time.Minute), nil, ProbeFails, false, "container hub has run since 11:59:00Z"},
		"post-start hook":      {runs(time.Minute), said("FailedPostStartHook: exec: no such file"), CannotStart, false, "postStart"},
		"preempted":            {thrown, nil, Evicted, false, "higher priority"},
	} {
		got := PodCause(tt.pod, tt.events, noon)
		switch {
		case tt.reason == "" && got != nil:
			t.Errorf("%s: %+v", name, got)
		case tt.reason != "" && (got == nil || got.Reason != tt.reason || got.Permanent != tt.permanent || !strings.Contains(got.Message, tt.says) || got.Object != "Pod/hub-1"):
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

func TestAPodThatNoSchedulerLooksAtIsNamed(t *testing.T) {
	of := func(age time.Duration, change func(*corev1.Pod)) *corev1.Pod {
		p := unplaced()
		p.CreationTimestamp, p.Spec.SchedulerName = ago(age), "hub-user-scheduler"
		if change != nil {
			change(p)
		}
		return p
	}
	gated := func(p *corev1.Pod) {
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonSchedulingGated}}
	}
	for name, tt := range map[string]struct {
		pod    *corev1.Pod
		events []*corev1.Event
		want   string
	}{
		"young":             {of(5*time.Second, nil), nil, ""},
		"for a while":       {of(11*time.Second, nil), nil, Unscheduled},
		"it said something": {of(time.Minute, nil), said("FailedScheduling: 0/3 nodes are available: 3 Insufficient cpu."), Unschedulable},
		"held by a gate":    {of(time.Minute, gated), nil, ""},
		"it has a node":     {of(time.Minute, func(p *corev1.Pod) { p.Spec.NodeName = "n1" }), nil, ""},
	} {
		c := PodCause(tt.pod, tt.events, noon)
		if got := ""; c != nil {
			got = c.Reason
			if got != tt.want || got == Unscheduled && !strings.Contains(c.Message, "scheduler hub-user-scheduler has not looked at it since ") {
				t.Errorf("%s: %+v", name, c)
			}
		} else if tt.want != "" {
			t.Errorf("%s: no cause", name)
		}
	}
}

func TestANodeThatShowsNoSignOfItsPodIsNamed(t *testing.T) {
	p := bound(20 * time.Second)
	p.Status.ContainerStatuses = nil
	silent := &NodeError{Node: "n1", Reason: NodeSilent, Message: "its kubelet is dead"}
	for name, tt := range map[string]struct {
		since  time.Duration
		node   *NodeError
		reason string
	}{
		"just bound":             {3 * time.Second, silent, ""},
		"bound to a dead node":   {6 * time.Second, silent, NodeSilent},
		"bound to a good node":   {6 * time.Second, nil, ""},
		"a good node that hangs": {12 * time.Second, nil, NotStarted},
		"cordoned and sick":      {12 * time.Second, &NodeError{Node: "n1", Reason: NodeCordoned, Message: "cordoned"}, NodeCordoned},
	} {
		p.Status.Conditions[0].LastTransitionTime = ago(tt.since)
		got := NotBegun(p, tt.node, noon)
		if tt.reason == "" && got != nil || tt.reason != "" && (got == nil || got.Reason != tt.reason || !strings.Contains(got.Message, "n1")) {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got := NotBegun(bound(time.Hour), silent, noon); got != nil {
		t.Errorf("its kubelet works on it: %+v", got)
	}
}

func TestAPodThatDoesNotEndIsNamed(t *testing.T) {
	p := bound(time.Hour)
	if got := NotEnding(p, nil, noon); got != nil {
		t.Errorf("it was never deleted: %+v", got)
	}
	until := ago(5 * time.Second)
	p.DeletionTimestamp = &until
	if got := NotEnding(p, nil, noon); got != nil {
		t.Errorf("too early: %+v", got)
	}
	until = ago(time.Minute)
	p.Finalizers = []string{"team/backup"}
	if got := NotEnding(p, nil, noon); got == nil || got.Reason != NotEndingPod || !strings.Contains(got.Message, "team/backup") {
		t.Errorf("%+v", got)
	}
	if got := NotEnding(p, &NodeError{Node: "n1", Reason: NodeSilent, Message: "dead"}, noon); got == nil || got.Reason != NodeSilent {
		t.Errorf("%+v", got)
	}
}

func TestClaimsThatFindNoVolumeSayWhy(t *testing.T) {
	class := "fast"
	for name, tt := range map[string]struct {
		phase  corev1.PersistentVolumeClaimPhase
		class  *string
		events []*corev1.Event
		says   string
	}{
		"bound":                  {corev1.ClaimBound, nil, said("ProvisioningFailed: x"), ""},
		"waits for its pod":      {corev1.ClaimPending, nil, said("WaitForFirstConsumer: waiting for first consumer to be created before binding"), ""},
		"lost":                   {corev1.ClaimLost, nil, nil, "does not exist any more"},
		"no such class":          {corev1.ClaimPending, &class, said(`ProvisioningFailed: storageclass.storage.k8s.io "fast" not found`), "storage class fast does not exist"},
		"no class":               {corev1.ClaimPending, nil, said("FailedBinding: no persistent volumes available for this claim and no storage class is set"), "no storage class is set"},
		"the driver fails":       {corev1.ClaimPending, &class, said("ProvisioningFailed: failed to provision volume: quota exceeded"), "quota exceeded"},
		"the driver is silent":   {corev1.ClaimPending, &class, said("ExternalProvisioning: Waiting for a volume to be created by the external provisioner 'x'"), "has not made it"},
		"the driver tries again": {corev1.ClaimPending, &class, said("ProvisioningFailed: x", "Provisioning: y"), ""},
	} {
		c := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: "hub-db", CreationTimestamp: ago(time.Minute)},
			Spec: corev1.PersistentVolumeClaimSpec{StorageClassName: tt.class}, Status: corev1.PersistentVolumeClaimStatus{Phase: tt.phase}}
		got := ClaimCause(c, tt.events, noon)
		if tt.says == "" && got != nil || tt.says != "" && (got == nil || got.Reason != Claim || !strings.Contains(got.Message, tt.says)) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestASnapshotPutsTogetherWhatHoldsAPod(t *testing.T) {
	p := unplaced()
	p.Spec.Volumes = []corev1.Volume{{Name: "db", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "hub-db"}}}}
	s := &Snapshot{Now: noon, Events: map[string][]*corev1.Event{
		"Pod/hub-1":                    said("FailedScheduling: 0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims."),
		"PersistentVolumeClaim/hub-db": said("FailedBinding: no persistent volumes available for this claim and no storage class is set"),
	}, Claims: []*corev1.PersistentVolumeClaim{{ObjectMeta: metav1.ObjectMeta{Name: "hub-db"}, Status: corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimPending}}}}
	if got := s.PodCause(p); got == nil || got.Reason != Claim || !strings.Contains(got.Message, "claim hub-db") {
		t.Errorf("a claim that is not bound: %+v", got)
	}

	node, lease := goodNode()
	old := ago(time.Minute)
	lease.ManagedFields[0].Time = &old
	s = &Snapshot{Now: noon, Nodes: map[string]NodeFacts{"n1": {At: noon, Node: node, Lease: lease}}}
	if got := s.PodCause(runs(time.Minute)); got == nil || got.Reason != NodeSilent {
		t.Errorf("not ready on a dead node: %+v", got)
	}
	s.Nodes = map[string]NodeFacts{"n1": {Gone: "n1"}}
	if got := s.PodCause(runs(time.Minute)); got == nil || got.Reason != NodeLeaving {
		t.Errorf("not ready on a node that is gone: %+v", got)
	}

	s = &Snapshot{Now: noon, Events: map[string][]*corev1.Event{"Pod/hub-1": said("FailedScheduling: 0/1 nodes are available: 1 Insufficient cpu.")},
		Cluster: &ClusterFacts{Autoscaler: &Autoscaler{Said: noon, Adding: true}}}
	if got := s.PodCause(unplaced()); got == nil || got.Reason != ScalingUp {
		t.Errorf("an autoscaler at work: %+v", got)
	}
}
