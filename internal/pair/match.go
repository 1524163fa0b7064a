package pair

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"gauntlet/internal/config"
	"gauntlet/internal/kube"
)

const (
	schedulerPort = 8786 // Dask's own choice
	// workerMemory is a worker's limit: enough for every probe, and little enough to
	// be filled within seconds.
	workerMemory = "700MB"
)

// A match is one pair while it is tested.
type match struct {
	*run
	config.Pair
	notebook  string   // pod that the client runs in
	scheduler string   // pod; the notebook's own unless the pair says otherwise
	address   string   // of the scheduler
	workers   []string // pods
	session   *session

	// alive ends, with the cause, when the scheduler, the notebook or every worker
	// has; watching is over then or when stop was called.
	alive    context.Context
	stop     context.CancelCauseFunc
	watching sync.WaitGroup
}

// end ends the session and the watch over the pods.
func (m *match) end() {
	m.session.end()
	if m.stop != nil {
		m.stop(nil)
	}
	m.watching.Wait()
}

func (m *match) pods() []string {
	all := append([]string{m.notebook, m.scheduler}, m.workers...)
	all = slices.DeleteFunc(all, func(name string) bool { return name == "" })
	slices.Sort(all)
	return slices.Compact(all)
}

// start creates a pod whose program is the boot script, which prints what the image
// holds and becomes what role says.
func (m *match) start(ctx context.Context, name, role string, args ...string) (string, error) {
	script, err := scripts.ReadFile("scripts/boot.py")
	if err != nil {
		return "", err
	}
	pod, err := m.Client.CreatePod(ctx, m.bench.Pod(kube.Job{
		Name: "pair-" + name, Image: m.Refs[name],
		Args: append([]string{"python3", "-u", "-c", string(script), role}, args...),
	}))
	if err != nil {
		return "", err
	}
	return pod.Name, nil
}

// startScheduler creates all pods of the pair, so that they start side by side, and
// waits for the scheduler's and the notebook's. Workers wait by themselves until the
// scheduler answers.
func (m *match) startScheduler(ctx context.Context) (string, error) {
	begun := time.Now()
	args := []string{"--port", strconv.Itoa(schedulerPort), "--no-dashboard"}
	var err error
	if m.Scheduler == "" {
		if m.notebook, err = m.start(ctx, m.Notebook, "scheduler", args...); err != nil {
			return "", err
		}
		m.scheduler = m.notebook
	} else {
		if m.scheduler, err = m.start(ctx, m.Scheduler, "scheduler", args...); err != nil {
			return "", err
		}
		if m.notebook, err = m.start(ctx, m.Notebook, "client"); err != nil {
			return "", err
		}
	}
	pod, err := m.Client.WaitAddress(ctx, m.bench.Namespace, m.scheduler)
	if err != nil {
		return "", err
	}
	ip := pod.Status.PodIP
	if strings.Contains(ip, ":") {
		ip = "[" + ip + "]"
	}
	m.address = fmt.Sprintf("tcp://%s:%d", ip, schedulerPort)
	for range workersExpected {
		name, err := m.start(ctx, m.Worker, "worker", m.address, "--nthreads", "1", "--no-dashboard",
			"--memory-limit", workerMemory, "--local-directory", "/tmp", "--death-timeout", "60")
		if err != nil {
			return "", err
		}
		m.workers = append(m.workers, name)
	}
	if pod, err = m.Client.WaitReady(ctx, m.bench.Namespace, m.scheduler); err != nil {
		return "", err
	}
	where := "beside the client"
	if m.Scheduler != "" {
		where = "in a pod of its own, of image " + m.Scheduler
		if _, err := m.Client.WaitReady(ctx, m.bench.Namespace, m.notebook); err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%s, on node %s after %s", where, pod.Spec.NodeName, since(begun)), nil
}

// startWorkers waits for the workers' pods. One that started and ended again has
// started: why it ended is for the check that waits for it to say.
func (m *match) startWorkers(ctx context.Context) (string, error) {
	begun := time.Now()
	var nodes []string
	for _, name := range m.workers {
		pod, err := m.Client.WaitReady(ctx, m.bench.Namespace, name)
		if err != nil && !ended(err) {
			return "", err
		}
		nodes = append(nodes, pod.Spec.NodeName)
	}
	m.watch(ctx)
	return fmt.Sprintf("%d pods (%s), %s later", len(nodes), strings.Join(nodes, ", "), since(begun)), nil
}

// ended says whether a pod's program ran and ended.
func ended(err error) bool {
	var p *kube.PodError
	return errors.As(err, &p) && slices.Contains([]string{kube.Exited, kube.Finished, kube.OutOfMemory}, p.Reason)
}

// watch lets alive end when the scheduler, the notebook or every worker has ended or
// is gone: there is nothing to wait for any more.
func (m *match) watch(ctx context.Context) {
	m.alive, m.stop = context.WithCancelCause(context.WithoutCancel(ctx))
	for name, what := range map[string]string{m.notebook: "the notebook's pod", m.scheduler: "the scheduler"} {
		m.watching.Go(func() {
			if ended, why := m.outlived(name); ended {
				m.stop(lost(what+" has ended", why))
			}
		})
	}
	m.watching.Go(func() {
		var each sync.WaitGroup
		whys, gone := make([]*kube.PodError, len(m.workers)), make([]bool, len(m.workers))
		for i, name := range m.workers {
			each.Go(func() { gone[i], whys[i] = m.outlived(name) })
		}
		each.Wait()
		if slices.Contains(gone, false) {
			return // the watch ended, not the worker
		}
		why := slices.IndexFunc(whys, func(p *kube.PodError) bool { return p != nil })
		m.stop(lost("every worker has ended", whys[max(why, 0)]))
	})
}

// outlived waits until a pod has ended, and says whether it has and why; false when
// the watch was over before.
func (m *match) outlived(name string) (bool, *kube.PodError) {
	_, err := m.Client.WaitFinished(m.alive, m.bench.Namespace, name)
	var p *kube.PodError
	if err != nil && (!errors.As(err, &p) || !p.Permanent) {
		return false, nil
	}
	return true, p
}

func lost(what string, why *kube.PodError) error {
	if why == nil {
		return errors.New(what)
	}
	return fmt.Errorf("%s: %w", what, why)
}

func since(t time.Time) time.Duration { return time.Since(t).Round(100 * time.Millisecond) }
