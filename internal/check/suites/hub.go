// Package suites holds the suites that run on a hub.
package suites

import (
	"time"

	"gauntlet/internal/check"
	"gauntlet/internal/config"
	"gauntlet/internal/kube"
	"gauntlet/internal/release"
)

// A HubTarget is the hub that a suite probes.
type HubTarget struct {
	Client       *kube.Client
	Namespace    string
	URL          string
	APITokenFrom config.SecretKey
	Notebook     release.Digest    // the notebook image that a spawned server must run
	SpawnTimeout time.Duration     // default 3 minutes
	Holder       string            // who holds the lock, for others to read; default user@host
	Observe      func(line string) // progress; may be nil
}

// Hub is the suite "hub".
func Hub(t HubTarget) check.Suite { return check.Suite{Name: "hub"} }
