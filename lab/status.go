package lab

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"
)

// Status is the state of the lab, as `lab status -o json` prints it.
type Status struct {
	Up         bool            `json:"up"` // everything is up
	Dir        string          `json:"dir"`
	Kubeconfig string          `json:"kubeconfig"`
	Registry   ServiceStatus   `json:"registry"`
	Builder    ServiceStatus   `json:"builder"`
	Clusters   []ClusterStatus `json:"clusters"`
	Memory     Memory          `json:"memory"` // of all processes of the lab, pods' included
}

// ServiceStatus is the state of the registry or the image builder.
type ServiceStatus struct {
	Address string `json:"address"`
	Up      bool   `json:"up"`
	Problem string `json:"problem,omitempty"`
}

// ClusterStatus is the state of one cluster.
type ClusterStatus struct {
	Name    string       `json:"name"`
	Server  string       `json:"server"`
	Up      bool         `json:"up"`
	Problem string       `json:"problem,omitempty"`
	Memory  Memory       `json:"memory"` // of its control plane and its simulator
	Nodes   []NodeStatus `json:"nodes"`

	Simulated      int `json:"simulated,omitempty"`      // nodes
	SimulatedReady int `json:"simulatedReady,omitempty"` // of these
}

// NodeStatus is the state of one node.
type NodeStatus struct {
	Name   string `json:"name"`
	IP     string `json:"ip"`
	Ready  bool   `json:"ready"`
	Spare  bool   `json:"spare,omitempty"` // not needed for the cluster to be up
	Memory Memory `json:"memory"`          // pods' included
}

// Memory is what processes take, in bytes. RSS counts memory that several share
// (a program's text, say) once for each of them; PSS divides it among them.
type Memory struct {
	RSS int64 `json:"rss"`
	PSS int64 `json:"pss"`
}

func (m Memory) plus(o Memory) Memory { return Memory{m.RSS + o.RSS, m.PSS + o.PSS} }

// GetStatus looks at everything the lab should run.
func GetStatus(ctx context.Context) (*Status, error) {
	if err := needLinuxRoot("lab status"); err != nil {
		return nil, err
	}
	running, err := ownUnits()
	if err != nil {
		return nil, err
	}
	memory, err := unitMemory(running)
	if err != nil {
		return nil, err
	}
	s := &Status{Up: true, Dir: Dir(), Kubeconfig: Kubeconfig(), Memory: memory[Services]}
	s.Registry = serviceStatus(Registry, running, checkRegistry(ctx))
	s.Builder = serviceStatus(BuildkitAddr(), running, checkBuilder(ctx))
	s.Up = s.Registry.Up && s.Builder.Up

	s.Clusters = make([]ClusterStatus, len(Clusters()))
	var wg sync.WaitGroup
	for i, c := range Clusters() {
		wg.Add(1)
		go func() {
			defer wg.Done()
			s.Clusters[i] = clusterStatus(ctx, c, running, memory)
		}()
	}
	wg.Wait()
	for _, c := range s.Clusters {
		s.Up = s.Up && c.Up
		s.Memory = s.Memory.plus(c.Memory)
		for _, n := range c.Nodes {
			s.Memory = s.Memory.plus(n.Memory)
		}
	}
	return s, nil
}

func serviceStatus(addr string, running map[string]runningUnit, problem error) ServiceStatus {
	st := ServiceStatus{Address: addr}
	switch _, ok := running[Services]; {
	case !ok:
		st.Problem = "not running"
	case problem != nil:
		st.Problem = problem.Error()
	default:
		st.Up = true
	}
	return st
}

func clusterStatus(ctx context.Context, c Cluster, running map[string]runningUnit, memory map[string]Memory) ClusterStatus {
	st := ClusterStatus{Name: c.Name, Server: c.Server(), Memory: memory[c.Name].plus(memory[c.simulator()])}
	ready := map[string]bool{}
	if _, ok := running[c.Name]; !ok {
		st.Problem = "not running"
	} else if err := checkCluster(ctx, c); err != nil {
		st.Problem = err.Error()
	} else {
		st.Up = true
	}
	if client, err := c.client(); err == nil {
		nodes, _ := client.nodes(ctx) // none, when it does not answer
		for _, n := range nodes {
			ready[n.name] = n.ready
			if n.simulated {
				st.Simulated++
			}
			if n.simulated && n.ready {
				st.SimulatedReady++
			}
		}
		client.http.CloseIdleConnections()
	}
	for _, n := range c.Nodes {
		_, runs := running[n.Name]
		st.Nodes = append(st.Nodes, NodeStatus{Name: n.Name, IP: n.IP, Ready: runs && ready[n.Name], Memory: memory[n.Name]})
		if !runs && st.Problem == "" {
			st.Up, st.Problem = false, "node "+n.Name+" is not running"
		}
	}
	for _, n := range c.spares() {
		_, runs := running[n.Name]
		st.Nodes = append(st.Nodes, NodeStatus{Name: n.Name, IP: n.IP, Ready: runs && ready[n.Name], Spare: true, Memory: memory[n.Name]})
	}
	return st
}

// unitMemory sums up the memory of each unit's processes.
func unitMemory(running map[string]runningUnit) (map[string]Memory, error) {
	children, err := processChildren()
	if err != nil {
		return nil, err
	}
	sums := map[string]Memory{}
	for name, u := range running {
		for _, pid := range descendants(u.pid, children) {
			sums[name] = sums[name].plus(processMemory(pid))
		}
	}
	return sums, nil
}

func processMemory(pid int) Memory {
	f, err := os.Open(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return Memory{} // ended
	}
	defer f.Close()
	var m Memory
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text()) // "Rss:  1234 kB"
		if len(fields) != 3 {
			continue
		}
		kib, err := strconv.ParseInt(fields[1], 10, 64)
		if err != nil {
			continue
		}
		switch fields[0] {
		case "Rss:":
			m.RSS = kib << 10
		case "Pss:":
			m.PSS = kib << 10
		}
	}
	return m
}

// Print writes the status as a table for people.
func (s *Status) Print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(w, "WHAT\tSTATE\tWHERE\tMEMORY")
	for _, c := range s.Clusters {
		state := upWord(c.Up, "up")
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", c.Name, state, c.Server, c.Memory)
		for _, n := range c.Nodes {
			name := n.Name
			if n.Spare {
				name += " (spare)"
			}
			fmt.Fprintf(w, "  %s\t%s\t%s\t%s\n", name, upWord(n.Ready, "Ready"), n.IP, n.Memory)
		}
		if c.Simulated > 0 {
			fmt.Fprintf(w, "  simulated nodes\t%d of %d Ready\t\t\n", c.SimulatedReady, c.Simulated)
		}
	}
	fmt.Fprintf(w, "registry\t%s\t%s\t\n", upWord(s.Registry.Up, "up"), s.Registry.Address)
	fmt.Fprintf(w, "image builder\t%s\t%s\t\n", upWord(s.Builder.Up, "up"), s.Builder.Address)
	fmt.Fprintf(w, "all\t%s\t%s\t%s\n", upWord(s.Up, "up"), s.Dir, s.Memory)
	if err := w.Flush(); err != nil {
		return err
	}
	for _, p := range s.problems() {
		fmt.Fprintf(out, "\n%s\n", p)
	}
	switch {
	case s.Up:
		fmt.Fprintf(out, "\nexport KUBECONFIG=%s   (contexts: %s, %s, %s)\n", s.Kubeconfig, BleedingEdge, Canary, Production)
	default:
		fmt.Fprintln(out, "\nbring it up: make lab-up")
	}
	return nil
}

func (s *Status) problems() []string {
	var list []string
	add := func(what, problem string) {
		if problem != "" && problem != "not running" {
			list = append(list, what+": "+problem)
		}
	}
	for _, c := range s.Clusters {
		add(c.Name, c.Problem)
	}
	add("registry", s.Registry.Problem)
	add("image builder", s.Builder.Problem)
	return list
}

func upWord(up bool, yes string) string {
	if up {
		return yes
	}
	return "not " + yes
}

// String tells the memory in MiB.
func (m Memory) String() string {
	if m.RSS == 0 {
		return "-"
	}
	return fmt.Sprintf("%d MiB", m.RSS>>20)
}
