package lab

import (
	"fmt"
	"path/filepath"
	"strings"
)

// Cluster is one Kubernetes cluster with a control plane of its own. Its name is
// its context in the kubeconfig.
type Cluster struct {
	Name        string
	APIPort     int    // of the API server, on HostIP
	Loopback    string // address of etcd and the controllers, on the host only
	PodCIDR     string // a /16; each node has a /24 of it
	ServiceCIDR string
	Nodes       []Node
}

// Node is one node: a network and mount namespace that runs containerd, kubelet
// and kube-proxy. Pods' addresses, NodePorts on IP and the cluster's services
// are reachable from the host.
type Node struct {
	Name    string
	Cluster string
	IP      string
	PodCIDR string
	Labels  map[string]string

	// Of spare nodes only.
	Taint string // KEY=VALUE:EFFECT, from its first moment on
	Disk  int64  // bytes of the disk that holds its images; 0 is the machine's
}

// HubLabel is the label of the bleeding-edge nodes by which each test hub finds
// its own node: `testing` on the first, `test2` on the second.
const HubLabel = "gauntlet.lab/hub"

// Names of the clusters, which are the contexts of Kubeconfig.
const (
	BleedingEdge = "bleeding-edge"
	Canary       = "canary"
	Production   = "production"
)

// Clusters lists the lab's clusters.
func Clusters() []Cluster {
	return []Cluster{
		newCluster(1, BleedingEdge, map[string]string{HubLabel: "testing"}, map[string]string{HubLabel: "test2"}),
		newCluster(2, Canary, nil),
		newCluster(3, Production, nil),
	}
}

// clusterNamed finds a cluster by its name.
func clusterNamed(name string) (Cluster, error) {
	var names []string
	for _, c := range Clusters() {
		if c.Name == name {
			return c, nil
		}
		names = append(names, c.Name)
	}
	return Cluster{}, fmt.Errorf("the lab has no cluster %q; it has %s", name, strings.Join(names, ", "))
}

// newCluster lays out cluster number i (1..9), with one node per set of labels.
func newCluster(i int, name string, nodeLabels ...map[string]string) Cluster {
	c := Cluster{
		Name:        name,
		APIPort:     6442 + i,
		Loopback:    fmt.Sprintf("127.29.0.%d", i),
		PodCIDR:     fmt.Sprintf("10.%d.0.0/16", 200+i),
		ServiceCIDR: fmt.Sprintf("10.%d.0.0/16", 100+i),
	}
	for j, labels := range nodeLabels {
		c.Nodes = append(c.Nodes, c.node(j+1, fmt.Sprintf("%s-%d", name, j+1), labels))
	}
	return c
}

// node is the cluster's node number n (1..9).
func (c Cluster) node(n int, name string, labels map[string]string) Node {
	i := c.APIPort - 6442
	return Node{
		Name:    name,
		Cluster: c.Name,
		IP:      fmt.Sprintf("172.29.0.%d", 10*i+n),
		PodCIDR: fmt.Sprintf("10.%d.%d.0/24", 200+i, n),
		Labels:  labels,
	}
}

// Server is the URL of the cluster's API server.
func (c Cluster) Server() string { return fmt.Sprintf("https://%s:%d", HostIP, c.APIPort) }

// serviceIP is address n of the service range: 1 is the API server, 10 the DNS.
func (c Cluster) serviceIP(n int) string {
	return fmt.Sprintf("%s.%d", strings.TrimSuffix(c.ServiceCIDR, ".0/16"), n)
}

func (c Cluster) dir() string { return filepath.Join(Dir(), "clusters", c.Name) }
func (c Cluster) pki() string { return filepath.Join(c.dir(), "pki") }
func (n Node) dir() string    { return filepath.Join(Dir(), "nodes", n.Name) }

// cgroup of the node's pods, below the root of each hierarchy.
func (n Node) cgroup() string { return cgroupPrefix + n.Name }

// link is the host's end of the node's network cable.
func (n Node) link() string { return "gauntlet" + n.IP[strings.LastIndexByte(n.IP, '.')+1:] }
