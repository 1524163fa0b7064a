package deploy

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"gauntlet/internal/deploy/helm"
	"gauntlet/internal/hubdb"
	"gauntlet/internal/kill"
	"gauntlet/internal/kube"
)

// labelBackup is on a revision before which the hub's database was copied because it
// migrates it: the stamp of the copy. A rollback finds it there without any registry.
const labelBackup = "gauntlet/backup"

// Database says what a rollback does about a hub's database that was migrated since.
type Database string

// Of a Database.
const (
	AskDatabase     Database = ""        // refuse with a MigratedError
	RestoreDatabase Database = "restore" // put the copy from before back
	KeepDatabase    Database = "keep"    // leave it as it is
)

// A MigratedError says that a hub's database was migrated since the revision that it shall
// go back to, so that somebody has to decide. Nothing was changed.
type MigratedError struct {
	Revision int             // before which the copy was made
	Copy     string          // its stamp
	Loss     *hubdb.Restored // what putting it back costs; nil when the hub does not run and cannot be asked
	Why      error           // then
}

func (e *MigratedError) Error() string {
	text := fmt.Sprintf("revision %d has migrated the hub's database, which the JupyterHub from before cannot read.\n", e.Revision)
	switch {
	case e.Loss == nil:
		text += fmt.Sprintf("    the copy of %s can be put back; what came since is then lost to the hub, and cannot be told now (%s)\n", e.Copy, kube.OneLine(e.Why.Error()))
	case len(e.Loss.Users)+len(e.Loss.Servers) == 0:
		text += fmt.Sprintf("    the copy of %s can be put back: no user and no running server has come since\n", e.Copy)
	default:
		text += fmt.Sprintf("    the copy of %s can be put back; the hub then no longer knows %s\n", e.Copy, loss(*e.Loss))
	}
	return text + "    fix: --restore-database puts it back, and keeps the migrated one beside it; --keep-database leaves it"
}

// loss names what a hub no longer knows.
func loss(r hubdb.Restored) string {
	var parts []string
	for _, p := range []struct {
		what string
		list []string
	}{{"users", r.Users}, {"running servers", r.Servers}} {
		if len(p.list) == 0 {
			continue
		}
		const most = 10
		shown := p.list[:min(most, len(p.list))]
		text := kube.OneLine(strings.Join(shown, ", "))
		if more := len(p.list) - len(shown); more > 0 {
			text += fmt.Sprintf(" and %d more", more)
		}
		parts = append(parts, p.what+" "+text)
	}
	return strings.Join(parts, "; ")
}

// copyBefore is the copy of the database that was made before the first revision after to
// that migrated it; "" when none did.
func copyBefore(history []helm.Record, to int) (stamp string, revision int) {
	for _, r := range history { // the newest first
		if s := r.Labels[labelBackup]; s != "" && r.Revision > to && made(r) {
			stamp, revision = s, r.Revision
		}
	}
	return stamp, revision
}

// restoreDatabase puts the hub's database back to what it was at the revision that the hub
// goes back to, where it was migrated since. The hub is stopped for that: start lets it
// run again when the objects of that revision are applied. After an error it runs as before.
func restoreDatabase(ctx context.Context, c *kube.Client, r Request, history []helm.Record, way back, do Database) (out *hubdb.Restored, start func() error, err error) {
	start = func() error { return nil }
	stamp, revision := copyBefore(history, way.target.Revision)
	if stamp == "" {
		return nil, start, nil
	}
	start = func() error { return hubdb.Start(ctx, c, r.Namespace) }
	if do == KeepDatabase {
		return nil, start, nil
	}
	if do == AskDatabase {
		loss, err := hubdb.Look(ctx, c, r.Namespace, stamp)
		if err == nil && !loss.Migrated() {
			return nil, start, nil
		}
		asked := &MigratedError{Revision: revision, Copy: stamp, Why: err}
		if err == nil {
			asked.Loss = &loss
		}
		return nil, start, asked
	}
	r.tell(Event{Step: "database", Message: "the hub stops: its database, which revision " + fmt.Sprint(revision) + " migrated, is put back"})
	defer func() {
		if err != nil && ctx.Err() == nil {
			err = errors.Join(err, start())
		}
	}()
	if err := hubdb.Stop(ctx, c, r.Namespace); err != nil {
		return nil, start, err
	}
	kill.At("rollback:stopped")
	res, err := hubdb.Restore(ctx, c, r.Namespace, stamp)
	if err != nil {
		return nil, start, fmt.Errorf("put the hub's database back: %w", err)
	}
	kill.At("rollback:restored")
	text := "the database has the schema of the copy already and stays as it is"
	if res.Migrated() {
		text = fmt.Sprintf("the copy %s is put back; the migrated database is kept as %s", kube.OneLine(res.File), kube.OneLine(res.Kept))
		if lost := loss(res); lost != "" {
			text += "; the hub no longer knows " + lost
		}
	}
	r.tell(Event{Step: "database", Message: text})
	return &res, start, nil
}

// starting is a waiter that lets a hub run again which was stopped, when what it shall run
// is applied: a manifest need not say how many pods it has.
type starting struct {
	helm.Waiter
	start func() error
}

func (w starting) Rollout(objects []helm.Object, timeout time.Duration) error {
	if err := w.start(); err != nil {
		return err
	}
	return w.Waiter.Rollout(objects, timeout)
}
