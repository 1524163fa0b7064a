package preflight

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"gauntlet/internal/check"
	"gauntlet/internal/preflight/codes"
)

// Suite is the name of the suite that a preflight is recorded as.
const Suite = "preflight"

// Result is the findings as the result of a suite, with a check for every code.
func Result(found []Finding, severities map[string]codes.Severity, started, finished time.Time) check.Result {
	r := check.Result{Suite: Suite, Digest: digest(severities), State: check.Passed, Started: started, Finished: finished}
	for _, c := range codes.All {
		if severities[c.Name] == codes.Off && !c.Fixed {
			continue
		}
		o := check.Outcome{Name: c.Name, State: check.Passed}
		n := 0
		for _, f := range found { // the errors first
			if f.Code != c.Name {
				continue
			}
			if n++; n > 1 {
				continue
			}
			o.State, o.Message = check.Warned, f.told()
			if f.Severity == codes.Error {
				o.State = check.Failed
			}
			if f.Set {
				o.Message = fmt.Sprintf("%s by gauntlet.yaml: %s", f.Severity, o.Message)
			}
		}
		if n > 1 {
			o.Message = fmt.Sprintf("%d: %s", n, o.Message)
		}
		switch {
		case o.State == check.Failed:
			r.State = check.Failed
		case o.State == check.Warned && r.State == check.Passed:
			r.State = check.Warned
		}
		r.Outcomes = append(r.Outcomes, o)
	}
	return r
}

// form says what is looked for; it changes when that changes.
const form = "preflight v1"

func digest(severities map[string]codes.Severity) string {
	b, err := json.Marshal([]any{form, codes.All, severities})
	if err != nil {
		panic(err) // of texts and numbers
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// A RefusedError says what stops a deployment.
type RefusedError struct{ Findings []Finding }

func (e *RefusedError) Error() string {
	f := e.Findings[0]
	s := f.String()
	if f.Fix != "" {
		s += "\n    fix: " + f.Fix
	}
	if n := len(e.Findings) - 1; n > 0 {
		s += fmt.Sprintf("\n    and %d more; nothing was touched", n)
	} else {
		s += "\n    nothing was touched"
	}
	return s
}
