package preflight

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"

	"gauntlet/internal/plan"
	"gauntlet/internal/preflight/codes"
)

// schemas are the revisions of the database's schema by the first version of
// JupyterHub that has them, in order. Later versions than lastKnown may bring others.
var schemas = []struct {
	since    string
	revision string
}{
	{"0.9.0", "896818069c98"}, {"1.0.0", "4dc2d5a8c53c"}, {"2.0.0", "833da8570507"}, {"3.0.0", "651f5419b74d"},
	{"4.0.0", "0eee8c825d24"}, {"5.0.0", "4621fec11365"}, {"6.0.0", "f460b0348206"},
}

const lastKnown = 6 // the major version

// schema is the revision that a version of JupyterHub wants, "" when not known.
func schema(v *semver.Version) string {
	found := ""
	for _, s := range schemas {
		if first := semver.MustParse(s.since); v.Major() > first.Major() || v.Major() == first.Major() && v.Minor() >= first.Minor() {
			found = s.revision
		}
	}
	if v.Major() > lastKnown {
		return ""
	}
	return found
}

// database tells what the new hub does to the database of the one that runs.
func database(f *Facts) []Finding {
	if !f.Helm.Installed() {
		return nil
	}
	var out []Finding
	for _, c := range hubConfigs(f) {
		live, next := c.hubVersions(f)
		if live == nil || next == nil {
			continue
		}
		old, now := schema(live), schema(next)
		same := old == now && old != "" || old == "" && live.Major() == next.Major()
		if same {
			continue
		}
		change := fmt.Sprintf("JupyterHub %s becomes %s, whose database has another schema", live, next)
		if old != "" && now != "" {
			change += fmt.Sprintf(" (%s, then %s)", old, now)
		}
		object := "the hub's database"
		if next.LessThan(live) {
			out = append(out, Finding{Code: codes.HubDowngrade, Object: object,
				Cause: change + ": the older hub cannot read it",
				Fix:   "`gauntlet rollback --restore-database` puts back the copy from before the upgrade; or stay at " + live.String()})
			continue
		}
		if c.external() && !c.upgrades(f) {
			out = append(out, Finding{Code: codes.DBSchema, Object: object,
				Cause: change + ": it is a server of its own, which the hub does not upgrade by itself, and then refuses",
				Fix:   "back it up, and set " + below(c.path, "hub.db.upgrade") + ": true for this deployment"})
			continue
		}
		found := Finding{Code: codes.DBUpgrade, Object: object, Cause: change + ": the hub migrates it at its start",
			Fix: "nothing: gauntlet copies it before, beside itself on the hub's volume, and a rollback puts the copy back"}
		if c.external() {
			found.Cause += ", and no rollback takes that back"
			found.Fix = "back it up before: it is on a server of its own, and gauntlet does not go back past this by itself"
		}
		out = append(out, found)
	}
	return out
}

// Migrates says whether the deployment migrates the hub's database, and whether that is on
// a server of its own: a copy of one that is a file takes the migration back.
func Migrates(f *Facts) (migrates, external bool) {
	return slices.ContainsFunc(database(f), func(d Finding) bool { return d.Code == codes.DBUpgrade }),
		slices.ContainsFunc(hubConfigs(f), hubConfig.external)
}

// external says whether the database is on a server of its own.
func (c hubConfig) external() bool {
	if t := text(c.next, "hub", "db", "type"); t != "" {
		return !strings.HasPrefix(t, "sqlite")
	}
	url := text(c.next, "hub", "db", "url")
	return url != "" && !strings.HasPrefix(url, "sqlite")
}

// upgrades says whether the hub is told to upgrade its database.
func (c hubConfig) upgrades(f *Facts) bool {
	if at(c.next, "hub", "db", "upgrade") == true || at(c.next, "hub", "config", "JupyterHub", "upgrade_db") == true {
		return true
	}
	return slices.ContainsFunc(f.Objects, func(p plan.Pair) bool {
		for _, ctr := range listAt(podSpec(p.New), "containers") {
			for _, list := range []string{"args", "command"} {
				for _, a := range listAt(ctr, list) {
					if s, _ := a.(string); strings.Contains(s, "--upgrade-db") {
						return true
					}
				}
			}
		}
		for _, s := range texts(p.New) {
			if strings.Contains(s, "upgrade_db = True") {
				return true
			}
		}
		return false
	})
}

// singleuserVersion compares the JupyterHub of the hub with that of the notebook.
func singleuserVersion(f *Facts) []Finding {
	var out []Finding
	for _, c := range hubConfigs(f) {
		_, hub := c.hubVersions(f)
		notebook, from := version(f.Tested), "as the image suite saw it"
		if notebook == nil {
			if i := c.notebook(f); i != nil && i.Config != nil {
				notebook, from = version(cmp.Or(i.Config.Env["JUPYTERHUB_VERSION"], i.Config.Labels["org.jupyter.jupyterhub.version"])), "as the image says"
			}
		}
		if hub == nil || notebook == nil || hub.Major() == notebook.Major() {
			continue
		}
		out = append(out, Finding{Code: codes.SingleuserVersion, Object: "value " + below(c.path, "singleuser.image"),
			Cause: fmt.Sprintf("the hub will be JupyterHub %s, the notebook image holds %s (%s)", hub, notebook, from),
			Fix:   fmt.Sprintf("install jupyterhub %d in the notebook image", hub.Major())})
	}
	return out
}

// notebook is the image that users' servers run by default.
func (c hubConfig) notebook(f *Facts) *Image {
	want := spec(at(c.next, "singleuser", "image"))
	for i := range f.Images {
		if f.Images[i].Ref == want && want != "" {
			return &f.Images[i]
		}
	}
	return nil
}

// capable are the commands that start a single-user server, or find out that they
// were started by a hub.
var capable = []string{"jupyterhub-singleuser", "start-singleuser", "start-notebook", "jupyter-labhub", "singleuser", "repo2docker-entrypoint"}

// singleuserCommand looks at what starts in a user's pod when the values name no
// command.
func singleuserCommand(f *Facts) []Finding {
	var out []Finding
	for _, c := range hubConfigs(f) {
		_, chart := c.chartVersions(f)
		cmd := at(c.next, "singleuser", "cmd")
		if list, ok := cmd.([]any); chart == nil || cmd != nil && cmd != "" && (!ok || len(list) > 0) {
			continue
		}
		if at(c.next, "hub", "config", "KubeSpawner", "cmd") != nil || at(c.next, "hub", "config", "Spawner", "cmd") != nil {
			continue
		}
		i := c.notebook(f)
		if i == nil || i.Config == nil {
			continue
		}
		words := append(slices.Clone(i.Config.Entrypoint), i.Config.Cmd...)
		if slices.ContainsFunc(words, func(w string) bool {
			return slices.ContainsFunc(capable, func(known string) bool { return strings.Contains(w, known) })
		}) {
			continue
		}
		out = append(out, Finding{Code: codes.SingleuserCmd, Object: "value " + below(c.path, "singleuser.cmd"),
			Cause: "it names no command, so the image's own runs, which is not known to be a single-user server",
			Fix:   "set " + below(c.path, "singleuser.cmd") + ": jupyterhub-singleuser"})
	}
	return out
}
