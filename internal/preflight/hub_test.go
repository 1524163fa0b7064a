package preflight

import (
	"strings"
	"testing"
)

func TestDatabase(t *testing.T) {
	const external = "{hub: {db: {type: postgres}}, singleuser: {}}"
	allow := func(values string) string { // so that nothing else is found
		return strings.Replace(values, "hub: {", "hub: {config: {Authenticator: {allow_all: true}}, ", 1)
	}
	for name, c := range map[string]struct {
		live, next, values string
		want               string
		copied             bool // before the deployment
	}{
		"a first install": {next: "4.2.0", values: allow(external)},
		"the same schema": {live: "4.0.0", next: "4.2.0"},
		"sqlite is migrated": {live: "3.3.8", next: "4.0.0", values: allow("{hub: {}, singleuser: {}}"), copied: true,
			want: "warning db-upgrade the hub's database: JupyterHub 4.1.6 becomes 5.2.1, whose database has another schema (0eee8c825d24, then 4621fec11365): the hub migrates it at its start"},
		"a server's is not": {live: "3.3.8", next: "4.0.0", values: allow(external),
			want: "error db-schema the hub's database: JupyterHub 4.1.6 becomes 5.2.1, whose database has another schema (0eee8c825d24, then 4621fec11365): it is a server of its own, which the hub does not upgrade by itself, and then refuses"},
		"unless it is said": {live: "3.3.8", next: "4.0.0", values: allow("{hub: {db: {type: mysql, upgrade: true}}, singleuser: {}}"),
			want: "warning db-upgrade the hub's database: JupyterHub 4.1.6 becomes 5.2.1, whose database has another schema (0eee8c825d24, then 4621fec11365): the hub migrates it at its start, and no rollback takes that back"},
		"back to an older hub": {live: "4.0.0", next: "3.3.8",
			want: "error hub-downgrade the hub's database: JupyterHub 5.2.1 becomes 4.1.6, whose database has another schema (4621fec11365, then 0eee8c825d24): the older hub cannot read it"},
		"back, with the same schema": {live: "4.2.0", next: "4.0.0"},
	} {
		t.Run(name, func(t *testing.T) {
			f := z2jhOf(t, c.live, c.next, c.values)
			says(t, f, c.want)
			migrates, external := Migrates(f)
			if got := migrates && !external; got != c.copied {
				t.Errorf("it is copied before: %t", got)
			}
			if migrates != strings.Contains(c.want, "db-upgrade") {
				t.Errorf("it is migrated: %t", migrates)
			}
		})
	}
}

func TestTheRunningHubsOwnWordCountsMoreThanItsChart(t *testing.T) {
	f := z2jhOf(t, "4.0.0", "4.2.0", "")
	f.LiveVersion = "4.1.6" // an image of their own
	says(t, f, `
error allow-none value hub.config: JupyterHub 5.3.0 lets in nobody but administrators unless the configuration allows users, and it does not
warning db-upgrade the hub's database: JupyterHub 4.1.6 becomes 5.3.0, whose database has another schema (0eee8c825d24, then 4621fec11365): the hub migrates it at its start`)
}

func TestAChartDoesNotKnowWhatIsInAHubImageOfOnesOwn(t *testing.T) {
	const values = "{hub: {config: {Authenticator: {allow_all: true}}, image: {name: IMAGE, tag: TAG}}, singleuser: {}}"
	of := func(image, tag string) string {
		return strings.NewReplacer("IMAGE", image, "TAG", tag).Replace(values)
	}
	const older = "error hub-downgrade the hub's database: JupyterHub 6.1.1 becomes 5.3.0, whose database has another schema (f460b0348206, then 4621fec11365): the older hub cannot read it"
	for name, c := range map[string]struct{ image, tag, live, want string }{
		"the chart's own":                   {"quay.io/jupyterhub/k8s-hub", "4.2.0", "", older},
		"the chart's own, from a mirror":    {"mirror.example/quay/jupyterhub/k8s-hub", "4.2.0", "", older},
		"of their own":                      {"registry.example/hub", "2026-11", "", ""},
		"of their own, as it is":            {"registry.example/hub", "5.1.0", of("registry.example/hub", "5.1.0"), ""},
		"of their own, and the tag tells":   {"registry.example/hub", "5.3.0", of("registry.example/hub", "6.1.1"), older},
		"of their own, and the tag is mute": {"registry.example/hub", "5.3.0", of("registry.example/hub", "7"), ""},
	} {
		f := z2jhOf(t, "4.0.0", "4.2.0", of(c.image, c.tag))
		f.LiveVersion = "6.1.1"
		if c.live != "" {
			f.Objects = objects(t, "live:\n{kind: Secret, metadata: {name: hub}, stringData: {values.yaml: '"+c.live+"'}}\n---\n"+
				"{kind: Secret, metadata: {name: hub}, stringData: {values.yaml: '"+of(c.image, c.tag)+"'}}\n")
		}
		t.Run(name, func(t *testing.T) { says(t, f, c.want) })
	}
}

func TestOfAnotherChartTheTagOfTheHubIsItsVersionWhenItIsSoNow(t *testing.T) {
	const doc = `live:
{kind: ConfigMap, metadata: {name: hub}, data: {values.json: "hub: {image: {name: hub, tag: 4.1.6-2}}\nsingleuser: {}"}}
---
{kind: ConfigMap, metadata: {name: hub}, data: {values.json: "hub: {image: {name: hub, tag: 5.3.0-1}}\nsingleuser: {}"}}
`
	f := &Facts{Helm: Record{Revision: 1, Ours: true}, LiveVersion: "4.1.6", Objects: objects(t, doc), Values: tree(t, "{jupyterhub: {hub: {image: {name: hub, tag: 5.3.0-1}}, singleuser: {}}}")}
	says(t, f, "warning db-upgrade the hub's database: JupyterHub 4.1.6 becomes 5.3.0, whose database has another schema (0eee8c825d24, then 4621fec11365): the hub migrates it at its start")
	f.LiveVersion = "4.0.0"
	says(t, f, "") // the tag means something else
}

func TestSingleuser(t *testing.T) {
	notebook := func(f *Facts, c *ImageConfig) *Facts {
		f.Images = []Image{{Ref: "nb:1", State: Found, Config: c}}
		return f
	}
	const values = "{hub: {}, singleuser: {image: {name: nb, tag: '1'}, cmd: %}}"
	with := func(cmd string) string { return strings.Replace(values, "%", cmd, 1) }
	lab := &ImageConfig{Entrypoint: []string{"tini", "-g", "--"}, Cmd: []string{"jupyter", "lab"}, Env: map[string]string{"JUPYTERHUB_VERSION": "4.1.6"}}
	stacks := &ImageConfig{Entrypoint: []string{"tini", "--", "start.sh"}, Cmd: []string{"start-notebook.py"}}
	says(t, notebook(z2jhOf(t, "4.0.0", "4.2.0", with("jupyterhub-singleuser")), stacks), "")
	says(t, notebook(z2jhOf(t, "4.0.0", "4.2.0", with("null")), stacks), "")
	says(t, notebook(z2jhOf(t, "4.0.0", "4.2.0", with("[]")), lab), `
warning singleuser-version value singleuser.image: the hub will be JupyterHub 5.3.0, the notebook image holds 4.1.6 (as the image says)
warning singleuser-cmd value singleuser.cmd: it names no command, so the image's own runs, which is not known to be a single-user server`)
	f := notebook(z2jhOf(t, "4.0.0", "4.2.0", with("x")), lab)
	f.Tested = "5.2.1"
	says(t, f, "")
	f.Tested = "3.0.0"
	says(t, f, "warning singleuser-version value singleuser.image: the hub will be JupyterHub 5.3.0, the notebook image holds 3.0.0 (as the image suite saw it)")
}

func TestWhoMayLogIn(t *testing.T) {
	const nobody = "error allow-none value hub.config: JupyterHub 5.2.1 lets in nobody but administrators unless the configuration allows users, and it does not"
	const migrates = "\nwarning db-upgrade the hub's database: JupyterHub 4.1.6 becomes 5.2.1, whose database has another schema (0eee8c825d24, then 4621fec11365): the hub migrates it at its start"
	for name, c := range map[string]struct{ hub, want string }{
		"nothing is said":      {"{}", nobody + migrates},
		"administrators only":  {"{config: {Authenticator: {admin_users: [ada]}}}", nobody + migrates},
		"an empty list":        {"{config: {Authenticator: {allowed_users: []}}}", nobody + migrates},
		"everybody":            {"{config: {Authenticator: {allow_all: true}}}", migrates},
		"a list":               {"{config: {DummyAuthenticator: {allowed_users: [ada]}}}", migrates},
		"an organisation":      {"{config: {GitHubOAuthenticator: {allowed_organizations: [x]}}}", migrates},
		"in code":              {"{extraConfig: {mine: 'c.Authenticator.allow_all = True'}}", migrates},
		"where it is not seen": {"{existingSecret: mine}", migrates + strings.Replace("\n"+nobody, "error", "warning", 1)},
	} {
		t.Run(name, func(t *testing.T) {
			says(t, z2jhOf(t, "3.3.8", "4.0.0", "{singleuser: {}, hub: "+c.hub+"}"), c.want)
		})
	}
	says(t, z2jhOf(t, "2.0.0", "3.3.8", ""), "warning db-upgrade the hub's database: JupyterHub 3.0.0 becomes 4.1.6, whose database has another schema (651f5419b74d, then 0eee8c825d24): the hub migrates it at its start")
	says(t, z2jhOf(t, "", "4.0.0", ""), strings.Replace(nobody, "error", "warning", 1))
}

func TestAHubThatBecomesOpenIsTold(t *testing.T) {
	const doc = `live:
{kind: Secret, metadata: {name: hub}, stringData: {values.yaml: "hub: {config: {Authenticator: {allowed_users: [ada]}}}\nsingleuser: {}"}}
---
{kind: Secret, metadata: {name: hub}, stringData: {values.yaml: "hub: {config: {Authenticator: {allow_all: true}}}\nsingleuser: {}"}}
`
	f := z2jhOf(t, "4.0.0", "4.2.0", "{hub: {config: {Authenticator: {allow_all: true}}}, singleuser: {}}")
	f.Objects = objects(t, doc)
	says(t, f, "warning allow-all value hub.config.Authenticator.allow_all: everybody whom the authenticator knows may log in, and could not before")
}
