package gate

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gauntlet/internal/config"
)

// A Freeze is a freeze window of the policy that is open, or will be.
type Freeze struct {
	Tiers  []string  `json:"tiers,omitempty"`
	Hubs   []string  `json:"hubs,omitempty"` // with no tier and no hub it stops everything
	Reason string    `json:"reason"`
	From   time.Time `json:"from,omitzero"` // when it will open; zero when it is open
	To     time.Time `json:"to,omitzero"`   // when an open one ends; zero when it will not within a year
}

// Of is what the window stops, for people.
func (w Freeze) Of() string {
	var of []string
	if len(w.Tiers) > 0 {
		of = append(of, "tier "+listed(w.Tiers))
	}
	if len(w.Hubs) > 0 {
		of = append(of, "hub "+listed(w.Hubs))
	}
	if len(of) == 0 {
		return "everything"
	}
	return strings.Join(of, " and ")
}

// soon is how far ahead freeze windows are announced.
const soon = 7 * 24 * time.Hour

// Freezes are the freeze windows that are open now, then those that open within a
// week.
func Freezes(p config.Policy, now time.Time) []Freeze {
	var open, coming []Freeze
	for _, w := range p.Freeze {
		f := Freeze{Tiers: w.Tiers, Hubs: w.Hubs, Reason: w.Reason}
		if _, is := w.Span(now); is {
			f.To = thaw([]config.Freeze{w}, now)
			open = append(open, f)
		} else if f.From = w.Next(now); !f.From.IsZero() && f.From.Before(now.Add(soon)) {
			coming = append(coming, f)
		}
	}
	slices.SortStableFunc(coming, func(a, b Freeze) int { return a.From.Compare(b.From) })
	return append(open, coming...)
}

// thaw is when none of the windows is open any more, following those that begin where
// others end; zero when that is not within a year.
func thaw(windows []config.Freeze, now time.Time) time.Time {
	at := now
	for last := now.AddDate(1, 0, 0); at.Before(last); {
		next := at
		for _, w := range windows {
			if end, open := w.Span(at); open && end.After(next) {
				next = end
			}
		}
		if next.Equal(at) {
			return at
		}
		at = next
	}
	return time.Time{}
}

// noFreeze: no freeze window of the policy is open for the tier, or for the hub. It is
// waited out, or overridden.
func (f *facts) noFreeze(t config.Tier, hub string) Requirement {
	r := Requirement{Name: "no-freeze", Decision: Allow, Reason: "no freeze window is open", skippable: true}
	var mine []config.Freeze
	var why []string
	for _, w := range f.Policy.Freeze {
		stops := len(w.Tiers)+len(w.Hubs) == 0 || slices.Contains(w.Tiers, t.Name) ||
			slices.ContainsFunc(w.Hubs, func(h string) bool { return f.touches(h, t, hub) })
		if !stops {
			continue
		}
		mine = append(mine, w)
		if _, open := w.Span(f.Now); open {
			why = append(why, w.Reason)
		}
	}
	if len(why) == 0 {
		return r
	}
	r.Decision = Wait
	r.Command = fmt.Sprintf("gauntlet override %s %s --reason \"…\" --expires 4h", t.Name, f.ID.Short())
	until := "until " + when(thaw(mine, f.Now))
	if thaw(mine, f.Now).IsZero() {
		until = "for more than a year"
	}
	r.Reason = fmt.Sprintf("the policy freezes it %s: %s", until, strings.Join(why, "; "))
	return r
}
