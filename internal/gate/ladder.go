package gate

import (
	"time"

	"gauntlet/internal/release"
)

// A State is where a step of the ladder stands.
type State string

const (
	Done    State = "done"    // all that the next step needs of this one is there
	Running State = "running" // begun: deployed on a hub whose suites have no result yet, or on some of the hubs
	Waiting State = "waiting" // for people or time
	Failed  State = "failed"  // a suite failed
	Blocked State = "blocked" // refused, for Reasons
	Todo    State = "todo"    // nothing hinders it, or an earlier step comes first
)

// A Step is one rung of the ladder of a release: image build test, image pairing
// test, then one for each tier.
type Step struct {
	Name     string // "image build test", "image pairing test" or the tier
	Tier     string // "" for the first two
	State    State
	Since    time.Time         // when it came to be done; zero before
	Evidence []release.Digest  // ids of the records it rests on
	Reasons  []string          // why it is not done, for people
	Command  string            // what moves it on, "" when nothing does
	Hubs     map[string]string // hubs of the tier, each with one line: what has been shown there
}
