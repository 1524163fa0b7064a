// Package check runs suites of checks and holds their results. What the checks
// are lives with what they probe: packages image and pair, and suites/ here for
// those that run on a hub.
package check

import (
	"context"
	"time"

	"gauntlet/internal/evidence"
)

// A Check is one probe.
type Check struct {
	Name    string
	Timeout time.Duration // required: a check without one is a mistake the runner reports
	// Run returns a line for people ("4 workers joined in 2.1s") or why it failed.
	Run func(ctx context.Context) (string, error)
	// Needs names checks of the suite that must have passed; else this one fails as "not run: X failed".
	Needs []string
	// Retries is how often it is run again after it has failed, each time within its
	// Timeout, unless the failure is Final. What passes then is flaky, and counts as
	// Warned: it is never passed in silence.
	Retries int
	// What it costs the hub, beside reading: servers of users that it starts, and nodes
	// that its pods may make an autoscaler bring.
	Spawns, Nodes int
}

// A Suite is a named set of checks with one result.
type Suite struct {
	Name   string
	Digest string // sha256 hex over what the suite does: its embedded files and settings
	Checks []Check
	// Cleanup, when set, runs after all the others whatever became of them, even
	// when the run was cancelled: what the suite made must be gone.
	Cleanup *Check
	// Brought, when set, is asked after all checks which nodes came for the suite's pods
	// and must go again.
	Brought func() []evidence.Node
	// Pictures, when set, is asked after all checks what was seen.
	Pictures func() []Picture
	// Measures, when set, is asked after all checks what was measured, by name: seconds,
	// unless the name says another unit.
	Measures func() map[string]float64
}

// A Picture is what a suite saw, beside what people accepted of the same name.
type Picture struct {
	Name       string // one word of a-z, 0-9 and -
	PNG        []byte
	Accepted   []byte // PNG; nil when none was
	Difference []byte // PNG of both and what differs; nil when they are alike
	Failed     bool   // it shows what was there in place of what should be
}

// Cost is what a suite costs the hub: the servers that it starts one after another, and
// the most nodes that it may need at a time.
func (s Suite) Cost() (spawns, nodes int) {
	for _, c := range s.Checks {
		spawns += c.Spawns
		nodes = max(nodes, c.Nodes)
	}
	return spawns, nodes
}

// State of a check or suite.
type State string

const (
	Passed State = "PASSED"
	Warned State = "WARNED"
	Failed State = "FAILED"
	// PendingState says that there is no verdict yet: it is no result, and never kept.
	PendingState State = "PENDING"
)

// Outcome is one check's result.
type Outcome struct {
	Name    string
	State   State
	Message string
	Took    time.Duration
}

// Result is a suite's result: failed when any check failed or when it has none.
type Result struct {
	Suite    string
	Digest   string
	State    State
	Outcomes []Outcome
	Brought  []evidence.Node // that came for the suite's pods
	Pictures []Picture
	Measures map[string]float64
	Started  time.Time
	Finished time.Time
}
