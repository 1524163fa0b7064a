// Package spec is what a unit of the lab is told to do: the lab writes it, as
// JSON, to the standard input of the lab-unit program.
package spec

// A unit's process carries these in its environment. They, not files with
// process numbers, say what belongs to the lab: a number may be somebody else's
// by now, and a process started just before a kill has no file yet.
const (
	UnitEnv   = "LAB_UNIT"   // "NAME CONFIG-HASH"; on process 1 of a unit only
	MemberEnv = "LAB_MEMBER" // the lab's folder; daemons inherit it
)

// StartingAgain ends the line of a unit's log that says how a daemon ended.
const StartingAgain = "starting it again"

// Spec describes one unit: a process (number 1 of its own process namespace)
// that prepares its surroundings, starts daemons and restarts those that end.
// When it ends, however it ends, the kernel ends everything it started.
type Spec struct {
	Hostname string `json:"hostname,omitempty"` // set when the unit has a UTS namespace
	Steps    []Step `json:"steps"`              // done in order
}

// Step is one thing to do; exactly one field is set.
type Step struct {
	Mount  *Mount   `json:"mount,omitempty"`
	Write  *Write   `json:"write,omitempty"`
	Run    []string `json:"run,omitempty"`    // a program that must end with 0 within a minute
	Wait   string   `json:"wait,omitempty"`   // "unix:PATH", "tcp:ADDR" or an https URL that must answer 200
	Daemon *Daemon  `json:"daemon,omitempty"` // started and kept running
	With   *With    `json:"with,omitempty"`   // steps beside a daemon that is stopped again
}

// Mount is one mount in the unit's own mount namespace. An empty Type is a bind.
type Mount struct {
	Type   string `json:"type,omitempty"`
	Source string `json:"source"`
	Target string `json:"target"`
}

// Write writes a small file, for instance a kernel setting below /proc/sys.
// Optional ones may be missing from this kernel.
type Write struct {
	Path     string `json:"path"`
	Content  string `json:"content"`
	Optional bool   `json:"optional,omitempty"`
}

// Daemon is a long-running program.
type Daemon struct {
	Name string   `json:"name"`
	Args []string `json:"args"` // Args[0] is the program
	Env  []string `json:"env,omitempty"`
	Log  string   `json:"log"` // file, appended to
}

// With runs Steps while Daemon runs, then stops it.
type With struct {
	Daemon Daemon `json:"daemon"`
	Steps  []Step `json:"steps"`
}
