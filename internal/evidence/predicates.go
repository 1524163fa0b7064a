package evidence

import (
	"time"

	"gauntlet/internal/release"
)

// Results of a test-result statement (in-toto test-result v0.1).
const (
	Passed = "PASSED"
	Warned = "WARNED"
	Failed = "FAILED"
)

// A TestResult is a suite's result. The first five fields are those of in-toto's
// test-result v0.1; the rest is ours, which that predicate's parsing rules allow.
// Subject: the image set (suites "image", "pairing"), the release ("render") or a
// deployable ("hub" and other suites that run on a hub).
type TestResult struct {
	Result        string       `json:"result"`
	Configuration []Descriptor `json:"configuration"` // the suite, by digest
	PassedTests   []string     `json:"passedTests,omitempty"`
	WarnedTests   []string     `json:"warnedTests,omitempty"`
	FailedTests   []string     `json:"failedTests,omitempty"`

	Suite   string  `json:"suite"`
	Hub     string  `json:"hub,omitempty"` // where it ran, when on a hub
	Checks  []Check `json:"checks"`
	Brought []Node  `json:"brought,omitempty"` // nodes that an autoscaler brought for the suite's pods
	// Pictures is an artifact of the ledger with what the suite saw, "" for none.
	Pictures release.Digest `json:"pictures,omitempty"`
	// Measures are numbers by name: seconds, unless the name says another unit.
	Measures map[string]float64 `json:"measures,omitempty"`
	Started  time.Time          `json:"started"`
	Finished time.Time          `json:"finished"`
}

// NodesSuite is the suite that follows the nodes that others brought.
const NodesSuite = "nodes"

// A Node is a node of a hub's cluster, which a later one of the same name is not.
type Node struct {
	Name string `json:"name"`
	UID  string `json:"uid"`
}

// A Descriptor is in-toto's ResourceDescriptor, the part we use.
type Descriptor struct {
	Name        string            `json:"name,omitempty"`
	URI         string            `json:"uri,omitempty"`
	MediaType   string            `json:"mediaType,omitempty"`
	Digest      map[string]string `json:"digest"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

// A Check is the result of one check of a suite.
type Check struct {
	Name    string  `json:"name"`
	State   string  `json:"state"`             // PASSED, WARNED or FAILED
	Message string  `json:"message,omitempty"` // one line, for people
	Seconds float64 `json:"seconds"`
}

// A Commit is one commit a release holds, with who wrote it (e-mail address, lower case).
type Commit struct {
	ID     string `json:"id"`
	Author string `json:"author"`
}

// A Made says where a release came from. Subject: the release.
type Made struct {
	Commit  string   `json:"commit"`          // of the repository that holds gauntlet.yaml
	Label   string   `json:"label"`           // what people call it until it has a version
	Dirty   bool     `json:"dirty,omitempty"` // made of a tree with changes that no commit holds
	Base    string   `json:"base,omitempty"`  // commit of production's release when this one was made
	Commits []Commit `json:"commits"`         // reachable from Commit (and the images' commit), not from Base
}

// An Approval is a board member's word that a release may enter a tier. Subject: the release.
type Approval struct {
	Tier   string         `json:"tier"`
	Policy release.Digest `json:"policy"` // the policy the approver judged by
	Note   string         `json:"note,omitempty"`
}

// A Signoff is a user's word that a deployable works for them. Subject: the
// deployables of the tier it was tried on.
type Signoff struct {
	Tier  string `json:"tier"` // the tier it was tried on
	User  string `json:"user"`
	Vouch *Vouch `json:"vouch,omitempty"` // set when somebody recorded it for the user
	Note  string `json:"note,omitempty"`
}

// A Vouch says where the user's own word can be read.
type Vouch struct {
	Link string `json:"link"`
}

// A Veto stops a release everywhere until its author lifts it. Subject: the release.
type Veto struct {
	Reason string         `json:"reason"`
	Lifts  release.Digest `json:"lifts,omitempty"` // id of the veto this one takes back
}

// A Ready is its developer's word that a release is ready for the board, with the
// problems that are known of it. Subject: the release. The newest of a person counts.
type Ready struct {
	Known []string `json:"known"` // one line each; none are known when empty
}

// A Pictures is somebody's word that pictures of a suite look as they should. Subject: the
// deployable that they were taken of. The newest of the board counts, for later releases
// too.
type Pictures struct {
	Artifact release.Digest `json:"artifact"` // of the ledger: every accepted picture, those of before among them
	Names    []string       `json:"names"`    // of those that were accepted anew
}

// A Version gives a release its name for production. Subject: the release.
type Version struct {
	Version string `json:"version"` // semantic version with a leading v
}

// A Deployment says that a hub was brought to a deployable. Subjects: release and deployable.
type Deployment struct {
	Hub      string         `json:"hub"`
	Tier     string         `json:"tier"`
	Revision int            `json:"revision"`          // of the Helm release
	Reused   bool           `json:"reused,omitempty"`  // the hub already ran it: no new revision
	Tried    bool           `json:"tried,omitempty"`   // by hand, past tests of the release: it counts for no gate
	Dropped  []string       `json:"dropped,omitempty"` // value paths that another tool's revision was given and that were let go
	Started  time.Time      `json:"started"`
	Finished time.Time      `json:"finished"`         // by the cluster's API server
	Plan     release.Digest `json:"plan,omitempty"`   // of the saved plan that it kept to
	Backup   string         `json:"backup,omitempty"` // file on the hub's volume: its database before it was migrated
}

// A Hold stops the line until it is lifted: for one release (subject: the release), or
// for one hub, one tier or everything (subject: the policy in force when it was said).
type Hold struct {
	Hub    string         `json:"hub,omitempty"`
	Tier   string         `json:"tier,omitempty"`
	Reason string         `json:"reason"`
	Lifts  release.Digest `json:"lifts,omitempty"` // id of the hold, or of the rollback that holds a release back, that this one takes back; the other fields are then empty
}

// An Override lets a release into one tier in an emergency, until it expires, without
// the soaks, sign-offs and freeze windows that stand in the way. Nothing else is
// skipped, and what was skipped stays due. Subject: the release.
type Override struct {
	Tier    string         `json:"tier,omitempty"`
	Policy  release.Digest `json:"policy,omitempty"` // the policy in force when it was said
	Reason  string         `json:"reason,omitempty"`
	Expires time.Time      `json:"expires,omitzero"` // at most MaxOverride after it was said
	Lifts   release.Digest `json:"lifts,omitempty"`  // id of the override this one takes back; the other fields are then empty
}

// MaxOverride is how long an override may last.
const MaxOverride = 7 * 24 * time.Hour

// A Rollback says that a hub went back to what it ran before, by no gate. Subjects:
// release and deployable that it runs again.
type Rollback struct {
	Hub      string    `json:"hub"`
	Tier     string    `json:"tier"`
	From     int       `json:"from"`     // revision of the Helm release that the hub was at
	To       int       `json:"to"`       // revision whose objects it runs again
	Revision int       `json:"revision"` // that was made for it
	Reason   string    `json:"reason"`
	Started  time.Time `json:"started"`
	Finished time.Time `json:"finished"` // by the cluster's API server

	// What the hub was at, as the labels of that revision name it (Digest.Label); ""
	// when gauntlet did not make it. It is held back from the tier until that is lifted.
	FromRelease    string `json:"fromRelease,omitempty"`
	FromDeployable string `json:"fromDeployable,omitempty"`

	Database string `json:"database,omitempty"` // file on the hub's volume: the copy of its database that was put back
}

// Deployment is what the rollback did to the hub.
func (r Rollback) Deployment() Deployment {
	return Deployment{Hub: r.Hub, Tier: r.Tier, Revision: r.Revision, Started: r.Started, Finished: r.Finished}
}

// An Adoption says what a hub was found to run that another tool had deployed, and that
// somebody took it over: the next deployment goes on from it. Subject: the policy in
// force when it was said, since no release is known of what runs. No value is in it.
type Adoption struct {
	Hub      string    `json:"hub"`
	Tier     string    `json:"tier"`
	Revision int       `json:"revision"` // of the Helm release
	Chart    string    `json:"chart"`    // its name and version
	Images   []string  `json:"images"`   // of its workloads
	Values   []string  `json:"values"`   // value paths that went into a file
	Secrets  []string  `json:"secrets"`  // value paths that went into an encrypted one
	Deployed time.Time `json:"deployed"` // as Helm's record says
	Finished time.Time `json:"finished"` // by the cluster's API server
}

// A PolicyChange proposes or accepts a policy. Subject: the policy. The first one
// (no Previous) counts only where a deployer has pinned its digest.
type PolicyChange struct {
	Previous release.Digest `json:"previous,omitempty"`
	Text     string         `json:"text"` // policy.yaml, byte for byte
}
