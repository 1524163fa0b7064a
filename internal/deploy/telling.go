package deploy

import (
	"context"
	"fmt"
	"time"

	"gauntlet/internal/kube"
)

// telling tells a wait's observer what is waited for and what is wrong, each once
// and then seldom.
type telling struct {
	*waits
	step         string
	begun, until time.Time
	lines        map[string]line // by object
	troubles     troubles
	failing      error // why the cluster cannot be asked
	failingTold  time.Time
}

// line is how an object was last told.
type line struct {
	text string
	at   time.Time
	done bool
}

// see tells what is new and says whether all is done; its error ends the wait.
func (t *telling) see(ctx context.Context, all []status, now time.Time) (done bool, err error) {
	fresh, over := t.troubles.see(all, now)
	for _, n := range over {
		t.cause(n, now, true)
	}
	for _, n := range fresh {
		t.cause(n, now, false)
	}
	for _, n := range t.troubles {
		if n.told != n.problem.Message && now.Sub(n.toldAt) >= tellSoon || now.Sub(n.toldAt) >= tellAgain {
			t.cause(n, now, false)
		}
	}
	if err := t.troubles.judge(t.begun, now); err != nil {
		return false, err
	}
	done = true
	for _, s := range all {
		done = done && s.Done
		last, known := t.lines[s.Object]
		switch {
		case s.Done && known && last.done:
		case s.Done && !known:
			// It was never waited for.
			t.lines[s.Object] = line{s.Text, now, true}
		case s.Done || !known || s.Text != last.text || now.Sub(last.at) >= tellAgain:
			t.tell(Event{Step: t.step, Object: s.Object, Since: t.begun, Until: t.until, Message: s.Text, Normal: s.Normal, Over: s.Done})
			t.lines[s.Object] = line{s.Text, now, s.Done}
		}
	}
	return done, nil
}

// wake makes up for a time in which this program stood still: what is known of the
// cluster is as old, and would look like silence. It waits until the watches have told
// what happened, and counts the time for no problem.
func (t *telling) wake(ctx context.Context, gap time.Duration) error {
	t.tell(Event{Step: t.step, Since: t.begun, Until: t.until, Message: fmt.Sprintf("this program stood still for %s: looks at the cluster anew", gap.Round(time.Second))})
	err := kube.Sleep(ctx, catchUp)
	t.troubles.skip(gap + catchUp)
	return err
}

// cause tells of a problem, or that it is over.
func (t *telling) cause(n *named, now time.Time, over bool) {
	n.told, n.toldAt = n.problem.Message, now
	c := n.problem.Cause
	e := Event{Step: t.step, Object: n.object, Since: n.first, Until: n.ends(), Message: c.Message, Cause: &c, Over: over}
	if e.Until.IsZero() {
		e.Until = t.until
	}
	t.tell(e)
}

// away tells, seldom, that the cluster cannot be asked.
func (t *telling) away(err error) {
	if err == nil {
		t.failing = nil
		return
	}
	now := time.Now()
	if t.failing == nil || now.Sub(t.failingTold) >= tellSoon {
		t.tell(Event{Step: t.step, Since: t.begun, Until: t.until, Message: "the cluster cannot be asked: " + kube.OneLine(err.Error())})
		t.failingTold = now
	}
	t.failing = err
}

func (w *waits) tell(e Event) {
	if w.observe != nil {
		w.observe(e)
	}
}
