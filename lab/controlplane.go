package lab

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"text/template"

	"gauntlet/lab/internal/spec"
)

//go:embed manifests/addons.yaml
var addonsTemplate string

//go:embed manifests/volume-helper.yaml
var volumeHelper string

// Ports of a control plane on the cluster's loopback address.
const (
	etcdPort              = 2379
	etcdPeerPort          = 2380
	controllerManagerPort = 10257
	schedulerPort         = 10259
)

// controlPlaneUnit runs etcd, the API server, the controllers and the
// provisioner of volumes, and applies what every cluster has (names, volumes).
func (c Cluster) controlPlaneUnit(img images) (unit, error) {
	u := unit{name: c.Name, dirs: []string{filepath.Join(c.dir(), "etcd")}}
	addons, err := c.addons(img)
	if err != nil {
		return unit{}, err
	}
	file := func(name string) string { return filepath.Join(c.dir(), name) }
	u.files = map[string]string{
		file("addons.yaml"):        addons,
		file("volumes.json"):       c.volumePaths(),
		file("volume-helper.yaml"): strings.ReplaceAll(volumeHelper, "IMAGE", img.busybox.ref),
	}
	u.spec = spec.Spec{Steps: []spec.Step{
		u.daemon("etcd", c.etcdArgs()...),
		u.daemon("kube-apiserver", c.apiserverArgs()...),
		{Wait: c.Server() + "/readyz"},
		u.daemon("kube-controller-manager", c.controllerManagerArgs()...),
		u.daemon("kube-scheduler", c.schedulerArgs()...),
		{Run: []string{program("kubectl"), "--kubeconfig=" + file("admin.conf"), "--cache-dir=" + file("kubectl-cache"),
			"apply", "--server-side", "--validate=false", "-f", file("addons.yaml")}},
		u.daemon("local-path-provisioner", program("local-path-provisioner"), "start",
			"--kubeconfig="+file("admin.conf"), "--config="+file("volumes.json"), "--helper-pod-file="+file("volume-helper.yaml"),
			"--namespace=kube-system", "--configmap-name=volume-scripts", "--service-account-name=volume-helper"),
		{Write: &spec.Write{Path: u.ready()}},
	}}
	return u, nil
}

func (c Cluster) etcdArgs() []string {
	client := fmt.Sprintf("http://%s:%d", c.Loopback, etcdPort)
	peer := fmt.Sprintf("http://%s:%d", c.Loopback, etcdPeerPort)
	return []string{program("etcd"), "--name=" + c.Name, "--data-dir=" + filepath.Join(c.dir(), "etcd"),
		"--listen-client-urls=" + client, "--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=" + c.Name + "=" + peer,
		"--unsafe-no-fsync", // clusters start empty: nothing to lose in a crash of the machine
		"--log-level=warn", "--auto-compaction-retention=5m"}
}

func (c Cluster) apiserverArgs() []string {
	pki := func(name string) string { return filepath.Join(c.pki(), name) }
	return []string{program("kube-apiserver"),
		"--bind-address=" + HostIP, "--advertise-address=" + HostIP, fmt.Sprintf("--secure-port=%d", c.APIPort),
		fmt.Sprintf("--etcd-servers=http://%s:%d", c.Loopback, etcdPort),
		"--client-ca-file=" + pki("ca.crt"), "--tls-cert-file=" + pki("apiserver.crt"), "--tls-private-key-file=" + pki("apiserver.key"),
		"--kubelet-client-certificate=" + pki("apiserver-kubelet-client.crt"), "--kubelet-client-key=" + pki("apiserver-kubelet-client.key"),
		"--kubelet-preferred-address-types=InternalIP,Hostname",
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + pki("sa.pub"), "--service-account-signing-key-file=" + pki("sa.key"),
		"--service-cluster-ip-range=" + c.ServiceCIDR,
		"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--allow-privileged=true",
		"--requestheader-client-ca-file=" + pki("front-proxy-ca.crt"), "--requestheader-allowed-names=front-proxy-client",
		"--proxy-client-cert-file=" + pki("front-proxy-client.crt"), "--proxy-client-key-file=" + pki("front-proxy-client.key"),
		"--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-", "--enable-aggregator-routing=true"}
}

func (c Cluster) controllerManagerArgs() []string {
	pki := func(name string) string { return filepath.Join(c.pki(), name) }
	args := c.controllerArgs("kube-controller-manager", "controller-manager", controllerManagerPort)
	return append(args, "--service-account-private-key-file="+pki("sa.key"), "--root-ca-file="+pki("ca.crt"),
		"--use-service-account-credentials=true",
		"--cluster-signing-cert-file="+pki("ca.crt"), "--cluster-signing-key-file="+pki("ca.key"),
		"--allocate-node-cidrs=false", "--service-cluster-ip-range="+c.ServiceCIDR)
}

func (c Cluster) schedulerArgs() []string {
	return c.controllerArgs("kube-scheduler", "scheduler", schedulerPort)
}

// controllerArgs are what controllers have in common. Each is alone, so it takes
// no leader's lease, which would cost seconds at the start.
func (c Cluster) controllerArgs(prog, user string, port int) []string {
	conf := filepath.Join(c.dir(), user+".conf")
	return []string{program(prog), "--kubeconfig=" + conf, "--authentication-kubeconfig=" + conf, "--authorization-kubeconfig=" + conf,
		"--bind-address=" + c.Loopback, fmt.Sprintf("--secure-port=%d", port),
		"--leader-elect=false", "--kube-api-qps=500", "--kube-api-burst=1000"}
}

// writeCredentials writes the cluster's certificates, all new, and a kubeconfig
// for each program that needs one.
func (c Cluster) writeCredentials() error {
	if err := writePKI(c); err != nil {
		return fmt.Errorf("write certificates of %s: %w", c.Name, err)
	}
	confs := map[string]string{}
	for _, user := range []string{"admin", "controller-manager", "scheduler"} {
		confs[filepath.Join(c.dir(), user+".conf")] = user
	}
	for path, user := range confs {
		if err := writeKubeconfig(path, kubeconfigEntry{c, user}); err != nil {
			return err
		}
	}
	for _, n := range c.Nodes {
		if err := c.writeNodeKubeconfigs(n); err != nil {
			return err
		}
	}
	return nil
}

func (c Cluster) writeNodeKubeconfigs(n Node) error {
	return errors.Join(
		writeKubeconfig(filepath.Join(n.dir(), "kubelet.conf"), kubeconfigEntry{c, n.Name}),
		writeKubeconfig(filepath.Join(n.dir(), "kube-proxy.conf"), kubeconfigEntry{c, "proxy"}))
}

// writeNodeCredentials writes those of one more node of a cluster that runs.
func (c Cluster) writeNodeCredentials(n Node) error {
	ca, err := loadAuthority(c.pki(), "ca")
	if err == nil {
		err = ca.issue(c.pki(), n.identity())
	}
	if err == nil {
		err = c.writeNodeKubeconfigs(n)
	}
	if err != nil {
		return fmt.Errorf("write credentials of node %s: %w", n.Name, err)
	}
	return nil
}

func (c Cluster) addons(img images) (string, error) {
	t, err := template.New("addons").Parse(addonsTemplate)
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	err = t.Execute(&b, map[string]string{"CoreDNS": img.coredns.ref, "DNSIP": c.serviceIP(10)})
	return b.String(), err
}

// volumePaths tells the provisioner each node's folder of volumes.
func (c Cluster) volumePaths() string {
	var nodes []string
	for _, n := range c.Nodes {
		nodes = append(nodes, fmt.Sprintf(`{"node":%q,"paths":[%q]}`, n.Name, filepath.Join(n.dir(), "volumes")))
	}
	return fmt.Sprintf(`{"nodePathMap":[%s],"cmdTimeoutSeconds":120}`, strings.Join(nodes, ","))
}
