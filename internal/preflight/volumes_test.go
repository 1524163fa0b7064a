package preflight

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

func TestRollingVolumes(t *testing.T) {
	deployment := func(strategy string) string {
		return `live:
{kind: Deployment, metadata: {name: hub}, spec: {}}
---
{kind: Deployment, metadata: {name: hub}, spec: {strategy: ` + strategy + `, template: {spec: {containers: [], volumes: [{name: db, persistentVolumeClaim: {claimName: db}}]}}}}
`
	}
	claim := func(mode string) string {
		return "[{metadata: {name: db}, spec: {accessModes: [" + mode + "]}}]"
	}
	const waits = "Deployment/hub: it is updated by RollingUpdate, and "
	for name, c := range map[string]struct{ strategy, mode, want string }{
		"recreated":            {"{type: Recreate}", "ReadWriteOnce", ""},
		"the old pod goes":     {"{type: RollingUpdate, rollingUpdate: {maxSurge: 0}}", "ReadWriteOnce", ""},
		"shared":               {"{}", "ReadWriteMany", ""},
		"one node at a time":   {"{type: RollingUpdate}", "ReadWriteOnce", "warning volume-rolling " + waits + "its claim db is ReadWriteOnce: a new pod on another node waits for the old one for ever"},
		"one pod at a time":    {"{}", "ReadWriteOncePod", "error volume-rolling " + waits + "only one pod at a time may use its claim db (ReadWriteOncePod)"},
		"shared, or one alone": {"{}", "ReadWriteOnce, ReadWriteMany", ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := &Facts{Objects: objects(t, deployment(c.strategy)), Claims: into[corev1.PersistentVolumeClaim](t, claim(c.mode))}
			says(t, f, c.want)
		})
	}
	// The claim comes with the release.
	f := &Facts{Objects: objects(t, deployment("{}")+"---\n{kind: PersistentVolumeClaim, metadata: {name: db}, spec: {accessModes: [ReadWriteOnce]}}\n")}
	says(t, f, "warning volume-rolling "+waits+"its claim db is ReadWriteOnce: a new pod on another node waits for the old one for ever")
}

const someHomes = `
- metadata: {name: claim-ada, labels: {component: singleuser-storage}, annotations: {hub.jupyter.org/username: ada}}
- metadata: {name: claim-grace-2dhopper, labels: {component: singleuser-storage}, annotations: {hub.jupyter.org/username: grace-hopper}}
- metadata: {name: hub-db-dir}
`

// quiet is values that nothing is found in.
const quiet = `
hub: {config: {Authenticator: {allow_all: true}, KubeSpawner: %}}
singleuser: {storage: $}
`

func crossing(t *testing.T, spawner, storage string) *Facts {
	f := z2jhOf(t, "3.3.8", "4.0.0", strings.NewReplacer("%", spawner, "$", storage).Replace(quiet))
	f.LiveVersion = "5.2.1" // no database to talk of
	f.Claims = into[corev1.PersistentVolumeClaim](t, someHomes)
	return f
}

func TestSlugScheme(t *testing.T) {
	const told = "slug-scheme claims claim-grace-2dhopper: KubeSpawner 7 names homes in another way"
	says(t, crossing(t, "{}", "{}"), "warning "+told+": 1 of the claims here bear a name of the old way, which it looks for once more")
	says(t, crossing(t, "{slug_scheme: escape}", "{}"), "")
	says(t, crossing(t, "{handle_legacy_names: false}", "{}"), "error "+told+", and is told not to look for the old names: 1 users get an empty home")
	f := crossing(t, "{}", "{}")
	f.Claims = f.Claims[:1]
	says(t, f, "")
	f = crossing(t, "{}", "{}")
	f.Helm.Chart.Version = "4.0.0"
	says(t, f, "")
}

func TestUsernames(t *testing.T) {
	const told = "{username} stands for another text from KubeSpawner 7 on: for "
	f := func(storage string, users ...string) *Facts {
		f := crossing(t, "{}", storage)
		f.Claims, f.Users, f.UsersKnown = nil, users, len(users) > 0
		return f
	}
	says(t, f("{type: static, static: {subPath: '{username}'}}", "ada"), "")
	says(t, f("{type: static, static: {subPath: '{escaped_username}'}}", "grace-hopper"), "")
	says(t, f("{type: dynamic, static: {subPath: '{username}'}}", "grace-hopper"), "")
	says(t, f("{type: dynamic, dynamic: {pvcNameTemplate: 'claim-{username}'}}", "grace-hopper"), "")
	says(t, f("{type: static, static: {subPath: '{username}'}}", "ada", "grace-hopper"),
		"warning username-template value singleuser.storage.static.subPath: "+told+"1 users another folder, volume or variable")
	says(t, f("{type: none, extraVolumeMounts: [{subPath: 'home/{username}'}]}"),
		"warning username-template value singleuser.storage.extraVolumeMounts[0].subPath: "+told+"users whose names hold more than small letters and digits another folder, volume or variable")
}

func TestClaimTemplate(t *testing.T) {
	doc := func(live, next string) string {
		const one = "{kind: Secret, metadata: {name: hub}, stringData: {values.yaml: \"hub: {}\\nsingleuser: {storage: {dynamic: {pvcNameTemplate: '%'}}}\"}}\n"
		return "live:\n" + strings.Replace(one, "%", live, 1) + "---\n" + strings.Replace(one, "%", next, 1)
	}
	f := func(live, next string) *Facts {
		f := z2jhOf(t, "4.0.0", "4.2.0", "{hub: {}, singleuser: {storage: {dynamic: {pvcNameTemplate: '"+next+"'}}}}")
		f.Objects = objects(t, doc(live, next))
		f.Claims = into[corev1.PersistentVolumeClaim](t, someHomes)
		return f
	}
	const told = "error claim-template value singleuser.storage.dynamic.pvcNameTemplate: the name of a user's claim was made by "
	says(t, f("claim-{username}", "claim-{username}"), "")
	says(t, f("claim-{username}{servername}", ""), "")
	says(t, f("claim-{username}{servername}", "home-{username}"), told+`"claim-{username}{servername}" and will be by "home-{username}": 2 homes that are here would not be found`)
	none := f("a-{username}", "b-{username}")
	none.Claims = nil
	says(t, none, "")

	code := &Facts{Claims: none.Claims, Objects: objects(t, `live:
{kind: ConfigMap, metadata: {name: hub}, data: {config.py: "c.KubeSpawner.pvc_name_template = 'home-{username}'\n"}}
---
{kind: ConfigMap, metadata: {name: hub}, data: {config.py: "c.KubeSpawner.pvc_name_template = 'claim-{username}'\n"}}
`)}
	code.Claims = into[corev1.PersistentVolumeClaim](t, someHomes)
	says(t, code, `error claim-template ConfigMap/hub: the name of a user's claim was made by "home-{username}" and will be by "claim-{username}": 2 homes that are here would not be found`)
}
