package deploy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gauntlet/internal/kube"
)

// A StuckError says why a wait for what Helm applied ended without success. It holds
// what was read while it was there: Helm and controllers remove what explains a
// failure when they give up.
type StuckError struct {
	Object string        // what was waited for: "Deployment/hub"
	Reason string        // as in package kube
	Cause  string        // one line; quotes the cluster
	After  time.Duration // since the wait began
	Causes []Cause       // all that was wrong then, the worst first; the first is the one above
}

// A Cause is what was wrong with something that was waited for.
type Cause struct {
	Object  string    `json:"object"` // what was waited for
	Reason  string    `json:"reason"`
	Cause   string    `json:"cause"`
	Subject string    `json:"subject,omitempty"` // what it is about, when that is another: "Pod/hub-7d9"
	Since   time.Time `json:"since,omitzero"`    // when it was first named
}

// mostCauses is how many causes an error tells.
const mostCauses = 5

func (e *StuckError) Error() string {
	s := fmt.Sprintf("%s does not come up (%s after %s): %s", e.Object, e.Reason, e.After.Round(time.Second), e.Cause)
	for i, c := range e.Causes {
		switch {
		case i == 0:
		case i == mostCauses:
			return s + fmt.Sprintf("\n  and %d more", len(e.Causes)-i)
		default:
			s += fmt.Sprintf("\n  beside it, %s: %s: %s", c.Object, c.Reason, c.Cause)
		}
	}
	return s
}

// A problem keeps an object from being done.
type problem struct {
	kube.Cause
	Grace time.Duration // it ends the wait when it lasts so long; 0: at once; forever: never by itself
	log   *logAt        // of a container that says more
}

const forever = time.Duration(-1)

// A status is how far one object is.
type status struct {
	Object   string
	Done     bool
	Text     string // "1 of 2 ready"
	Normal   string // what is usual for what it does now
	Problems []problem
}

// line is the status for people.
func (s status) line() string {
	line := s.Text
	for i, p := range s.Problems {
		if i == mostCauses {
			return line + fmt.Sprintf("; and %d more", len(s.Problems)-i)
		}
		line += "; " + p.Message
	}
	return line
}

// group makes one problem of those with the same reason: what ails one pod of many
// often ails them all, and a pod that is made anew has another name.
func group(problems []problem) []problem {
	var out []problem
	more := map[string][]string{}
	for _, p := range problems {
		i := slices.IndexFunc(out, func(o problem) bool { return o.Reason == p.Reason })
		switch {
		case i < 0:
			out = append(out, p)
		case p.Object != out[i].Object:
			more[p.Reason] = append(more[p.Reason], p.Object)
		}
	}
	for i := range out {
		if names := more[out[i].Reason]; len(names) > 0 {
			const most = 5
			list := strings.Join(names[:min(len(names), most)], ", ")
			if len(names) > most {
				list += ", …"
			}
			out[i].Message += fmt.Sprintf(" (and %d more like it: %s)", len(names), list)
		}
	}
	return out
}

// A named problem is one that has been seen.
type named struct {
	object      string
	problem     problem
	first, last time.Time
	told        string // how it was last told
	toldAt      time.Time
}

// ends is when the problem ends the wait; zero when it does not by itself.
func (n *named) ends() time.Time {
	if n.problem.Grace == forever {
		return time.Time{}
	}
	return n.first.Add(n.problem.Grace)
}

// troubles are the problems of a wait, by what they are about. One that comes and
// goes (a pull that is tried again, a container that is started again) keeps its
// clock.
type troubles map[string]*named

// lull is how long a problem may be out of sight before it counts as over.
const lull = 15 * time.Second

// see notes what is wrong now, and returns what is new and what is over.
func (t troubles) see(all []status, now time.Time) (fresh, over []*named) {
	for _, s := range all {
		if s.Done && len(s.Problems) == 0 {
			t.drop(s.Object, &over)
			continue
		}
		for _, p := range s.Problems {
			key := s.Object + "\x00" + p.Reason
			n := t[key]
			if n == nil {
				n = &named{object: s.Object, first: now}
				t[key] = n
				fresh = append(fresh, n)
			}
			n.problem, n.last = p, now
		}
	}
	for key, n := range t {
		if now.Sub(n.last) > lull {
			delete(t, key)
			over = append(over, n)
		}
	}
	byAge(fresh)
	byAge(over)
	return fresh, over
}

// skip leaves a time out of the clocks of all problems: nobody looked.
func (t troubles) skip(d time.Duration) {
	for _, n := range t {
		n.first, n.last = n.first.Add(d), n.last.Add(d)
	}
}

// drop ends the problems of an object that is done.
func (t troubles) drop(object string, over *[]*named) {
	for key, n := range t {
		if n.object == object {
			delete(t, key)
			*over = append(*over, n)
		}
	}
}

func byAge(list []*named) {
	slices.SortFunc(list, func(a, b *named) int {
		return cmp.Or(a.first.Compare(b.first), strings.Compare(a.object+a.problem.Object+a.problem.Reason, b.object+b.problem.Object+b.problem.Reason))
	})
}

// worst are the problems that there are now, those that end the wait first before.
func (t troubles) worst(now time.Time) []*named {
	var list []*named
	for _, n := range t {
		if n.last.Equal(now) {
			list = append(list, n)
		}
	}
	byAge(list)
	slices.SortStableFunc(list, func(a, b *named) int {
		x, y := a.ends(), b.ends()
		switch {
		case x.IsZero() && y.IsZero():
			return 0
		case x.IsZero():
			return 1
		case y.IsZero():
			return -1
		}
		return x.Compare(y)
	})
	return list
}

// judge ends a wait whose worst problem has lasted longer than its grace.
func (t troubles) judge(begun, now time.Time) error {
	list := t.worst(now)
	if len(list) == 0 {
		return nil
	}
	if end := list[0].ends(); end.IsZero() || now.Before(end) {
		return nil
	}
	return stuck(list, now.Sub(begun))
}

func stuck(list []*named, after time.Duration) *StuckError {
	e := &StuckError{Object: list[0].object, Reason: list[0].problem.Reason, Cause: list[0].problem.Message, After: after}
	for _, n := range list {
		c := Cause{Object: n.object, Reason: n.problem.Reason, Cause: n.problem.Message, Since: n.first}
		if n.problem.Object != n.object {
			c.Subject = n.problem.Object
		}
		e.Causes = append(e.Causes, c)
	}
	return e
}

// over says what a wait that ran out of time was waiting for.
func over(why error, last []status, t troubles, at time.Time, failing error, after time.Duration) error {
	if failing != nil && !errors.Is(failing, context.DeadlineExceeded) && !errors.Is(failing, context.Canceled) {
		return fmt.Errorf("%w: the cluster could not be asked any more: %w", why, failing)
	}
	if list := t.worst(at); len(list) > 0 {
		e := stuck(list, after)
		e.Cause = fmt.Sprintf("%s (%s)", e.Cause, kube.OneLine(why.Error()))
		return e
	}
	var lines []string
	for _, s := range last {
		if !s.Done {
			lines = append(lines, s.Object+" "+s.line())
		}
	}
	slices.Sort(lines)
	if len(lines) == 0 {
		return why
	}
	return fmt.Errorf("%w: %s", why, strings.Join(lines, "; "))
}
