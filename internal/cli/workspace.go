package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gauntlet/internal/gate"
	"gauntlet/internal/pipeline"
)

// open opens the platform of the --file flag, telling progress on standard error.
func (a *app) open() (*pipeline.Workspace, error) {
	return pipeline.Open(pipeline.Options{File: a.file, Key: a.key, Observe: a.progress().Event})
}

// print writes a result: as JSON, or with the function for people.
func (a *app) print(v any, people func()) error {
	if a.format != "json" {
		people()
		return nil
	}
	enc := json.NewEncoder(a.out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(true)
	return enc.Encode(v)
}

// say prints one line, or its JSON form.
func (a *app) say(line string, err error) error {
	if err != nil {
		return err
	}
	return a.print(map[string]string{"result": line}, func() { fmt.Fprintln(a.out, plain(line)) })
}

// verdict shows why a gate did not allow, when err is that; it returns err.
func (a *app) verdict(err error) error {
	var (
		pending *pipeline.PendingError
		denied  *pipeline.DeniedError
		v       gate.Verdict
		head    string
	)
	switch {
	case errors.As(err, &pending):
		v, head = pending.Verdict, fmt.Sprintf("release %s waits before %s", pending.Release.Short(), place(pending.Tier, pending.Hub))
	case errors.As(err, &denied):
		v, head = denied.Verdict, fmt.Sprintf("release %s is denied %s", denied.Release.Short(), place(denied.Tier, denied.Hub))
	default:
		return err
	}
	if perr := a.print(v, func() {
		fmt.Fprintln(a.out, head+":")
		drawVerdict(a.out, v)
	}); perr != nil {
		return perr
	}
	return err
}

func place(tier, hub string) string {
	if hub == "" {
		return tier
	}
	return fmt.Sprintf("%s (%s)", hub, tier)
}

// now is the time that ages are shown against.
func now() time.Time { return time.Now() }
