//go:build tools

// Package kwok pins the simulator of nodes. It is a module of its own so that its
// versions never make Kubernetes be compiled anew; where both use a module, they
// use the same version of it, so that it is compiled once.
package kwok

import _ "sigs.k8s.io/kwok/cmd/kwok"
