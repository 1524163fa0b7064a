package lab

import (
	"fmt"
	"os"
	"path/filepath"

	"gauntlet/lab/internal/spec"
)

// servicesUnit runs what all clusters share: the registry and the image builder.
func servicesUnit() unit {
	registry := filepath.Join(Dir(), "run", "registry.yaml")
	buildkit := filepath.Join(Dir(), "run", "buildkitd.toml")
	u := unit{
		name: Services,
		dirs: []string{RegistryDir(), buildkitDir()},
		files: map[string]string{
			registry: fmt.Sprintf(`version: 0.1
log: {level: warn, accesslog: {disabled: true}}
storage:
  filesystem: {rootdirectory: %s}
  delete: {enabled: true}
  cache: {blobdescriptor: inmemory}
http:
  addr: %s
  secret: lab
`, RegistryDir(), Registry),
			buildkit: fmt.Sprintf(`root = %q
insecure-entitlements = ["network.host"]
[grpc]
  address = [%q]
[otel]
  socketPath = %q
[worker.containerd]
  enabled = false
[worker.oci]
  enabled = true
  binary = "runc"
  snapshotter = "overlayfs"
  # Builds fetch packages the way the host does.
  networkMode = "host"
  defaultCgroupParent = "/%s"
  gc = true
  reservedSpace = "2GB"
  maxUsedSpace = "15GB"
  minFreeSpace = "5GB"
[registry.%q]
  http = true
  insecure = true
`, buildkitDir(), BuildkitAddr(), filepath.Join(Dir(), "run", "buildkit-otel.sock"), cgroupPrefix+buildCgroup, Registry),
		},
	}
	// How this machine reaches the outside is the host's business; the builder
	// pulls base images and needs to know.
	for _, name := range []string{"SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} {
		if v := os.Getenv(name); v != "" {
			u.env = append(u.env, name+"="+v)
		}
	}
	if v := os.Getenv("NO_PROXY"); v != "" {
		u.env = append(u.env, "NO_PROXY="+v+","+HostIP)
	}
	serve := u.daemon("registry", program("registry"), "serve", registry)
	serve.Daemon.Env = []string{"OTEL_TRACES_EXPORTER=none"} // or it looks for a collector for ever
	u.spec = spec.Spec{Steps: []spec.Step{
		serve,
		u.daemon("buildkitd", program("buildkitd"), "--config="+buildkit),
		{Wait: "tcp:" + Registry},
		{Wait: "unix:" + buildkitSocket()},
		{Write: &spec.Write{Path: u.ready()}},
	}}
	return u
}

// Services is the name of the unit that runs the registry and the image builder.
const Services = "services"

func buildkitDir() string { return filepath.Join(Dir(), "buildkit") }

// buildCgroup is the cgroup, after cgroupPrefix, of the steps of image builds.
const buildCgroup = "build"
