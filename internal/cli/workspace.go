package cli

import (
	"errors"
	"fmt"
	"os"
	"time"

	"gauntlet/internal/pipeline"
)

// open opens the platform of the --file flag, telling progress on standard error.
func (a *app) open() (*pipeline.Workspace, error) {
	key := a.key
	if key == "" {
		key = os.Getenv("GAUNTLET_KEY")
	}
	return pipeline.Open(pipeline.Options{File: a.file, Key: key, Version: version(), Observe: a.progress().Event})
}

// print writes a result: as JSON, or with the function for people.
func (a *app) print(v any, people func()) error {
	a.settle()
	if a.format != "json" {
		people()
		return nil
	}
	return writeJSON(a.out, v, "  ")
}

// say prints one line, or its JSON form.
func (a *app) say(line string, err error) error {
	if err != nil {
		return err
	}
	return a.print(map[string]string{"result": line}, func() { fmt.Fprintln(a.out, plain(line)) })
}

// answered is what a gate said, when err is that it did not allow.
func answered(err error) (pipeline.Answer, bool) {
	var pending *pipeline.PendingError
	var denied *pipeline.DeniedError
	switch {
	case errors.As(err, &pending):
		return pending.Answer, true
	case errors.As(err, &denied):
		return denied.Answer, true
	}
	return pipeline.Answer{}, false
}

// verdict shows why a gate did not allow, when err is that; it returns err.
func (a *app) verdict(err error) error {
	v, ok := answered(err)
	if !ok {
		return err
	}
	if perr := a.print(v, func() { drawAnswer(a.out, v) }); perr != nil {
		return perr
	}
	return err
}

// now is the time that ages are shown against.
func now() time.Time { return time.Now() }
