package lab

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"gauntlet/lab/internal/spec"
)

//go:embed manifests/simulator-crd.yaml
var simulatorCRD string

//go:embed manifests/simulator-stages.yaml
var simulatorStages string

//go:embed manifests/simulator-pod-ready.tmpl
var podReady string

//go:embed manifests/simulator-pod-pulling.tmpl
var podPulling string

// simulatorPort is where a cluster's simulator tells that it is well, on the
// cluster's loopback address.
const simulatorPort = 10247

// simulator is the name of the unit that runs a cluster's simulator. It is a unit
// of its own, started when first needed, so that clusters do not depend on it.
func (c Cluster) simulator() string { return c.Name + "-simulator" }

// simulatorUnit runs kwok, which plays the kubelet for every node that carries
// heartbeatKey, by the stages it finds in the cluster.
func (c Cluster) simulatorUnit() unit {
	u := unit{name: c.simulator()}
	file := func(name string) string { return filepath.Join(c.dir(), name) }
	ready, err := json.Marshal(podReady)
	if err != nil {
		panic(err) // a string
	}
	u.files = map[string]string{
		file("simulator-crd.yaml"):    simulatorCRD,
		file("simulator-stages.yaml"): strings.Replace(simulatorStages, "POD-READY", string(ready), 1),
	}
	kubectl := func(args ...string) spec.Step {
		return spec.Step{Run: append([]string{program("kubectl"), "--kubeconfig=" + file("admin.conf"), "--cache-dir=" + file("kubectl-cache")}, args...)}
	}
	u.spec = spec.Spec{Steps: []spec.Step{
		kubectl("apply", "--server-side", "-f", file("simulator-crd.yaml")),
		kubectl("wait", "--for=condition=Established", "--timeout=30s", "crd/stages.kwok.x-k8s.io"),
		kubectl("apply", "--server-side", "--validate=false", "-f", file("simulator-stages.yaml")),
		u.daemon("kwok", program("kwok"), "--kubeconfig="+file("admin.conf"), "--enable-crds=Stage",
			"--manage-nodes-with-label-selector="+heartbeatKey, "--node-lease-duration-seconds=40",
			"--cidr="+c.simulatedPods(), "--node-ip="+c.Loopback, "--node-port=0",
			"--v=WARN", fmt.Sprintf("--server-address=%s:%d", c.Loopback, simulatorPort)),
		{Wait: fmt.Sprintf("tcp:%s:%d", c.Loopback, simulatorPort)},
		{Write: &spec.Write{Path: u.ready()}},
	}}
	return u
}

// simulatedPods are the addresses of pods on simulated nodes: of the cluster's
// range, but of no real node. Nothing answers there.
func (c Cluster) simulatedPods() string {
	return strings.TrimSuffix(c.PodCIDR, ".0.0/16") + ".128.0/17"
}

// startSimulator makes sure that a cluster's simulator runs, building it first
// where that was never done.
func (c Cluster) startSimulator(ctx context.Context, out io.Writer) error {
	p := newProgress(out)
	folders, err := build(ctx, p, func(set string) bool { return set == simulatorSet })
	if err != nil {
		return err
	}
	u := c.simulatorUnit()
	hash := u.configHash(folders)
	if r, ok, err := c.running(u.name); err != nil || (ok && r.config == hash && u.isReady()) {
		return err
	}
	unlock, err := lockLab(ctx, p)
	if err != nil {
		return err
	}
	defer unlock()
	r, ok, err := c.running(u.name)
	if err != nil || (ok && r.config == hash && u.isReady()) {
		return err
	}
	if ok {
		if err := endUnits(ctx, []runningUnit{r}); err != nil {
			return err
		}
	}
	s, err := u.start(hash)
	if err != nil {
		return err
	}
	if err := await(ctx, []*startedUnit{s}, u.checkReady); err != nil {
		return fmt.Errorf("start the simulator of %s: %w", c.Name, err)
	}
	p.say("%s: the simulator of nodes is up", c.Name)
	return nil
}

// running finds a unit of a cluster that must be up itself.
func (c Cluster) running(unit string) (u runningUnit, ok bool, err error) {
	units, err := ownUnits()
	if err != nil {
		return u, false, err
	}
	if _, up := units[c.Name]; !up {
		return u, false, fmt.Errorf("the cluster %s is not up: lab up %s", c.Name, c.Name)
	}
	u, ok = units[unit]
	return u, ok, nil
}
