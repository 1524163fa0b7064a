package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// Marks of simulated nodes. Every one has the label SimulatedKey=true and the
// taint SimulatedKey=true:NoSchedule, so that only pods that ask for both end up
// there. heartbeatKey is the label by which the simulator cares for a node.
const (
	SimulatedKey = "lab.gauntlet/simulated"
	heartbeatKey = "lab.gauntlet/heartbeat"
)

// simulateLimit bounds how long new nodes may take to be Ready.
const simulateLimit = 2 * time.Minute

// Simulated describes simulated nodes: objects that a program plays the kubelet
// for. Pods on them become Ready at once, without any process or image behind them.
type Simulated struct {
	Prefix  string            // of their names, which are PREFIX-0, PREFIX-1, …; "simulated" when empty
	Count   int               // how many there shall be with this prefix
	Labels  map[string]string // besides the marks
	Taints  []string          // besides the mark, as KEY=VALUE:EFFECT
	MaxPods int               // per node; 110 when 0
}

// Simulate makes simulated nodes in a cluster and returns when all are Ready. Those
// that exist already stay as they are. The simulator is started, and built, if it
// was not yet.
func Simulate(ctx context.Context, out io.Writer, cluster string, s Simulated) error {
	c, err := clusterNamed(cluster)
	if err != nil {
		return err
	}
	objects, err := s.objects()
	if err != nil {
		return err
	}
	if err := c.startSimulator(ctx, out); err != nil {
		return err
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	defer client.http.CloseIdleConnections()
	err = eachOf(objects, func(node map[string]any) error {
		if err := client.create(ctx, "/api/v1/nodes", node); !errors.Is(err, errExists) {
			return err
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("make simulated nodes in %s: %w", cluster, err)
	}
	return until(ctx, simulateLimit, func() error {
		nodes, err := client.nodes(ctx)
		if err != nil {
			return err
		}
		ready := 0
		for _, n := range nodes {
			if n.ready && s.has(n) {
				ready++
			}
		}
		if ready < s.Count {
			return fmt.Errorf("%d of %d simulated nodes are Ready", ready, s.Count)
		}
		return nil
	})
}

// RemoveSimulated removes the simulated nodes of a cluster whose names begin with
// prefix and a dash, with the pods on them and the faults made for that prefix; an
// empty prefix means all of them.
func RemoveSimulated(ctx context.Context, cluster, prefix string) error {
	c, err := clusterNamed(cluster)
	if err != nil {
		return err
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	defer client.http.CloseIdleConnections()
	nodes, err := client.nodes(ctx)
	if err != nil {
		return err
	}
	var names []string
	for _, n := range nodes {
		if n.simulated && (prefix == "" || strings.HasPrefix(n.name, prefix+"-")) {
			names = append(names, n.name)
		}
	}
	err = eachOf(names, func(n string) error { return client.removeIfThere(ctx, "/api/v1/nodes/"+n) })
	if err != nil {
		return fmt.Errorf("remove simulated nodes of %s: %w", cluster, err)
	}
	return errors.Join(client.removePodsOn(ctx, names), client.removePullFaults(ctx, prefix))
}

// removePodsOn removes the pods bound to nodes that are gone, which no kubelet
// will do and the cluster's own collector only after a minute.
func (a *apiClient) removePodsOn(ctx context.Context, nodes []string) error {
	gone := map[string]bool{}
	for _, n := range nodes {
		gone[n] = true
	}
	var list struct {
		Items []struct {
			Metadata struct{ Namespace, Name string }
			Spec     struct{ NodeName string }
		}
	}
	if err := a.get(ctx, "/api/v1/pods", &list); err != nil {
		return err
	}
	var paths []string
	for _, p := range list.Items {
		if gone[p.Spec.NodeName] {
			paths = append(paths, fmt.Sprintf("/api/v1/namespaces/%s/pods/%s?gracePeriodSeconds=0", p.Metadata.Namespace, p.Metadata.Name))
		}
	}
	return eachOf(paths, func(path string) error { return a.removeIfThere(ctx, path) })
}

// has tells whether a node is one of these.
func (s Simulated) has(n nodeState) bool {
	return n.simulated && strings.HasPrefix(n.name, s.prefix()+"-")
}

func (s Simulated) prefix() string {
	if s.Prefix == "" {
		return "simulated"
	}
	return s.Prefix
}

// objects are the nodes as the API server takes them.
func (s Simulated) objects() ([]map[string]any, error) {
	maxPods := s.MaxPods
	if maxPods == 0 {
		maxPods = 110
	}
	taints := []map[string]string{{"key": SimulatedKey, "value": "true", "effect": "NoSchedule"}}
	for _, t := range s.Taints {
		taint, err := parseTaint(t)
		if err != nil {
			return nil, err
		}
		taints = append(taints, taint)
	}
	resources := map[string]string{"cpu": "32", "memory": "128Gi", "ephemeral-storage": "200Gi", "pods": fmt.Sprint(maxPods)}
	var objects []map[string]any
	for i := range s.Count {
		name := fmt.Sprintf("%s-%d", s.prefix(), i)
		labels := map[string]string{SimulatedKey: "true", heartbeatKey: "simulated",
			"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
		for k, v := range s.Labels {
			labels[k] = v
		}
		objects = append(objects, map[string]any{"apiVersion": "v1", "kind": "Node",
			"metadata": map[string]any{"name": name, "labels": labels},
			"spec":     map[string]any{"taints": taints},
			"status": map[string]any{"capacity": resources, "allocatable": resources, "nodeInfo": map[string]string{
				"architecture": "amd64", "operatingSystem": "linux", "osImage": "simulated", "kernelVersion": "simulated",
				"containerRuntimeVersion": "simulated://0", "kubeletVersion": "simulated", "kubeProxyVersion": "simulated",
				"bootID": "simulated", "machineID": "simulated", "systemUUID": "simulated"}}})
	}
	return objects, nil
}

// parseTaint reads KEY=VALUE:EFFECT or KEY:EFFECT.
func parseTaint(text string) (map[string]string, error) {
	rest, effect, ok := strings.Cut(text, ":")
	key, value, _ := strings.Cut(rest, "=")
	if !ok || key == "" || (effect != "NoSchedule" && effect != "NoExecute" && effect != "PreferNoSchedule") {
		return nil, fmt.Errorf("%q is no taint: write KEY=VALUE:EFFECT with the effect NoSchedule, NoExecute or PreferNoSchedule", text)
	}
	return map[string]string{"key": key, "value": value, "effect": effect}, nil
}

// eachOf does something for every item, sixteen at a time, and returns the first
// error, after which it begins nothing more.
func eachOf[T any](items []T, do func(T) error) error {
	var mu sync.Mutex
	var first error
	var wg sync.WaitGroup
	slots := make(chan struct{}, 16)
	for _, item := range items {
		slots <- struct{}{}
		mu.Lock()
		failed := first != nil
		mu.Unlock()
		if failed {
			break
		}
		wg.Add(1)
		go func() {
			defer func() { <-slots; wg.Done() }()
			if err := do(item); err != nil {
				mu.Lock()
				defer mu.Unlock()
				if first == nil {
					first = err
				}
			}
		}()
	}
	wg.Wait()
	return first
}
