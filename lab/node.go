package lab

import (
	"fmt"
	"path/filepath"
	"sort"
	"strings"

	"gauntlet/lab/internal/spec"
)

// clearContainers removes the containers an earlier run left in containerd's
// store, whose processes are long gone; images stay. Its argument is the socket.
const clearContainers = `ctr -a "$1" -n k8s.io containers ls -q | xargs -r ctr -a "$1" -n k8s.io containers rm`

// nodeUnit runs containerd, kubelet and kube-proxy in a namespace of their own.
func (n Node) nodeUnit(c Cluster, img images) unit {
	dir := func(name string) string { return filepath.Join(n.dir(), name) }
	socket := dir("run/containerd.sock")
	u := unit{name: n.Name, network: true}
	u.dirs = []string{dir("containerd"), dir("state"), dir("run"), dir("varlog"), dir("kubelet"), dir("cni-state"), dir("volumes")}
	u.files = map[string]string{
		dir("network.batch"):                                   n.networkBatch(c),
		dir("cni/10-lab.conflist"):                             n.cniConfig(),
		dir("containerd.toml"):                                 n.containerdConfig(img, true),
		dir("containerd-images.toml"):                          n.containerdConfig(img, false),
		dir("kubelet.yaml"):                                    n.kubeletConfig(c, socket),
		dir("kube-proxy.yaml"):                                 n.proxyConfig(c),
		filepath.Join(registryHosts(), Registry, "hosts.toml"): hostsToml(Registry),
	}
	// Before Kubernetes may see them: images in, remains of an earlier run out.
	prepare := []spec.Step{{Wait: "unix:" + socket}, {Run: []string{"sh", "-c", clearContainers, "sh", socket}}}
	for _, i := range img.all() {
		prepare = append(prepare,
			spec.Step{Run: []string{"ctr", "-a", socket, "-n", "k8s.io", "images", "import", i.tar}},
			// No registry has it: where the kubelet of a full disk removes it, no pod starts again.
			spec.Step{Run: []string{"ctr", "-a", socket, "-n", "k8s.io", "images", "label", i.ref, "io.cri-containerd.pinned=pinned"}})
	}
	kubelet := []string{program("kubelet"), "--config=" + dir("kubelet.yaml"), "--kubeconfig=" + dir("kubelet.conf"),
		"--hostname-override=" + n.Name, "--node-ip=" + n.IP, "--node-labels=" + n.labelFlag(), "--root-dir=" + kubeletDir}
	if n.Taint != "" {
		kubelet = append(kubelet, "--register-with-taints="+n.Taint)
	}
	var disk []spec.Step
	if n.Disk > 0 {
		disk = []spec.Step{{Run: []string{"mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%d", n.Disk), "tmpfs", dir("containerd")}}}
	}
	u.spec = spec.Spec{Hostname: n.Name, Steps: append(disk, []spec.Step{
		// What Kubernetes' programs keep at fixed places of the host, each node for itself.
		{Mount: &spec.Mount{Type: "tmpfs", Source: "tmpfs", Target: "/run"}},
		{Mount: &spec.Mount{Source: dir("varlog"), Target: "/var/log"}},
		{Mount: &spec.Mount{Source: dir("kubelet"), Target: kubeletDir}},
		{Mount: &spec.Mount{Source: dir("cni-state"), Target: cniStateDir}},
		{Write: &spec.Write{Path: "/proc/sys/net/ipv4/ip_forward", Content: "1"}},
		{Write: &spec.Write{Path: "/proc/sys/net/bridge/bridge-nf-call-iptables", Content: "1", Optional: true}},
		{Run: []string{"ip", "-batch", dir("network.batch")}},
		{With: &spec.With{
			Daemon: spec.Daemon{Name: "containerd", Args: []string{"containerd", "-c", dir("containerd-images.toml")}, Log: u.log("containerd-images")},
			Steps:  prepare}},
		u.daemon("containerd", "containerd", "-c", dir("containerd.toml")),
		{Wait: "unix:" + socket},
		u.daemon("kubelet", kubelet...),
		u.daemon("kube-proxy", program("kube-proxy"), "--config="+dir("kube-proxy.yaml")),
		{Write: &spec.Write{Path: u.ready()}},
	}...)}
	return u
}

// Places on the host that each node covers with a folder of its own.
const (
	kubeletDir  = "/var/lib/kubelet"
	cniStateDir = "/var/lib/cni"
)

func (n Node) labelFlag() string {
	var labels []string
	for k, v := range n.Labels {
		labels = append(labels, k+"="+v)
	}
	sort.Strings(labels)
	return strings.Join(labels, ",")
}

func (n Node) cniConfig() string {
	return fmt.Sprintf(`{"cniVersion": "1.0.0", "name": "lab", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": false, "hairpinMode": true,
   "ipam": {"type": "host-local", "dataDir": %q, "ranges": [[{"subnet": %q}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}
]}
`, filepath.Join(n.dir(), "run", "ipam"), n.PodCIDR)
}

// containerdConfig configures containerd, with or without what Kubernetes talks to.
func (n Node) containerdConfig(img images, kubernetes bool) string {
	disabled := []string{"io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
		"io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs", "io.containerd.internal.v1.tracing", "io.containerd.tracing.processor.v1.otlp"}
	if !kubernetes {
		disabled = append(disabled, "io.containerd.grpc.v1.cri")
	}
	return fmt.Sprintf(`version = 2
root = %q
state = %q
disabled_plugins = ["%s"]
[grpc]
  address = %q
[plugins."io.containerd.grpc.v1.cri"]
  # Lowering a score needs a capability that machines like ours may lack.
  restrict_oom_score_adj = true
  sandbox_image = %q
  max_concurrent_downloads = 6
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = %q
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = %q
    conf_dir = %q
`, filepath.Join(n.dir(), "containerd"), filepath.Join(n.dir(), "state"), strings.Join(disabled, `", "`),
		filepath.Join(n.dir(), "run/containerd.sock"), img.pause.ref, registryHosts(), cniDir, filepath.Join(n.dir(), "cni"))
}

func (n Node) kubeletConfig(c Cluster, socket string) string {
	pki := func(name string) string { return filepath.Join(c.pki(), name) }
	return fmt.Sprintf(`apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: %s}
authorization: {mode: Webhook}
tlsCertFile: %s
tlsPrivateKeyFile: %s
containerRuntimeEndpoint: unix://%s
cgroupDriver: cgroupfs
cgroupRoot: /%s
failCgroupV1: false
failSwapOn: false
oomScoreAdj: 0
clusterDNS: [%s]
clusterDomain: cluster.local
resolvConf: ""
maxPods: 110
serializeImagePulls: false
registryPullQPS: 0
# One disk for all nodes: only a nearly full one is an emergency.
evictionHard: {memory.available: 1%%, nodefs.available: 1%%, imagefs.available: 1%%, nodefs.inodesFree: 1%%}
imageGCHighThresholdPercent: 99
imageGCLowThresholdPercent: 98
nodeStatusUpdateFrequency: 5s
`, pki("ca.crt"), pki(n.Name+".crt"), pki(n.Name+".key"), socket, n.cgroup(), c.serviceIP(10))
}

func (n Node) proxyConfig(c Cluster) string {
	return fmt.Sprintf(`apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
clusterCIDR: %s
hostnameOverride: %s
clientConnection: {kubeconfig: %s}
conntrack: {maxPerCore: 0, min: 0}
oomScoreAdj: 0
`, c.PodCIDR, n.Name, filepath.Join(n.dir(), "kube-proxy.conf"))
}
