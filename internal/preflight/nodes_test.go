package preflight

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

const (
	plainNode = `
- metadata: {name: a, labels: {pool: core}}
  status: {allocatable: {pods: "10"}, conditions: [{type: Ready, status: "True"}]}
`
	userNode = `
- metadata: {name: u, labels: {pool: user}}
  spec: {taints: [{key: hub.jupyter.org/dedicated, value: user, effect: NoSchedule}]}
  status: {allocatable: {pods: "10"}, conditions: [{type: Ready, status: "True"}]}
`
	sickNode = `
- metadata: {name: s, labels: {pool: user}}
  spec: {unschedulable: true, taints: [{key: node.kubernetes.io/unschedulable, effect: NoSchedule}]}
  status: {allocatable: {pods: "10"}, conditions: [{type: Ready, status: "True"}, {type: DiskPressure, status: "True"}]}
`
	hubAt = `{kind: Deployment, metadata: {name: hub}, spec: {template: {spec: {nodeSelector: {pool: core}, containers: [{name: hub, image: x}]}}}}`
	users = `{hub: {}, singleuser: {nodeSelector: {pool: user}}, scheduling: {userPods: {tolerations: [{key: hub.jupyter.org/dedicated, value: user, effect: NoSchedule}]}}}`
)

func TestPlacing(t *testing.T) {
	for name, c := range map[string]struct {
		nodes, objects, values string
		autoscaled             bool
		want                   string
	}{
		"all have a place":           {nodes: plainNode + userNode, objects: hubAt, values: users},
		"without nodes' rights":      {objects: hubAt, values: users},
		"the hub has none":           {nodes: userNode, objects: hubAt, want: "error node-none Deployment/hub: none of the 1 nodes takes its pods: 1 do not match its node selector"},
		"an autoscaler may bring it": {nodes: userNode, objects: hubAt, autoscaled: true, want: "warning node-none Deployment/hub: none of the 1 nodes takes its pods: 1 do not match its node selector; an autoscaler may bring one"},
		"users do not tolerate the taint": {nodes: plainNode + userNode, objects: hubAt, values: "{hub: {}, singleuser: {nodeSelector: {pool: user}}}",
			want: "warning node-none value singleuser.nodeSelector: none of the 2 nodes takes its pods: 1 do not match its node selector, 1 have a taint hub.jupyter.org/dedicated that it does not tolerate"},
		"users must go to their own nodes": {nodes: plainNode, values: "{hub: {}, singleuser: {}, scheduling: {userPods: {nodeAffinity: {matchNodePurpose: require}}}}",
			want: "warning node-none value singleuser.nodeSelector: none of the 1 nodes takes its pods: 1 do not match its node selector"},
		"a DaemonSet and what is stopped need none": {nodes: userNode, objects: `{kind: DaemonSet, metadata: {name: d}, spec: {template: {spec: {nodeSelector: {pool: gpu}, containers: []}}}}
---
{kind: StatefulSet, metadata: {name: placeholder}, spec: {replicas: 0, template: {spec: {nodeSelector: {pool: gpu}, containers: []}}}}`},
		"what only holds places may have none": {nodes: userNode, objects: `{kind: PriorityClass, metadata: {name: low}, value: -10}
---
{kind: StatefulSet, metadata: {name: placeholder}, spec: {replicas: 1, template: {spec: {priorityClassName: low, nodeSelector: {pool: gpu}, containers: []}}}}`,
			want: "warning node-none StatefulSet/placeholder: none of the 1 nodes takes its pods: 1 do not match its node selector"},
		"a cordoned node takes nothing": {nodes: sickNode, values: users, want: `
warning node-none value singleuser.nodeSelector: none of the 1 nodes takes its pods: 1 have a taint node.kubernetes.io/unschedulable that it does not tolerate
warning node-sick Node/s: users' servers go to it: its disk is nearly full (DiskPressure since an unknown time); cordoned`},
	} {
		t.Run(name, func(t *testing.T) {
			f := &Facts{Autoscaled: c.autoscaled}
			if c.nodes != "" {
				f.Nodes, f.NodesKnown = into[corev1.Node](t, c.nodes), true
			}
			if c.objects != "" {
				f.Objects = objects(t, c.objects)
			}
			if c.values != "" {
				f.Values = tree(t, c.values)
			}
			says(t, f, c.want)
		})
	}
}

func TestNodesOfUsers(t *testing.T) {
	f := &Facts{Values: tree(t, users), NodesKnown: true, Nodes: into[corev1.Node](t, plainNode+userNode), NodePods: map[string]int{"a": 10, "u": 9}}
	says(t, f, "") // the full one is not for users
	f.NodePods["u"] = 10
	says(t, f, "warning node-full Node/u: users' servers go to it, and it has all the 10 pods it takes")
}

func TestAHookThatWaitsForAPullOnBadNodes(t *testing.T) {
	daemon := tree(t, `{kind: DaemonSet, metadata: {name: hook-image-puller}, spec: {template: {spec: {tolerations: [{operator: Exists}], containers: []}}}}`)
	job := tree(t, `{kind: Job, metadata: {name: await}, spec: {template: {spec: {containers: []}}}}`)
	f := &Facts{NodesKnown: true, Nodes: into[corev1.Node](t, plainNode+sickNode), NodePods: map[string]int{"a": 10}, Hooks: []map[string]any{daemon}}
	says(t, f, "")
	f.Hooks = append(f.Hooks, job)
	says(t, f, "warning pull-hook DaemonSet/hook-image-puller: a hook waits until it is ready on every node, and some may hold it up: a (full), s (its disk is nearly full (DiskPressure since an unknown time); cordoned)")
}

func TestTolerations(t *testing.T) {
	taint := corev1.Taint{Key: "k", Value: "v", Effect: corev1.TaintEffectNoSchedule}
	for _, c := range []struct {
		tol  corev1.Toleration
		want bool
	}{
		{corev1.Toleration{Operator: corev1.TolerationOpExists}, true},
		{corev1.Toleration{Key: "k", Operator: corev1.TolerationOpExists}, true},
		{corev1.Toleration{Key: "k", Value: "v"}, true},
		{corev1.Toleration{Key: "k", Value: "v", Effect: corev1.TaintEffectNoExecute}, false},
		{corev1.Toleration{Key: "k", Value: "w"}, false},
		{corev1.Toleration{Key: "j", Operator: corev1.TolerationOpExists}, false},
		{corev1.Toleration{}, false},
	} {
		if got := tolerates(c.tol, taint); got != c.want {
			t.Errorf("%+v: %t", c.tol, got)
		}
	}
}
