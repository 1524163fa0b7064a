// Package exit names the exit codes of gauntlet, so that scripts can tell "failed"
// from "waits for people".
package exit

const (
	OK     = 0 // it is so
	Failed = 1 // something ran and failed
	Usage  = 2 // the command, the configuration or the checkout is wrong: nothing ran
	Wait   = 3 // nothing failed: people or time are waited for
	Denied = 4 // the gate says no, and waiting will not help
)
