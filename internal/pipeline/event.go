package pipeline

import (
	"errors"
	"time"

	"gauntlet/internal/deploy"
)

// An Event is one thing that happened on the way, for whoever watches. What is waited
// for and what is wrong with it are told as they are first seen, and again seldom.
type Event struct {
	Time  time.Time `json:"time"`
	Step  string    `json:"step"`           // "build", "image test", …
	Hub   string    `json:"hub,omitempty"`  // when the step belongs to one
	State string    `json:"state"`          // one of the constants below
	Text  string    `json:"text,omitempty"` // one line for people
	Item  string    `json:"item,omitempty"` // check or image the event is about

	// Of a wait in a cluster:
	Object  string    `json:"object,omitempty"`    // what is waited for: "Deployment/hub"
	Since   time.Time `json:"since,omitzero"`      // when that began, or when the cause was first seen
	Until   time.Time `json:"until,omitzero"`      // when the wait ends at the latest
	Normal  string    `json:"normal,omitempty"`    // what is usual for it
	Reason  string    `json:"reason,omitempty"`    // the kind of cause that keeps it from being done
	Subject string    `json:"subject,omitempty"`   // what the cause is about, when that is another: "Pod/hub-7d9"
	Grace   time.Time `json:"graceUntil,omitzero"` // when the cause ends the wait, unless it passes before
	Over    bool      `json:"over,omitempty"`      // the object is done, or the cause is no more
}

// States of an event.
const (
	Started  = "started"
	Progress = "progress"
	Reused   = "reused" // evidence from before holds
	Passed   = "passed"
	Warned   = "warned"
	Failed   = "failed"
)

// tell reports an event to the workspace's observer.
func (w *Workspace) tell(step, hub, state, item, text string) {
	if w.opts.Observe != nil {
		w.opts.Observe(Event{Time: w.opts.Now(), Step: step, Hub: hub, State: state, Item: item, Text: text})
	}
}

// watch reports what a deployment waits for to the workspace's observer.
func (w *Workspace) watch(step, hub string) func(deploy.Event) {
	return func(d deploy.Event) {
		if w.opts.Observe == nil {
			return
		}
		e := Event{Time: w.opts.Now(), Step: step, Hub: hub, State: Progress, Text: d.Message,
			Object: d.Object, Since: d.Since, Until: d.Until, Normal: d.Normal, Over: d.Over}
		if c := d.Cause; c != nil {
			e.State, e.Reason, e.Until, e.Grace = Warned, c.Reason, time.Time{}, d.Until
			if d.Over {
				e.State, e.Text = Progress, "over: "+d.Message
			}
			if c.Object != d.Object {
				e.Subject = c.Object
			}
		}
		w.opts.Observe(e)
	}
}

// Causes are what was wrong in a cluster when a step failed, the worst first; none
// when the error is of another kind.
func Causes(err error) []deploy.Cause {
	var stuck *deploy.StuckError
	if errors.As(err, &stuck) {
		return stuck.Causes
	}
	return nil
}
