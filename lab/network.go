package lab

import (
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// setUpHostNetwork makes the bridge and the routes by which the host reaches
// pods and services. It repeats safely. Nothing is forwarded from the bridge to
// elsewhere: what is no address of the lab ends here.
func setUpHostNetwork(ctx context.Context) error {
	if err := checkAddressesFree(); err != nil {
		return err
	}
	var batch strings.Builder
	if _, err := net.InterfaceByName(bridge); err != nil {
		fmt.Fprintf(&batch, "link add %s type bridge\n", bridge)
	}
	fmt.Fprintf(&batch, "addr replace %s/24 dev %s\nlink set %s up\n", HostIP, bridge, bridge)
	for _, c := range Clusters() {
		// Addresses of pods that are on no node, and of stopped clusters, go nowhere.
		fmt.Fprintf(&batch, "route replace blackhole %s\n", c.PodCIDR)
		for _, n := range c.Nodes {
			fmt.Fprintf(&batch, "route replace %s via %s\n", n.PodCIDR, n.IP)
		}
		fmt.Fprintf(&batch, "route replace %s via %s\n", c.ServiceCIDR, c.Nodes[0].IP)
	}
	if _, err := output(ctx, batch.String(), "ip", "-batch", "-"); err != nil {
		return fmt.Errorf("set up the lab's network: %w", err)
	}
	for _, path := range []string{"/proc/sys/net/ipv4/conf/" + bridge + "/forwarding", "/proc/sys/net/ipv6/conf/" + bridge + "/disable_ipv6"} {
		value := "0"
		if strings.HasSuffix(path, "disable_ipv6") {
			value = "1"
		}
		if err := os.WriteFile(path, []byte(value), 0o644); err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("keep the lab's network to itself: %w", err)
		}
	}
	return nil
}

// removeHostNetwork removes bridge, cables and routes. What is gone already is fine.
func removeHostNetwork(ctx context.Context) error {
	for _, c := range Clusters() {
		for _, n := range slices.Concat(c.Nodes, c.spares()) {
			removeLink(ctx, n.link())
		}
		_, _ = output(ctx, "", "ip", "route", "del", "blackhole", c.PodCIDR)
	}
	removeLink(ctx, bridge)
	// Network namespaces die a moment after their last process, cables with them.
	return until(ctx, 10*time.Second, func() error {
		if _, err := net.InterfaceByName(bridge); err == nil {
			removeLink(ctx, bridge)
			return fmt.Errorf("the bridge %s does not go away", bridge)
		}
		return nil
	})
}

func removeLink(ctx context.Context, name string) {
	if _, err := net.InterfaceByName(name); err == nil {
		_, _ = output(ctx, "", "ip", "link", "del", name) // checked by the caller
	}
}

// connect plugs a node's network namespace (of process pid) into the bridge.
func (n Node) connect(ctx context.Context, pid int) error {
	err := until(ctx, 5*time.Second, func() error { // an earlier one may be on its way out
		removeLink(ctx, n.link())
		_, err := output(ctx, "", "ip", "link", "add", n.link(), "type", "veth", "peer", "name", "eth0", "netns", strconv.Itoa(pid))
		return err
	})
	if err != nil {
		return err
	}
	_, err = output(ctx, "", "ip", "link", "set", n.link(), "master", bridge, "up")
	return err
}

// networkBatch is what `ip -batch` does inside the node: its address, the way to
// the pods of the cluster's other nodes, and everything else to the host, which
// forwards nothing.
func (n Node) networkBatch(c Cluster) string {
	var b strings.Builder
	fmt.Fprintf(&b, "link set lo up\naddr add %s/24 dev eth0\nlink set eth0 up\nroute add default via %s\n", n.IP, HostIP)
	for _, other := range c.Nodes {
		if other.Name != n.Name {
			fmt.Fprintf(&b, "route add %s via %s\n", other.PodCIDR, other.IP)
		}
	}
	return b.String()
}

// checkAddressesFree refuses to share the lab's addresses with another network.
func checkAddressesFree() error {
	_, own, err := net.ParseCIDR(subnet)
	if err != nil {
		return err
	}
	ifaces, err := net.Interfaces()
	if err != nil {
		return fmt.Errorf("list network interfaces: %w", err)
	}
	for _, i := range ifaces {
		if i.Name == bridge {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			continue // just gone
		}
		for _, a := range addrs {
			ipnet, ok := a.(*net.IPNet)
			if ok && (own.Contains(ipnet.IP) || (ipnet.Contains(own.IP) && ipnet.IP.To4() != nil)) {
				return fmt.Errorf("the network interface %s has the address %s, which overlaps with the lab's network %s; the lab cannot run beside it", i.Name, a, subnet)
			}
		}
	}
	return nil
}
