package preflight

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gauntlet/internal/plan"
)

func TestUsersCutOffAndNetworkPolicies(t *testing.T) {
	f := &Facts{Helm: Record{Revision: 1, Ours: true}, Objects: objects(t, `live:
{apiVersion: v1, kind: Service, metadata: {name: public}, spec: {type: NodePort, selector: {app: proxy}}}
---
{apiVersion: v1, kind: Service, metadata: {name: public}, spec: {type: NodePort, selector: {app: proxy}}}
---
live:
{apiVersion: apps/v1, kind: Deployment, metadata: {name: proxy}, spec: {template: {metadata: {labels: {app: proxy}}, spec: {containers: [{name: chp, image: "chp:1"}]}}}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: proxy}, spec: {template: {metadata: {labels: {app: proxy}}, spec: {containers: [{name: chp, image: "chp:2"}]}}}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: singleuser}, spec: {}}
---
live:
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: labelled}, spec: {}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: labelled, labels: {a: b}}, spec: {}}
---
live:
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: hub}, spec: {policyTypes: [Ingress]}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: hub, labels: {a: b}}, spec: {policyTypes: [Ingress, Egress]}}
`)}
	const want = `
warning users-cut-off Deployment/proxy: changed: its pods restart, and users are cut off meanwhile
warning network-policy NetworkPolicy/singleuser: added
warning network-policy NetworkPolicy/hub: changed: spec.policyTypes: +Egress`
	says(t, f, want)
	f.Helm = Record{}
	for i := range f.Objects {
		f.Objects[i].Live = nil
	}
	says(t, f, "")
}

func TestRegenerated(t *testing.T) {
	pair := func(once, again string) plan.Pair {
		return plan.Pair{Live: tree(t, once), New: tree(t, once), Once: tree(t, once), Again: tree(t, again)}
	}
	for name, c := range map[string]struct{ once, again, want string }{
		"a token": {"{kind: Secret, metadata: {name: hub}, data: {proxy-token: YQ==, salt: Yg==}}", "{kind: Secret, metadata: {name: hub}, data: {proxy-token: Yw==, salt: Yg==}}",
			"error secret-regenerated Secret/hub key proxy-token: every deploy makes it anew: users are logged out, or what holds the old one is refused"},
		"a certificate": {"{kind: Secret, type: kubernetes.io/tls, metadata: {name: hook}, data: {tls.key: YQ==}}", "{kind: Secret, type: kubernetes.io/tls, metadata: {name: hook}, data: {tls.key: Yg==}}",
			"warning certificate-regenerated Secret/hook key tls.key: every deploy makes it anew"},
		"a stamp of time": {"{kind: Deployment, metadata: {name: proxy}, spec: {template: {metadata: {annotations: {at: a}}}}}", "{kind: Deployment, metadata: {name: proxy}, spec: {template: {metadata: {annotations: {at: b}}}}}",
			"warning restarts-always Deployment/proxy: its pods' template is another at every rendering, so every deploy restarts it"},
		"an annotation beside": {"{kind: Deployment, metadata: {name: proxy, annotations: {at: a}}}", "{kind: Deployment, metadata: {name: proxy, annotations: {at: b}}}", ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := pair(c.once, c.again)
			says(t, &Facts{Objects: []plan.Pair{p}}, c.want)
			p.Live = nil // a first install has to make it
			says(t, &Facts{Objects: []plan.Pair{p}}, "")
		})
	}
}

func TestLeakedServers(t *testing.T) {
	pods := into[corev1.Pod](t, `
- metadata: {name: jupyter-ada, labels: {component: singleuser-server}, annotations: {hub.jupyter.org/username: ada}}
  spec: {volumes: [{name: home, persistentVolumeClaim: {claimName: claim-ada}}], containers: []}
- metadata: {name: jupyter-ada--gpu, labels: {component: singleuser-server}, annotations: {hub.jupyter.org/username: ada, hub.jupyter.org/servername: gpu}}
  spec: {volumes: [{name: home, persistentVolumeClaim: {claimName: claim-ada}}], containers: []}
- metadata: {name: jupyter-bob, labels: {component: singleuser-server}, annotations: {hub.jupyter.org/username: bob}}
  spec: {containers: []}
- metadata: {name: jupyter-done, labels: {component: singleuser-server}, annotations: {hub.jupyter.org/username: done}}
  spec: {volumes: [{name: home, persistentVolumeClaim: {claimName: claim-done}}], containers: []}
  status: {phase: Succeeded}
- metadata: {name: hub, labels: {component: hub}}
  spec: {volumes: [{name: db, persistentVolumeClaim: {claimName: db}}], containers: []}
`)
	for i := range pods {
		pods[i].CreationTimestamp = metav1.NewTime(now.Add(-time.Hour))
	}
	f := &Facts{Cluster: "c", Namespace: "ns", Now: now, Pods: pods, Servers: map[string]bool{"ada/": true}}
	says(t, f, "") // the hub was not asked
	f.UsersKnown = true
	says(t, f, "warning server-leaked Pod/jupyter-ada--gpu: the hub has no such server, and the pod holds claim claim-ada of a user")
	pods[1].CreationTimestamp = metav1.NewTime(now.Add(-time.Second))
	says(t, f, "") // it may have started since the hub was asked
}
