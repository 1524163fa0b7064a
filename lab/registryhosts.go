package lab

import (
	"fmt"
	"os"
	"path/filepath"
)

// TrustRegistry lets the nodes of all clusters pull from a registry at an address
// (HOST:PORT, plain HTTP) from the next pull on, until the returned function is
// called.
func TrustRegistry(addr string) (forget func() error, err error) {
	dir := filepath.Join(registryHosts(), addr)
	if addr == Registry {
		return nil, fmt.Errorf("nodes trust %s already", addr)
	}
	if err := writeFileAtomic(filepath.Join(dir, "hosts.toml"), []byte(hostsToml(addr)), 0o644); err != nil {
		return nil, fmt.Errorf("let nodes pull from %s: %w", addr, err)
	}
	return func() error { return os.RemoveAll(dir) }, nil
}

func registryHosts() string { return filepath.Join(Dir(), "nodes", "registries") }

// hostsToml tells containerd that a registry speaks plain HTTP.
func hostsToml(addr string) string {
	return fmt.Sprintf("server = \"http://%s\"\n[host.\"http://%s\"]\n  capabilities = [\"pull\", \"resolve\"]\n", addr, addr)
}
