package deploy

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gauntlet/internal/deploy/helm"
)

// Labels by which a rollback knows, without any registry, what became of a hub's database.
// A value begins with the number of its own revision, "7-20261126T170102Z", for the reason
// that labelRevision has it: Helm hands the labels of one revision on to the next, and
// that one has migrated nothing.
const (
	// labelBackup is on a revision that migrates the hub's database: the stamp of the copy
	// from before, or hubdb.None.
	labelBackup = "gauntlet/backup"
	// labelRestored is on a revision that goes back and for which a database was to be put
	// back: the stamp of the first migration that this undoes.
	labelRestored = "gauntlet/restored"
)

// note is the value of such a label.
func note(revision int, stamp string) string { return fmt.Sprintf("%d-%s", revision, stamp) }

// noted reads such a label, "" when the revision does not bear one of its own.
func noted(labels map[string]string, label string, revision int) string {
	number, stamp, _ := strings.Cut(labels[label], "-")
	if number != strconv.Itoa(revision) || labels[labelRevision] != number {
		return ""
	}
	return stamp
}

// A migration is a revision that migrated the hub's database, or was about to.
type migration struct {
	revision int
	stamp    string // of the copy from before; hubdb.None when there is none
}

// migrations are those that lie between what the hub has now and what revision to had, the
// oldest first. What a rollback that ran has undone is none any more.
func migrations(history []helm.Record, to int) []migration {
	var out []migration
	for _, r := range slices.Backward(history) { // the oldest first
		if r.Revision <= to {
			continue
		}
		if s := noted(r.Labels, labelBackup, r.Revision); s != "" {
			out = append(out, migration{r.Revision, s})
		}
		s := noted(r.Labels, labelRestored, r.Revision)
		if s == "" || r.Status != helm.Deployed && r.Status != helm.Superseded {
			continue // one that failed may be done again: what is back already stays as it is
		}
		if i := slices.IndexFunc(out, func(m migration) bool { return m.stamp == s }); i >= 0 {
			out = out[:i]
		}
	}
	return out
}

// stamps are the copies of migrations, in their order.
func stamps(list []migration) []string {
	var out []string
	for _, m := range list {
		out = append(out, m.stamp)
	}
	return out
}
