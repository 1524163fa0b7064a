package gate

import (
	"fmt"
	"slices"
	"time"

	"gauntlet/internal/config"
)

// order: the hubs of the tier that come before the one asked for run the release
// and passed their suites. Hubs of one wave, and interchangeable ones, have no order.
func (f *facts) order(t config.Tier) []Requirement {
	if f.Hub == "" || t.Hubs == "any" {
		return nil
	}
	waves := f.waves(t)
	mine := slices.IndexFunc(waves, func(w []string) bool { return slices.Contains(w, f.Hub) })
	var rs []Requirement
	for _, h := range slices.Concat(waves[:max(mine, 0)]...) {
		t := t
		t.Soak = 0
		shown := f.passedHub(t, h, true)
		r := Requirement{Name: "order:" + h, Decision: Allow, Reason: fmt.Sprintf("hub %s, which comes before %s, runs it and passed", h, f.Hub)}
		for _, s := range shown {
			r.Evidence = append(r.Evidence, s.Evidence...)
			if s.Since.After(r.Since) {
				r.Since = s.Since
			}
			if s.Decision != Allow && worse(r.Decision, s.Decision) != r.Decision {
				r.Decision, r.Command = s.Decision, s.Command
				r.Reason = fmt.Sprintf("hub %s comes before %s: %s", h, f.Hub, s.Reason)
			}
		}
		if r.Decision != Allow {
			r.Since = time.Time{}
		}
		rs = append(rs, r)
	}
	return rs
}
