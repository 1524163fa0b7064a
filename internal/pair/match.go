package pair

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"gauntlet/internal/check"
	"gauntlet/internal/config"
	"gauntlet/internal/kube"
)

const schedulerPort = 8786 // Dask's own choice

// A match is one pair while it is tested.
type match struct {
	*run
	config.Pair
	notebook string   // pod
	address  string   // of the scheduler
	workers  []string // pods
	session  *session

	// alive ends, with the cause, when every worker has; watching is over then or
	// when stop was called.
	alive    context.Context
	stop     context.CancelCauseFunc
	watching sync.WaitGroup
}

// end ends the session and the watch over the workers.
func (m *match) end() {
	m.session.end()
	if m.stop != nil {
		m.stop(nil)
	}
	m.watching.Wait()
}

func (m *match) pods() []string {
	if m.notebook == "" {
		return nil
	}
	return append([]string{m.notebook}, m.workers...)
}

// boot is the command of a pod: the script that prints what the image holds and
// becomes Dask's scheduler or worker.
func boot(role string, args ...string) ([]string, error) {
	script, err := scripts.ReadFile("scripts/boot.py")
	if err != nil {
		return nil, err
	}
	return append([]string{"python3", "-u", "-c", string(script), role}, args...), nil
}

func (m *match) startScheduler(ctx context.Context) (string, error) {
	args, err := boot("scheduler", "--port", strconv.Itoa(schedulerPort), "--no-dashboard")
	if err != nil {
		return "", err
	}
	start := time.Now()
	pod, err := m.Client.CreatePod(ctx, m.bench.Pod(kube.Job{
		Name: "pair-" + m.Notebook, Image: m.Refs[m.Notebook], Args: args,
		Ready: &corev1.Probe{
			ProbeHandler:     corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(schedulerPort)}},
			PeriodSeconds:    1,
			FailureThreshold: 600, // the check's own timeout ends the wait
		},
	}))
	if err != nil {
		return "", err
	}
	m.notebook = pod.Name
	if pod, err = m.Client.WaitReady(ctx, m.bench.Namespace, m.notebook); err != nil {
		return "", err
	}
	ip := pod.Status.PodIP
	if strings.Contains(ip, ":") {
		ip = "[" + ip + "]"
	}
	m.address = fmt.Sprintf("tcp://%s:%d", ip, schedulerPort)
	return fmt.Sprintf("on node %s after %s", pod.Spec.NodeName, since(start)), nil
}

// startWorkers creates the worker pods. One that started and ended again has
// started: why it ended is for the check that waits for it to say.
func (m *match) startWorkers(ctx context.Context) (string, error) {
	args, err := boot("worker", m.address, "--nthreads", "1", "--no-dashboard", "--local-directory", "/tmp", "--death-timeout", "60")
	if err != nil {
		return "", err
	}
	start := time.Now()
	for range workersExpected {
		pod, err := m.Client.CreatePod(ctx, m.bench.Pod(kube.Job{Name: "pair-" + m.Worker, Image: m.Refs[m.Worker], Args: args}))
		if err != nil {
			return "", err
		}
		m.workers = append(m.workers, pod.Name)
	}
	var nodes []string
	for _, name := range m.workers {
		pod, err := m.Client.WaitReady(ctx, m.bench.Namespace, name)
		if err != nil && !ended(err) {
			return "", err
		}
		nodes = append(nodes, pod.Spec.NodeName)
	}
	m.watchWorkers(ctx)
	return fmt.Sprintf("%d pods (%s) after %s", len(nodes), strings.Join(nodes, ", "), since(start)), nil
}

// ended says whether a pod's program ran and ended.
func ended(err error) bool {
	var p *kube.PodError
	return errors.As(err, &p) && slices.Contains([]string{kube.Exited, kube.Finished, kube.OutOfMemory}, p.Reason)
}

// probe makes one of the client script's checks.
func (m *match) probe(ctx context.Context, pr probe) (string, error) {
	if m.session == nil {
		s, err := m.startSession(ctx)
		if err != nil {
			return "", err
		}
		m.session = s
	}
	// Without workers there is nothing to wait for.
	asking, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	defer context.AfterFunc(m.alive, func() { stop(context.Cause(m.alive)) })()
	a, err := m.session.ask(asking, pr.key, pr.timeout)
	if err != nil {
		return "", m.blame(ctx, err)
	}
	switch a.State {
	case passed:
		return a.Message, nil
	case warned:
		return "", check.Warning{Message: a.Message}
	default:
		return "", m.blame(ctx, errors.New(a.Message))
	}
}

// watchWorkers lets alive end when every worker has ended or is gone.
func (m *match) watchWorkers(ctx context.Context) {
	m.alive, m.stop = context.WithCancelCause(context.WithoutCancel(ctx))
	m.watching.Go(func() {
		var each sync.WaitGroup
		errs := make([]error, len(m.workers))
		for i, name := range m.workers {
			each.Go(func() { _, errs[i] = m.Client.WaitFinished(m.alive, m.bench.Namespace, name) })
		}
		each.Wait()
		var why *kube.PodError
		for _, err := range errs {
			var p *kube.PodError
			if err != nil && (!errors.As(err, &p) || !p.Permanent) {
				return // the watch ended, not the worker
			}
			if err != nil {
				why = p
			}
		}
		if why == nil {
			m.stop(errors.New("every worker has ended"))
			return
		}
		m.stop(fmt.Errorf("every worker has ended: %w", why))
	})
}

// silent are failures whose cause the client cannot know: work that never came
// back, because workers died, hang or never joined.
var silent = regexp.MustCompile(`(?i)no result|no answer|no worker|KilledWorker|Cancelled|CommClosed|lost`)

// blame adds to such a failure what the workers say themselves: a worker's end is
// often seen by nobody but its own log.
func (m *match) blame(ctx context.Context, err error) error {
	if !silent.MatchString(err.Error()) {
		return err
	}
	aside, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	said := map[string]bool{}
	var words []string
	for _, name := range m.workers {
		log, logErr := m.Client.Logs(aside, m.bench.Namespace, name, "", 150)
		if logErr != nil {
			continue
		}
		line := trouble(log)
		if line != "" && !said[line] {
			said[line] = true
			words = append(words, line)
		}
	}
	if len(words) == 0 {
		return err
	}
	return fmt.Errorf("%w; the worker says: %s", err, strings.Join(words, " / "))
}

func since(t time.Time) time.Duration { return time.Since(t).Round(100 * time.Millisecond) }
