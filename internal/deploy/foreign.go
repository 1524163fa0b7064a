package deploy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gauntlet/internal/deploy/helm"
	"gauntlet/internal/kube"
	"gauntlet/internal/release"
)

// labelAdopted is on a revision that another tool made and that somebody took over: its
// own number, for the reason that labelRevision has it.
const labelAdopted = "gauntlet/adopted"

// adopted says whether the revision that bears these labels was taken over.
func adopted(labels map[string]string, revision int) bool {
	return labels[labelAdopted] == strconv.Itoa(revision)
}

// known says whether gauntlet made a revision or somebody took it over.
func known(r helm.Record) bool {
	return ours(r.Labels, r.Revision) || adopted(r.Labels, r.Revision)
}

// made says whether gauntlet made a revision, also one that went back to what was taken
// over and so is of no release.
func made(r helm.Record) bool { return r.Labels[labelRevision] == strconv.Itoa(r.Revision) }

// A LostError says that a hub runs with values that somebody gave by hand and that the
// new release does not have: they would silently be gone.
type LostError struct {
	Context, Namespace, ReleaseName string
	Revision                        int
	Paths                           []string // value paths, sorted; never a value
}

func (e *LostError) Error() string {
	return fmt.Sprintf("revision %d of Helm release %s/%s in cluster %s has values that this release lacks: %s: "+
		"`gauntlet adopt HUB` brings them into files, and then make a release with `gauntlet run`; or let them go with --drop PATH (%s)",
		e.Revision, e.Namespace, e.ReleaseName, e.Context, listed(e.Paths), "--drop "+kube.OneLine(e.Paths[0]))
}

// maxListed bounds how many names a message holds.
const maxListed = 40

// listed is names in a line, for people; they come from clusters.
func listed(names []string) string {
	var few []string
	for _, n := range names[:min(len(names), maxListed)] {
		few = append(few, kube.OneLine(n))
	}
	s := strings.Join(few, ", ")
	if more := len(names) - len(few); more > 0 {
		s += fmt.Sprintf(" and %d more", more)
	}
	return s
}

// lost finds what foreign revisions of a history were given that the request lacks:
// those of the newest, and when it failed those of the one that ran before.
func (r Request) lost(history []helm.Record) error {
	for _, rec := range foreignOf(history) {
		paths := rec.Running().Values.LackingIn(r.Values)
		left := slices.DeleteFunc(paths, func(p string) bool { return within(p, r.Drop) })
		if len(left) > 0 {
			return &LostError{Context: r.Client.Context, Namespace: r.Namespace, ReleaseName: r.ReleaseName, Revision: rec.Revision, Paths: left}
		}
	}
	return nil
}

// dropped is what lost would find and the request lets go.
func (r Request) dropped(history []helm.Record) []string {
	var out []string
	for _, rec := range foreignOf(history) {
		for _, p := range rec.Running().Values.LackingIn(r.Values) {
			if within(p, r.Drop) && !slices.Contains(out, p) {
				out = append(out, p)
			}
		}
	}
	slices.Sort(out)
	return out
}

// foreignOf are the revisions of another tool that may be live.
func foreignOf(history []helm.Record) []helm.Record {
	if len(history) == 0 || history[0].Status == helm.Uninstalled || ours(history[0].Labels, history[0].Revision) {
		return nil
	}
	out := history[:1:1]
	if history[0].Status == helm.Deployed {
		return out
	}
	for _, rec := range history[1:] {
		if rec.Status == helm.Deployed && !ours(rec.Labels, rec.Revision) {
			return append(out, rec)
		}
	}
	return out
}

// within says whether a path is one of others or below one.
func within(path string, others []string) bool {
	p, err := release.ParsePath(path)
	if err != nil {
		return slices.Contains(others, path)
	}
	return slices.ContainsFunc(others, func(o string) bool {
		q, err := release.ParsePath(o)
		return err == nil && p.Within(q)
	})
}
