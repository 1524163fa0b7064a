//go:build tools

// Package tools pins the programs beside Kubernetes that the lab runs: the image
// builder and the registry. A module of its own, so that their dependencies and
// Kubernetes' never decide each other's versions.
package tools

import (
	_ "github.com/distribution/distribution/v3/cmd/registry"
	_ "github.com/moby/buildkit/cmd/buildctl"
	_ "github.com/moby/buildkit/cmd/buildkitd"
)
