package config

import "time"

// A Policy says what must hold before a release may enter each tier, and who may
// say so. The one in force comes from the ledger, never from the change it judges.
type Policy struct {
	APIVersion string            `yaml:"apiVersion"`
	Tiers      []Tier            `yaml:"tiers"` // in order
	Freeze     []Freeze          `yaml:"freeze"`
	People     map[string]Person `yaml:"people"`

	src *document
}

// A Tier is one stage of hubs and what a release needs to enter it (Approval,
// Version) and to leave it for the next (Suites, Soak, Signoff).
type Tier struct {
	Name        string        `yaml:"-"`      // the key in the tiers list
	Hubs        string        `yaml:"hubs"`   // "any": one hub of the tier is enough; "all" (default)
	Suites      []string      `yaml:"suites"` // hub suites that must pass on the tier's hubs; at least one
	Approval    *Approval     `yaml:"approval"`
	Soak        time.Duration `yaml:"soak"`
	Signoff     *Signoff      `yaml:"signoff"`
	Version     string        `yaml:"version"`     // "semver": the release must bear a version
	Order       []string      `yaml:"order"`       // hubs one after another; default by name
	Waves       [][]string    `yaml:"waves"`       // hubs of one wave side by side, waves one after another; in place of Order
	MaxParallel int           `yaml:"maxParallel"` // hubs of a wave at a time; 0: all of them
	Nodes       NodeLimits    `yaml:"nodes"`       // of the suite "nodes"
	Budget      Budget        `yaml:"budget"`      // of the suites, on one hub
}

// NodeLimits are how long nodes that an autoscaler brought for a suite may stay after it.
type NodeLimits struct {
	Warn time.Duration `yaml:"warn"` // default 45 minutes
	Fail time.Duration `yaml:"fail"` // default 2 hours
}

// A Budget is what the suites of a tier may cost on one hub. The last tier has people at
// work: unless more is written there, its suites start one server and add no node.
type Budget struct {
	Spawns int           `yaml:"spawns"` // servers of users that are started, in all; default 10, in the last tier 1
	Nodes  int           `yaml:"nodes"`  // nodes that an autoscaler may have to bring; default 10, in the last tier 0
	Time   time.Duration `yaml:"time"`   // of all suites together; default 1 hour
}

// A Freeze is a time when nothing new enters some tiers and hubs: once (From, To), or
// every week (Weekdays). It stops the tiers and the hubs that it names, everything when
// it names none.
type Freeze struct {
	Tiers  []string `yaml:"tiers"`
	Hubs   []string `yaml:"hubs"`
	Reason string   `yaml:"reason"`

	From time.Time `yaml:"from"`
	To   time.Time `yaml:"to"`

	Weekdays []string `yaml:"weekdays"` // Mon to Sun
	After    string   `yaml:"after"`    // time of day it begins on each of them; default 00:00
	Before   string   `yaml:"before"`   // time of day it ends; default 24:00
	Timezone string   `yaml:"timezone"` // IANA name of the zone of Weekdays, After and Before; default UTC

	location *time.Location // of Timezone
}

// Approval asks for the word of people with a role before a tier.
type Approval struct {
	Role  string `yaml:"role"`
	Count int    `yaml:"count"` // distinct people, none of them an author of the change; default 1
}

// Signoff asks users of this tier's trial for their word before the next tier.
type Signoff struct {
	Of      string        `yaml:"of"`      // "people": everyone with role user in the policy; "active-users": who used a hub of the last tier within Active
	Active  time.Duration `yaml:"active"`  // default 720h
	Require string        `yaml:"require"` // "all"
	Within  time.Duration `yaml:"within"`  // a reminder of when it was wanted; never a way past
}

// Roles a person or a machine may hold.
const (
	RoleBuilder  = "builder"  // builds and releases
	RoleChecker  = "checker"  // suite results
	RoleDeployer = "deployer" // deployments and versions
	RoleBoard    = "board"    // approvals, vetoes, policy
	RoleUser     = "user"     // sign-offs for themselves, vetoes
	RoleVoucher  = "voucher"  // sign-offs for others
)

// Roles are all of them.
var Roles = []string{RoleBuilder, RoleChecker, RoleDeployer, RoleBoard, RoleUser, RoleVoucher}

// A Person is a person or a machine with a key.
type Person struct {
	Key   string   `yaml:"key"` // "ed25519:" and the public key in base64, as `gauntlet key new` prints it
	Roles []string `yaml:"roles"`
	Email []string `yaml:"email"` // addresses they commit under, lower case
}
