package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gauntlet/internal/deploy/helm"
	"gauntlet/internal/hubdb"
	"gauntlet/internal/kill"
	"gauntlet/internal/kube"
)

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
	Copy     string          // the stamp of the copy
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

// A NoCopyError says that a hub's database was migrated since the revision that it shall
// go back to, and that gauntlet has no copy from before. Nothing was changed.
type NoCopyError struct {
	Revision int // that migrated it
}

func (e *NoCopyError) Error() string {
	return fmt.Sprintf("revision %d has migrated the hub's database, which the JupyterHub from before cannot read, and gauntlet has no copy of it: "+
		"it is on a server of its own, or --no-backup was asked for\n"+
		"    fix: stop the hub, put your own backup back, and go back with --keep-database; or mend the newer hub", e.Revision)
}

// A restoration is what became of a hub's database before the hub goes back.
type restoration struct {
	restored *hubdb.Restored // nil when nothing was put back
	undone   string          // for labelRestored; "" when no migration is undone
}

// restoreDatabase puts the hub's database back to what it was at the revision that the hub
// goes back to, where it was migrated since. The hub is stopped for that, until what it
// shall run is applied. After an error it runs as before.
func restoreDatabase(ctx context.Context, c *kube.Client, r Request, history []helm.Record, way back, do Database) (out restoration, err error) {
	past := migrations(history, way.target.Revision)
	if len(past) == 0 || do == KeepDatabase {
		return restoration{}, nil
	}
	first := past[0]
	if first.stamp == hubdb.None {
		return restoration{}, uncopied(ctx, c, r, first)
	}
	// Later ones without a copy are undone with the first.
	copies := slices.DeleteFunc(stamps(past), func(s string) bool { return s == hubdb.None })
	if do == AskDatabase {
		loss, err := hubdb.Look(ctx, c, r.Namespace, copies)
		if err == nil && !loss.Migrated() {
			return restoration{undone: first.stamp}, nil
		}
		asked := &MigratedError{Revision: first.revision, Copy: first.stamp, Why: err}
		if err == nil {
			asked.Loss = &loss
		}
		return restoration{}, asked
	}
	again, err := hubdb.Of(way.target.Manifest())
	if err != nil {
		return restoration{}, fmt.Errorf("put the hub's database back: revision %d: %w", way.target.Revision, err)
	}
	r.tell(Event{Step: "database", Message: fmt.Sprintf("the hub stops: its database, which revision %d migrated, is put back", first.revision)})
	defer func() {
		if err != nil {
			err = errors.Join(err, startAgain(ctx, c, r.Namespace))
		}
	}()
	if err := hubdb.Stop(ctx, c, r.Namespace); err != nil {
		return restoration{}, err
	}
	kill.At("rollback:stopped")
	res, err := hubdb.Restore(ctx, c, r.Namespace, copies, again)
	if err != nil {
		return restoration{}, fmt.Errorf("put the hub's database back: %w", err)
	}
	kill.At("rollback:restored")
	r.tell(Event{Step: "database", Message: toldOf(res)})
	return restoration{restored: &res, undone: first.stamp}, nil
}

// toldOf says what became of a database.
func toldOf(res hubdb.Restored) string {
	if !res.Migrated() {
		return "the database has the schema of the copy already and stays as it is"
	}
	text := fmt.Sprintf("the copy %s is put back; the migrated database is kept as %s", kube.OneLine(res.File), kube.OneLine(res.Kept))
	if lost := loss(res); lost != "" {
		text += "; the hub no longer knows " + lost
	}
	return text
}

// uncopied refuses to go back past a migration of which there is no copy, unless the hub
// that would have made it has never run.
func uncopied(ctx context.Context, c *kube.Client, r Request, m migration) error {
	begun, err := hubdb.Begun(ctx, c, r.Namespace)
	if err != nil {
		return err
	}
	if begun {
		return &NoCopyError{Revision: m.revision}
	}
	r.tell(Event{Step: "database", Message: fmt.Sprintf("the hub of revision %d has never run, so that its database is as it was", m.revision)})
	return nil
}

// startAgain starts a hub that was stopped for nothing, also when ctx has ended: its users
// need not wait for whoever stopped the command.
func startAgain(ctx context.Context, c *kube.Client, namespace string) error {
	const limit = 2 * time.Minute
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), limit, fmt.Errorf("not done in %s", limit))
	defer cancel()
	if err := hubdb.Start(ctx, c, namespace); err != nil {
		return fmt.Errorf("start the hub again: %w", err)
	}
	return nil
}

// settleHub ends what a rollback that was killed has left of putting a database back. A
// hub that it left stopped runs once restart is called, when what it shall run is applied:
// until then it might migrate once more what is back.
func settleHub(ctx context.Context, c *kube.Client, namespace string) (restart func() error, err error) {
	return func() error { return hubdb.Start(ctx, c, namespace) }, hubdb.Settle(ctx, c, namespace)
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
