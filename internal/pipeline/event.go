package pipeline

import "time"

// An Event is one thing that happened on the way, for whoever watches.
type Event struct {
	Time  time.Time `json:"time"`
	Step  string    `json:"step"`           // "build", "image test", …
	Hub   string    `json:"hub,omitempty"`  // when the step belongs to one
	State string    `json:"state"`          // one of the constants below
	Text  string    `json:"text,omitempty"` // one line for people
	Item  string    `json:"item,omitempty"` // check or image the event is about
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
