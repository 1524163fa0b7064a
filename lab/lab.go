// Package lab runs real upstream Kubernetes on this one machine: three clusters
// (bleeding-edge with two nodes, canary and production with one each), a
// registry and an image builder, as plain processes in namespaces of their own.
//
// Everything the lab starts belongs to a unit: one process that is number 1 of a
// process namespace. The kernel ends what is in a unit together with it, and its
// private mounts and network with that, so that nothing can be left half stopped.
//
// It needs Linux and root. Nothing in it can reach beyond this machine.
package lab

import (
	"os"
	"path/filepath"
)

// Addresses of the lab, the same on the host, on nodes and in pods.
const (
	// HostIP is the host's address on the lab's bridge.
	HostIP = "172.29.0.1"
	// Registry is the name of the registry in image references (plain HTTP).
	Registry = HostIP + ":5000"

	subnet = "172.29.0.0/24"
	bridge = "gauntlet0"
)

// Environment variables that move the lab's state and its built programs.
const (
	DirEnv   = "GAUNTLET_LAB_DIR"
	CacheEnv = "GAUNTLET_LAB_CACHE"
)

// Dir is the folder that holds the lab's state: $GAUNTLET_LAB_DIR or
// /var/lib/gauntlet-lab.
func Dir() string { return fromEnv(DirEnv, "/var/lib/gauntlet-lab") }

// CacheDir holds the built programs, in one folder per version:
// $GAUNTLET_LAB_CACHE or /var/cache/gauntlet-lab. Every checkout shares it.
func CacheDir() string { return fromEnv(CacheEnv, "/var/cache/gauntlet-lab") }

// Kubeconfig is the file whose contexts are the clusters' names.
func Kubeconfig() string { return filepath.Join(Dir(), "kubeconfig") }

// BuildkitAddr is where the image builder (buildkitd) listens.
func BuildkitAddr() string { return "unix://" + buildkitSocket() }

// BinDir holds links to kubectl, buildctl and the other programs of the lab.
func BinDir() string { return filepath.Join(Dir(), "bin") }

// RegistryDir is the registry's storage on the host.
func RegistryDir() string { return filepath.Join(Dir(), "registry") }

func buildkitSocket() string { return filepath.Join(Dir(), "run", "buildkitd.sock") }

func program(name string) string { return filepath.Join(BinDir(), name) }

func fromEnv(name, fallback string) string {
	dir := os.Getenv(name)
	if dir == "" {
		return fallback
	}
	if abs, err := filepath.Abs(dir); err == nil {
		return abs
	}
	return dir
}
