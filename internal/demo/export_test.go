package demo

import "context"

// What the tests of this package, which run the command line, look at.

// New is a demonstration that has not begun.
func New(opts Options, env []string) *Demo { return &Demo{opts: opts, env: env} }

// PrepareTeam makes keys, policy and repository.
func (d *Demo) PrepareTeam(ctx context.Context) error { return d.prepareTeam(ctx) }

// Commit commits the team's changes.
func (d *Demo) Commit(ctx context.Context, message string) error { return d.commit(ctx, message) }

// TeamDir is the folder of the team's repository.
func (d *Demo) TeamDir() string { return d.team() }

var (
	Fingerprint = fingerprint
	CopyTree    = copyTree
	HubTag      = hubTag
	Quoted      = quoted
	Requests    = requests
)
