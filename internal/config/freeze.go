package config

import (
	"fmt"
	"slices"
	"time"
	_ "time/tzdata" // zones by name also where the machine has none

	"gauntlet/internal/lint"
)

// weekdays as a policy writes them, Sunday first as in package time.
var weekdays = []string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"}

// Span says whether the window is open at a time and, when it is, until when. A window
// of every week is a span of one day: one that goes on over midnight is several spans.
func (w Freeze) Span(at time.Time) (end time.Time, open bool) {
	if len(w.Weekdays) == 0 {
		return w.To, !at.Before(w.From) && at.Before(w.To)
	}
	from, to := w.on(at)
	return to, slices.Contains(w.Weekdays, weekdays[at.In(w.zone()).Weekday()]) && !at.Before(from) && at.Before(to)
}

// Next is when the window opens next after a time at which it is closed, zero when it
// never does.
func (w Freeze) Next(after time.Time) time.Time {
	if len(w.Weekdays) == 0 {
		if w.From.After(after) {
			return w.From
		}
		return time.Time{}
	}
	for day := range 8 {
		at := after.In(w.zone()).AddDate(0, 0, day)
		from, _ := w.on(at)
		if from.After(after) && slices.Contains(w.Weekdays, weekdays[from.Weekday()]) {
			return from
		}
	}
	return time.Time{}
}

// on is when the window of every week begins and ends on the day of a time, by the
// clocks of its zone.
func (w Freeze) on(at time.Time) (from, to time.Time) {
	y, m, d := at.In(w.zone()).Date()
	after, _ := clock(w.After, 0)
	before, _ := clock(w.Before, 24*60)
	return time.Date(y, m, d, 0, after, 0, 0, w.zone()), time.Date(y, m, d, 0, before, 0, 0, w.zone())
}

// zone is the zone of a window, which the parser has looked up.
func (w Freeze) zone() *time.Location {
	if w.location == nil {
		return time.UTC
	}
	return w.location
}

// zone finds a zone by its IANA name. The machine's own zone is none: a policy means
// the same everywhere.
func zone(name string) (*time.Location, error) {
	if name == "" {
		return time.UTC, nil
	}
	if name == "Local" {
		return nil, fmt.Errorf("no zone %q", name)
	}
	return time.LoadLocation(name)
}

// clock reads a time of day as minutes since midnight, or gives the default for "".
func clock(s string, ifEmpty int) (int, error) {
	if s == "" {
		return ifEmpty, nil
	}
	if s == "24:00" {
		return 24 * 60, nil
	}
	t, err := time.Parse("15:04", s)
	if err != nil || len(s) != len("15:04") {
		return 0, fmt.Errorf("%q is no time of day", s)
	}
	return t.Hour()*60 + t.Minute(), nil
}

// maxFreezes keeps the search for the end of windows that follow each other short.
const maxFreezes = 1000

func (d *document) checkFreezes(p *Policy) {
	if len(p.Freeze) > maxFreezes {
		d.bad("freeze", fmt.Sprintf("there are %d windows, more than %d", len(p.Freeze), maxFreezes), "take out those that are over")
	}
	var tiers []string
	for _, t := range p.Tiers {
		tiers = append(tiers, t.Name)
	}
	for i := range p.Freeze {
		w, field := &p.Freeze[i], item("freeze", i)
		d.names(child(field, "tiers"), "tier", w.Tiers)
		d.names(child(field, "hubs"), "hub", w.Hubs)
		for j, t := range w.Tiers {
			if f := item(child(field, "tiers"), j); t != "" && !slices.Contains(tiers, t) && !d.reported(f) && !d.reported("tiers") {
				fix := "write " + oneOf(tiers)
				if near := lint.Nearest(t, tiers); near != "" {
					fix = "did you mean " + near + "?"
				}
				d.bad(f, fmt.Sprintf("there is no tier %q", t), fix)
			}
		}
		d.need(child(field, "reason"), w.Reason, "what is waited for")
		d.checkSpan(field, w)
	}
}

// checkSpan checks when a window is open.
func (d *document) checkSpan(field string, w *Freeze) {
	written := func(key string) bool { _, ok := d.at[child(field, key)]; return ok }
	once := written("from") || written("to")
	weekly := slices.ContainsFunc([]string{"weekdays", "after", "before", "timezone"}, written)
	switch {
	case once && weekly:
		d.bad(field, "it is once (from, to) and every week (weekdays) at the same time", "make two windows of it")
		return
	case !once && !weekly:
		if !d.reported(field) {
			d.bad(field, "it does not say when", "add from: 2026-12-20T00:00:00Z, to: 2027-01-05T00:00:00Z, or weekdays: [Fri]")
		}
		return
	case once:
		for key, t := range map[string]time.Time{"from": w.From, "to": w.To} {
			if f := child(field, key); t.IsZero() && !d.reported(f) {
				d.bad(f, "it is required", "add "+key+": 2026-12-20T00:00:00Z")
			}
		}
		if !w.From.IsZero() && !w.To.IsZero() && !w.To.After(w.From) {
			d.bad(child(field, "to"), "it ends before it begins", "write a later time")
		}
		return
	}
	if len(w.Weekdays) == 0 && !d.reported(child(field, "weekdays")) {
		d.bad(child(field, "weekdays"), "it names no day", "add weekdays: [Fri]")
	}
	for i, day := range w.Weekdays {
		f := item(child(field, "weekdays"), i)
		switch {
		case d.reported(f):
		case !slices.Contains(weekdays, day):
			d.bad(f, fmt.Sprintf("there is no weekday %q", day), "write "+oneOf(append(slices.Clone(weekdays[1:]), weekdays[0])))
		case slices.Index(w.Weekdays, day) < i:
			d.bad(f, fmt.Sprintf("%q stands twice", day), "keep one of the two")
		}
	}
	after, aerr := clock(w.After, 0)
	before, berr := clock(w.Before, 24*60)
	for key, err := range map[string]error{"after": aerr, "before": berr} {
		if f := child(field, key); err != nil && !d.reported(f) {
			d.bad(f, err.Error(), `write it as "15:00"`)
		}
	}
	if aerr == nil && berr == nil && before <= after {
		d.bad(child(field, "before"), "it ends before it begins", "a window is within one day: name the next day in a window of its own")
	}
	if f := child(field, "timezone"); !d.reported(f) {
		var err error
		if w.location, err = zone(w.Timezone); err != nil {
			d.bad(f, fmt.Sprintf("there is no time zone %q", w.Timezone), "write a name of the IANA database, such as Europe/Berlin or America/Los_Angeles")
		}
	}
}
