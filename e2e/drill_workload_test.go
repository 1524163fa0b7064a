package e2e

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gauntlet/internal/pipeline"
	"gauntlet/internal/preflight"
	"gauntlet/internal/preflight/codes"
)

// lines are the hubs that drills run on, beside each other. The first word of a
// namespace is the line's; ports from 30380.
var lines = map[string]func(*testing.T){
	"images and pods":  podDrills,
	"rules and hooks":  ruleDrills,
	"what never comes": waitDrills,
	"kills":            killDrills,
	"lock":             lockDrills,
	"registries":       registryDrills,
	"nodes":            nodeDrills,
	"places":           placeDrills,
	"the hang":         hangDrills,
	"routes":           routeDrills,
	"what passes":      peacefulDrills,
	"control plane":    controlPlaneDrills,
	"rollback":         rollbackDrill,
}

// drills runs every line.
func drills(t *testing.T) {
	for name, run := range lines {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t)
		})
	}
}

// chart puts an overlay of examples/faults over the platform.
func chart(name string) func(*line) {
	return func(l *line) { l.overlay(filepath.Join(root, "examples", "faults", name)) }
}

// value sets one value of the hub.
func value(path string, to any) func(*line) {
	return func(l *line) { l.set("jupyter-config.yml", map[string]any{path: to}) }
}

func podDrills(t *testing.T) {
	l := newLine(t, "drill-pods", 30380)
	l.drills(
		drill{
			name:  "the tag of hub and proxy does not exist",
			plain: true,
			set:   []string{"jupyterhub.hub.image.tag=9.9.9-9"},
			fault: value("jupyterhub.hub.image.tag", "9.9.9-9"),
			shows: either(event("hub-", "not found"), event("proxy-", "not found")),
			says:  []string{"no image", "platform/hub:9.9.9-9"},
		},
		drill{
			name:  "a hub that crashes",
			plain: true,
			fault: func(l *line) {
				l.replace("chart/files/jupyterhub_config.py", "from kubespawner import KubeSpawner", "from kubespawner import KubeSpawner\nimport oauthenticator")
			},
			shows: dies("hub-"),
			says:  []string{"Deployment/hub", "No module named 'oauthenticator'"},
		},
		drill{
			name:  "a Deployment without a readiness probe that crashes",
			plain: true,
			fault: chart("exporter-crashes"),
			shows: dies("exporter-"),
			says:  []string{"Deployment/exporter", "no such queue: metrics"},
		},
	)
	l.sub("the plan of a release that preflight refuses", func() { foreseenInPlan(l) })
}

// foreseenInPlan looks that a plan shows what would stop the deploy.
func foreseenInPlan(l *line) {
	value("jupyterhub.hub.image.tag", "8.8.8-8")(l)
	l.commit("Another tag that does not exist") // a release of its own: the first drill has made that of its tag
	l.gauntlet(1, "run", "--key", "ci")
	release := statusOf(l.team).Release.Short()
	p := read[pipeline.Planned](l.t, l.gauntlet(0, "plan", release, "testing", "-o", "json"))
	if !slices.ContainsFunc(p.Findings, func(f preflight.Finding) bool {
		return f.Code == codes.ImageMissing && f.Severity == codes.Error && strings.Contains(f.Object, "8.8.8-8")
	}) {
		l.t.Errorf("the plan shows %+v", p.Findings)
	}
	l.says(l.gauntlet(0, "plan", release, "testing"), "PREFLIGHT", "would stop the deploy", "image-missing")
}

func ruleDrills(t *testing.T) {
	l := newLine(t, "drill-rules", 30381)
	l.drills(
		drill{
			name:  "a quota",
			plain: true,
			fault: func(l *line) {
				l.quota(corev1.ResourceRequestsCPU, "800m")
				l.replace("chart/values.yaml", "requests: {cpu: 20m, memory: 128Mi}", "requests: {cpu: 900m, memory: 128Mi}")
			},
			shows: event("hub-", "exceeded quota"),
			says:  []string{"exceeded quota", "drill"},
		},
		drill{
			name:  "an admission webhook that refuses",
			plain: true,
			fault: func(l *line) {
				l.demandTeam("exporter")
				chart("exporter-without-team")(l)
			},
			shows: event("exporter-", "denied the request"),
			says:  []string{"Deployment/exporter", "teams.pangeo.example", "every pod needs a label team"},
		},
		drill{
			name:  "a hook Job that fails",
			plain: true,
			fault: chart("hook-fails"),
			shows: dies("migrate-"),
			says:  []string{"Job/migrate", "table users is locked"},
		},
		drill{
			name:  "a hook Job that waits for a DaemonSet that can never be ready",
			plain: true,
			fault: chart("hook-daemonset-waits"),
			shows: waits("puller-", "CreateContainerConfigError"),
			says:  []string{"DaemonSet/puller", `secret "mirror-credentials" not found`},
		},
	)
}

// waitDrills are about what does not come up and never says that it cannot. The causes
// are named at once; the graces after which the wait for them ends are cut short here.
func waitDrills(t *testing.T) {
	l := newLine(t, "drill-waits", 30305)
	short := func(key string, fault func(*line)) func(*line) {
		return func(l *line) {
			fault(l)
			l.graces(map[string]any{key: "10s"})
		}
	}
	l.drills(
		drill{
			name:  "a readiness probe that fails",
			plain: true,
			fault: short("probe", chart("exporter-never-ready")),
			shows: event("exporter-", "Unhealthy"),
			says:  []string{"Deployment/exporter", "the cache is cold"},
		},
		drill{
			name:  "a hub that no node has room for",
			plain: true,
			fault: short("unschedulable", func(l *line) {
				l.replace("chart/values.yaml", "requests: {cpu: 20m, memory: 128Mi}", "requests: {cpu: 64, memory: 128Mi}")
			}),
			shows: unschedulable("hub-"),
			says:  []string{"Deployment/hub", "cpu"},
		},
		drill{
			name:  "a claim that cannot bind",
			plain: true,
			fault: short("claim", chart("claim-without-class")),
			shows: either(event("cache", "fast-ssd"), unschedulable("cache-")),
			says:  []string{"cache", "fast-ssd"},
		},
		drill{
			name:  "a hook Job that waits for ever",
			plain: true,
			fault: func(l *line) {
				chart("hook-waits")(l)
				l.graces(map[string]any{"timeout": "30s"})
			},
			shows: runs("migrate-"),
			says:  []string{"Job/migrate", "waiting for the database"},
		},
		drill{
			name:  "values that regenerate the proxy's token",
			plain: true,
			fault: chart("token-regenerated"),
			says:  []string{"secret-regenerated", "proxy-token"},
		},
	)
}

// quota limits the hub's namespace, and waits until the quota counts.
func (l *line) quota(what corev1.ResourceName, most string) {
	l.t.Helper()
	quotas := l.client.CoreV1().ResourceQuotas(l.name)
	q := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "drill"},
		Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{what: resource.MustParse(most)}}}
	if _, err := quotas.Create(l.t.Context(), q, metav1.CreateOptions{}); err != nil {
		l.t.Fatal(err)
	}
	l.undo(func() { l.kubectl("bleeding-edge", "-n", l.name, "delete", "resourcequota", "drill") })
	for deadline := time.Now().Add(20 * time.Second); ; {
		q, err := quotas.Get(l.t.Context(), "drill", metav1.GetOptions{})
		if err == nil && len(q.Status.Hard) > 0 {
			return
		}
		if time.Now().After(deadline) {
			l.t.Fatalf("the quota does not count: %v", err)
		}
		select {
		case <-l.t.Context().Done():
			l.t.Fatal(l.t.Context().Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}
