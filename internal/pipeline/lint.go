package pipeline

import (
	"errors"

	"gauntlet/internal/config"
	"gauntlet/internal/lint"
)

// lintFiles warns of secrets in plain text in the values files, and of values that the
// chart does not know. The error is what gauntlet.yaml makes errors of.
func (w *Workspace) lintFiles(c *checkout) error {
	var keys *lint.Keys
	if len(c.chart) > 0 {
		var err error
		if keys, err = lint.KeysOf(c.chart); err != nil {
			keys = nil // rendering says what is wrong with it
		}
	}
	var errs []error
	seen := map[string]bool{}
	for _, name := range w.hubNames("") {
		for _, file := range w.Platform.Hubs[name].Values {
			if seen[file] {
				continue
			}
			seen[file] = true
			data, err := w.read(file, "values of hub "+name)
			if err != nil {
				continue // told already
			}
			problems := config.LintValues(file, data, keys).Weigh(w.Platform.Preflight.Severities())
			w.warn(problems)
			errs = append(errs, problems.Err())
		}
	}
	return errors.Join(errs...)
}

// warn tells of problems that do not stand in the way.
func (w *Workspace) warn(problems config.Problems) {
	for _, p := range problems.Warnings() {
		w.tell("config", "", Warned, "", p.Error())
	}
}
