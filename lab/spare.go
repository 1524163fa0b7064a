package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// SpareKey is label and taint (SpareKey=NAME:NoSchedule) of a spare node, so that
// only pods that ask for it end up there.
const SpareKey = "lab.gauntlet/spare"

// Numbers of spare nodes within their cluster, after those of the ordinary ones.
const firstSpare, lastSpare = 5, 9

// Spare describes a spare node: a real one, beside a cluster's own, that may be
// frozen, filled up or deleted without harm to anybody. It has no volumes.
type Spare struct {
	Name   string
	Labels map[string]string // besides SpareKey
	Disk   int64             // bytes of the disk that holds its images, in memory; 0 shares the machine's
}

// AddNode adds a spare node to a cluster and returns when it is Ready.
func AddNode(ctx context.Context, out io.Writer, cluster string, s Spare) error {
	if err := needLinuxRoot("lab node add"); err != nil {
		return err
	}
	c, err := clusterNamed(cluster)
	if err != nil {
		return err
	}
	p := newProgress(out)
	unlock, err := lockLab(ctx, p)
	if err != nil {
		return err
	}
	defer unlock()
	if _, exists, err := c.running(s.Name); err != nil || exists {
		return errors.Join(err, existsError(exists, s.Name))
	}
	n, err := c.newSpare(s)
	if err != nil {
		return err
	}
	if err := c.startSpare(ctx, p, n); err != nil {
		return errors.Join(fmt.Errorf("add the node %s: %w", n.Name, err), c.removeSpare(context.WithoutCancel(ctx), n))
	}
	return nil
}

func existsError(exists bool, name string) error {
	if !exists {
		return nil
	}
	return fmt.Errorf("%s runs already; lab node remove removes a spare node", name)
}

var spareName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$`)

// newSpare gives the spare node a number that is free, and so its addresses.
func (c Cluster) newSpare(s Spare) (Node, error) {
	if !spareName.MatchString(s.Name) {
		return Node{}, fmt.Errorf("%q is no name for a node: use at most 40 small letters, digits and dashes", s.Name)
	}
	for _, other := range Clusters() {
		if slices.Contains(append(other.unitNames(), other.simulator(), Services, buildCgroup, "registries"), s.Name) {
			return Node{}, fmt.Errorf("the lab uses the name %s itself", s.Name)
		}
		for _, spare := range other.spares() {
			if spare.Name == s.Name && other.Name != c.Name {
				return Node{}, fmt.Errorf("%s has a node %s already", other.Name, s.Name)
			}
		}
	}
	taken := map[string]bool{}
	for _, n := range c.spares() {
		if n.Name != s.Name { // else left by an interrupted attempt
			taken[n.IP] = true
		}
	}
	labels := map[string]string{SpareKey: s.Name}
	for k, v := range s.Labels {
		labels[k] = v
	}
	for number := firstSpare; number <= lastSpare; number++ {
		n := c.node(number, s.Name, labels)
		if !taken[n.IP] {
			n.Taint, n.Disk = SpareKey+"="+s.Name+":NoSchedule", s.Disk
			return n, nil
		}
	}
	return Node{}, fmt.Errorf("%s has %d spare nodes, more cannot be", c.Name, lastSpare-firstSpare+1)
}

// startSpare starts a spare node beside what runs.
func (c Cluster) startSpare(ctx context.Context, p *progress, n Node) error {
	began := time.Now()
	data, err := json.Marshal(n)
	if err != nil {
		return err
	}
	if err := writeFileAtomic(n.spareFile(), data, 0o644); err != nil {
		return err
	}
	if err := os.RemoveAll(n.dir()); err != nil {
		return err
	}
	img, err := makeImages(ctx)
	if err != nil {
		return err
	}
	if err := c.writeNodeCredentials(n); err != nil {
		return err
	}
	if err := makeCgroup(n.cgroup()); err != nil {
		return err
	}
	all := c
	all.Nodes = slices.Concat(c.Nodes, c.spares())
	u := n.nodeUnit(all, img)
	u.wire = func(pid int) error { return n.connect(ctx, pid) }
	s, err := u.start(u.configHash(nil))
	if err != nil {
		return err
	}
	if err := c.routeTo(ctx, n, "replace"); err != nil {
		return err
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	defer client.http.CloseIdleConnections()
	err = await(ctx, []*startedUnit{s}, func() error {
		if err := u.checkReady(); err != nil {
			return err
		}
		ready, err := client.nodesReady(ctx)
		if err == nil && !ready[n.Name] {
			err = fmt.Errorf("%s is not Ready yet", n.Name)
		}
		return err
	})
	if err == nil {
		p.say("%s: the spare node %s (%s) is up, in %.0f s", c.Name, n.Name, n.IP, time.Since(began).Seconds())
	}
	return err
}

// routeTo makes ("replace") or removes ("del") the way to a spare node's pods on
// the host and in the cluster's other nodes.
func (c Cluster) routeTo(ctx context.Context, n Node, verb string) error {
	units, err := ownUnits()
	if err != nil {
		return err
	}
	route := []string{"ip", "route", verb, n.PodCIDR, "via", n.IP}
	_, err = output(ctx, "", route...)
	errs := []error{err}
	for _, other := range slices.Concat(c.Nodes, c.spares()) {
		u, runs := units[other.Name]
		if !runs || other.Name == n.Name {
			continue
		}
		_, err := output(ctx, "", append([]string{"nsenter", "--net=/proc/" + strconv.Itoa(u.pid) + "/ns/net"}, route...)...)
		errs = append(errs, err)
	}
	if verb == "del" {
		return nil // what is gone already is fine
	}
	return errors.Join(errs...)
}

// RemoveNode removes a spare node from its cluster and from this machine.
func RemoveNode(ctx context.Context, out io.Writer, cluster, name string) error {
	if err := needLinuxRoot("lab node remove"); err != nil {
		return err
	}
	c, err := clusterNamed(cluster)
	if err != nil {
		return err
	}
	unlock, err := lockLab(ctx, newProgress(out))
	if err != nil {
		return err
	}
	defer unlock()
	n, ok := c.spare(name)
	if !ok {
		return fmt.Errorf("%s has no spare node %s", cluster, name)
	}
	return c.removeSpare(ctx, n)
}

func (c Cluster) removeSpare(ctx context.Context, n Node) error {
	client, err := c.client()
	if err == nil {
		defer client.http.CloseIdleConnections()
		err = client.removeIfThere(ctx, "/api/v1/nodes/"+n.Name)
	}
	errs := []error{err, c.endSpare(ctx, n)}
	if err == nil {
		errs = append(errs, client.removePodsOn(ctx, []string{n.Name}))
	}
	return errors.Join(errs...)
}

// endSpare ends a spare node and removes what it left on this machine.
func (c Cluster) endSpare(ctx context.Context, n Node) error {
	units, err := ownUnits()
	if err != nil {
		return err
	}
	if u, runs := units[n.Name]; runs {
		if err := endUnits(ctx, []runningUnit{u}); err != nil {
			return err
		}
	}
	removeLink(ctx, n.link())
	if err := c.routeTo(ctx, n, "del"); err != nil {
		return err
	}
	u := unit{name: n.Name}
	return errors.Join(
		removeCgroups(ctx, func(name string) bool { return name != n.Name }),
		os.RemoveAll(n.dir()), os.RemoveAll(u.logDir()), os.RemoveAll(u.ready()),
		os.RemoveAll(filepath.Join(c.pki(), n.Name+".crt")), os.RemoveAll(filepath.Join(c.pki(), n.Name+".key")),
		os.RemoveAll(n.spareFile()))
}

func sparesDir() string { return filepath.Join(Dir(), "spares") }

// spareFile says that there is this spare node, from before its start on.
func (n Node) spareFile() string { return filepath.Join(sparesDir(), n.Cluster+"."+n.Name+".json") }

// spares lists the cluster's spare nodes, also those that do not run any more.
func (c Cluster) spares() []Node {
	files, _ := filepath.Glob(filepath.Join(sparesDir(), c.Name+".*.json"))
	var nodes []Node
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			continue // just removed
		}
		var n Node
		if json.Unmarshal(data, &n) == nil {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

func (c Cluster) spare(name string) (Node, bool) {
	for _, n := range c.spares() {
		if n.Name == name {
			return n, true
		}
	}
	return Node{}, false
}
