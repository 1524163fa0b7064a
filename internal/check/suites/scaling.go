package suites

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"gauntlet/internal/check"
	"gauntlet/internal/dask"
	"gauntlet/internal/evidence"
	"gauntlet/internal/kernel"
	"gauntlet/internal/kube"
)

// scalingForm says what the suite does; it changes when that changes.
const scalingForm = "scaling v1: start, up, down, adaptive up, adaptive down, close, nothing left; on the API"

// scalingCode is what a user does.
//
//go:embed scaling.py
var scalingCode string

const (
	// scaledTo is how many workers are asked for, by hand and at most adaptively.
	scaledTo = 2
	// operatorActs is how long the operator may take to say that it works on a cluster. It
	// takes a second, and at times it never says so: dask/dask-kubernetes#968.
	operatorActs = 20 * time.Second
	// arrival bounds how long pods may take to run: a node may have to come first.
	arrival = 10 * time.Minute
	// registered is how long workers whose pods run may take to tell the scheduler.
	registered = time.Minute
	// departure bounds how long pods may take to be gone. The operator takes one worker
	// every 15 seconds when it scales down adaptively.
	departure = 3 * time.Minute
	// adaptiveStart is how long nothing may happen when there is work: the operator looks
	// every 5 seconds.
	adaptiveStart = time.Minute
)

// Scaling is the suite "scaling": in a server of its own, a Dask cluster is made, scaled
// up and down by hand and adaptively, and closed, as users do; whether pods come, work
// and go is seen at the Kubernetes API.
func Scaling(t HubTarget) check.Suite {
	s := &scaling{probe: newProbe(t)}
	const starts, up, down, adaptiveUp = "a Dask cluster starts", "workers come", "workers go", "adaptive scaling brings workers"
	suite := s.suite(ScalingName, scalingForm+"\x00"+scalingCode,
		check.Check{Name: starts, Timeout: arrival + time.Minute, Run: s.open, Nodes: 1},
		check.Check{Name: up, Timeout: arrival + registered, Needs: []string{starts}, Run: s.up, Nodes: 1 + scaledTo},
		check.Check{Name: "workers run the paired image", Timeout: time.Minute, Needs: []string{up}, Run: s.images},
		check.Check{Name: down, Timeout: departure, Needs: []string{up}, Run: s.down},
		check.Check{Name: adaptiveUp, Timeout: arrival + registered, Needs: []string{down}, Run: s.adaptiveUp, Nodes: 1 + scaledTo},
		check.Check{Name: "adaptive scaling takes idle workers away", Timeout: departure, Needs: []string{adaptiveUp}, Run: s.adaptiveDown},
		check.Check{Name: "nothing of a closed cluster stays", Timeout: departure, Needs: []string{starts}, Run: s.close},
		check.Check{Name: "which nodes came is known", Timeout: time.Minute, Needs: []string{up}, Run: s.came},
	)
	return s.finish(suite)
}

// finish has a suite remove its Dask cluster at the end, whatever became of it.
func (s *scaling) finish(suite check.Suite) check.Suite {
	leave := suite.Cleanup.Run
	suite.Cleanup.Run = func(ctx context.Context) (string, error) {
		if err := s.clear(ctx); err != nil {
			_, rest := leave(ctx)
			return "", errors.Join(err, rest)
		}
		return leave(ctx)
	}
	suite.Brought = func() []evidence.Node { return s.brought }
	return suite
}

// scaling is one run of the suite.
type scaling struct {
	*probe
	kernel  *kernel.Kernel
	cluster *dask.Cluster
	view    *kube.View
	workers []*corev1.Pod // that came by hand

	nodes   nodes
	brought []evidence.Node
	thrown  []string // pods that lost their places to others, in words
}

// open starts a cluster without workers.
func (s *scaling) open(ctx context.Context) (string, error) {
	var err error
	if s.cluster, err = dask.Open(s.fenced, s.t.Namespace, s.name); err != nil {
		return "", err
	}
	// It is looked at until the suite is done.
	if s.view, err = s.t.Client.View(context.WithoutCancel(ctx), s.t.Namespace); err != nil {
		return "", err
	}
	s.nodes.before(ctx, s.t.Client)
	if err := s.begin(ctx); err != nil {
		return "", err
	}
	if _, err = s.kernel.Run(ctx, scalingCode); err != nil {
		var raised *kernel.Error
		if errors.As(err, &raised) && raised.Name == "ModuleNotFoundError" {
			return "", fmt.Errorf("the notebook cannot make a Dask cluster on Kubernetes (%s): gauntlet knows dask-kubernetes with the Dask operator; "+
				"install that, or leave the suite scaling out of the policy", kube.OneLine(raised.Value))
		}
		return "", err
	}
	begun := time.Now()
	out, err := s.run(ctx, dask.Scheduler, "start", s.name, s.t.Template, int(operatorActs.Seconds()))
	if err != nil {
		return "", err
	}
	said := kube.OneLine(fmt.Sprintf("%s, after %s, for workers of %s", s.name, took(begun), out.Image))
	if out.Tries > 1 {
		return "", check.Warning{Message: fmt.Sprintf("%s, but only when it was made anew, at attempt %d: the Dask operator did not say in %s that it runs, which "+
			"users see that as a TimeoutError (dask/dask-kubernetes#968)", said, out.Tries, operatorActs)}
	}
	return said, nil
}

// up asks for workers by hand, and has each of them compute.
func (s *scaling) up(ctx context.Context) (string, error) {
	begun := time.Now()
	if _, err := s.run(ctx, "", "cluster.scale", scaledTo); err != nil {
		return "", err
	}
	first, err := s.come(ctx, 1)
	if err != nil {
		return "", err
	}
	after := took(begun)
	if s.workers, err = s.come(ctx, scaledTo); err != nil {
		return "", err
	}
	if err := s.work(ctx, scaledTo); err != nil {
		return "", err
	}
	said := fmt.Sprintf("%d compute after %s, the first ran after %s on node %s", scaledTo, took(begun), after, first[0].Spec.NodeName)
	return kube.OneLine(said + s.lost()), nil
}

// work has n workers compute, once more if some of them lost their places meanwhile.
func (s *scaling) work(ctx context.Context, n int) error {
	for {
		lost := len(s.thrown)
		out, err := s.run(ctx, dask.Worker, "work", n, int(registered.Seconds()))
		if err == nil {
			if len(out.Pods) >= n {
				return nil
			}
			err = fmt.Errorf("of %d workers %d computed: %s", n, len(out.Pods), kube.OneLine(strings.Join(out.Pods, ", ")))
		}
		if len(s.thrown) == lost || ctx.Err() != nil {
			return s.why(ctx, err)
		}
		if _, err := s.come(ctx, n); err != nil {
			return err
		}
	}
}

// images compares what the workers run with the image set, by digest.
func (s *scaling) images(ctx context.Context) (string, error) {
	if len(s.t.Workers) == 0 {
		return "not compared, since the hub runs no release of gauntlet's", nil
	}
	for _, pod := range s.workers {
		if _, err := runs(ctx, pod, s.t.Workers); err != nil {
			return "", fmt.Errorf("worker %s runs none of the images that the notebook was paired with (%s): %w", pod.Name, s.t.Workers[0].Short(), err)
		}
	}
	return fmt.Sprintf("%d workers, %s", len(s.workers), s.t.Workers[0].Short()), nil
}

// down takes all workers away by hand.
func (s *scaling) down(ctx context.Context) (string, error) {
	begun := time.Now()
	if _, err := s.run(ctx, "", "cluster.scale", 0); err != nil {
		return "", err
	}
	if err := s.gone(ctx); err != nil {
		return "", err
	}
	return "their pods are gone after " + took(begun), nil
}

// adaptiveUp gives an adaptive cluster work, until workers have come and done it.
func (s *scaling) adaptiveUp(ctx context.Context) (string, error) {
	begun := time.Now()
	if _, err := s.run(ctx, "", "cluster.adapt", 0, scaledTo); err != nil {
		return "", err
	}
	if _, err := s.run(ctx, "", "load", 10); err != nil {
		return "", err
	}
	if err := s.begins(ctx); err != nil {
		return "", err
	}
	if _, err := s.come(ctx, 1); err != nil {
		return "", err
	}
	after := took(begun)
	if _, err := s.run(ctx, dask.Worker, "results", int(arrival.Seconds())); err != nil {
		return "", s.why(ctx, err)
	}
	return kube.OneLine(fmt.Sprintf("the first after %s; the work was done after %s%s", after, took(begun), s.lost())), nil
}

// adaptiveDown waits until an idle adaptive cluster has no workers.
func (s *scaling) adaptiveDown(ctx context.Context) (string, error) {
	begun := time.Now()
	if err := s.gone(ctx); err != nil {
		return "", err
	}
	return "their pods are gone after " + took(begun), nil
}

// close closes the cluster, and waits until nothing of it is left.
func (s *scaling) close(ctx context.Context) (string, error) {
	begun := time.Now()
	// The client waits for ever for an operator that does not act.
	closing, cancel := context.WithTimeoutCause(ctx, closes, fmt.Errorf("cluster.close() has not come back in %s", closes))
	_, err := s.run(closing, "", "close", int(departure.Seconds()))
	cancel()
	if err != nil {
		parts, _, perr := s.cluster.Parts(ctx)
		if perr != nil || len(parts) == 0 {
			return "", errors.Join(err, perr)
		}
		return "", fmt.Errorf("%w; still there: %s%s", err, kube.OneLine(join(parts)), operatorHint(parts))
	}
	var left []dask.Part
	for {
		parts, unseen, err := s.cluster.Parts(ctx)
		if err != nil {
			return "", err
		}
		if len(parts) == 0 {
			said := "pods, Services, Secrets and custom resources are gone after " + took(begun)
			if len(unseen) > 0 {
				said += "; not looked for, since this user may not list them: " + strings.Join(unseen, ", ")
			}
			return said, nil
		}
		left = parts
		// What is made for a cluster goes with it; what does not by now never will.
		if time.Since(begun) > leftAfter && !slices.ContainsFunc(parts, dask.Part.Ending) {
			break
		}
		if kube.Sleep(ctx, time.Second) != nil {
			break
		}
	}
	return "", fmt.Errorf("left of the closed cluster after %s: %s%s", took(begun), kube.OneLine(join(left)), operatorHint(left))
}

// came notes the nodes that came for the workers: the suite "nodes" follows them.
func (s *scaling) came(context.Context) (string, error) {
	brought, err := s.nodes.brought()
	if err != nil {
		return "", check.Warning{Message: "whether nodes spin down cannot be followed: " + kube.OneLine(err.Error())}
	}
	s.brought = brought
	var names []string
	for _, n := range brought {
		names = append(names, n.Name)
	}
	if len(names) == 0 {
		return kube.OneLine("none: workers ran on nodes that were there before (" + strings.Join(s.nodes.ran, ", ") + ")"), nil
	}
	return kube.OneLine(strings.Join(names, ", ")), nil
}

// clear removes what is left of the cluster when the suite ends early.
func (s *scaling) clear(ctx context.Context) error {
	if s.view != nil {
		s.view.Close()
	}
	if s.cluster == nil {
		return nil
	}
	return clearCluster(ctx, s.cluster, s.tell)
}

// closes is how long a client may take to close a cluster. It takes seconds.
const closes = time.Minute

// leftAfter is how long the garbage collection of the API server may take to come to what
// a deleted cluster owned.
const leftAfter = 30 * time.Second

// operatorHint says what keeps parts that wait for the operator.
func operatorHint(parts []dask.Part) string {
	if slices.ContainsFunc(parts, dask.Part.Ending) {
		return ": does the operator run?"
	}
	return ": nothing owns it, so nothing removes it"
}

func took(since time.Time) string { return time.Since(since).Round(100 * time.Millisecond).String() }

func join(parts []dask.Part) string {
	var names []string
	for _, p := range parts {
		names = append(names, p.String())
	}
	return strings.Join(names, ", ")
}
