package pair

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"gauntlet/internal/check"
	"gauntlet/internal/usertest"
)

// probe makes one of the client script's checks. What fails for a known cause, or
// because nobody is left to work, is final: it would fail again.
func (m *match) probe(ctx context.Context, pr probe) (string, error) {
	if m.alive.Err() != nil {
		return "", check.Final(m.blame(ctx, context.Cause(m.alive)))
	}
	// Without scheduler and workers there is nothing to wait for.
	asking, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	defer context.AfterFunc(m.alive, func() { stop(context.Cause(m.alive)) })()
	if err := m.connect(asking, pr); err != nil {
		return "", m.blame(ctx, err)
	}
	a, err := m.session.ask(asking, pr.key, pr.timeout)
	switch {
	case err != nil && m.alive.Err() != nil:
		return "", check.Final(m.blame(ctx, err))
	case err != nil:
		return "", m.blame(ctx, err)
	case a.State == passed:
		return a.Message, nil
	case a.State == warned:
		return "", check.Warning{Message: a.Message}
	default:
		return "", m.blame(ctx, errors.New(a.Message))
	}
}

// test runs one of the files that people gave, in the notebook: a Client() in it finds
// the scheduler.
func (m *match) test(ctx context.Context, tests usertest.Set, f usertest.File) (string, error) {
	if m.alive.Err() != nil {
		return "", check.Final(m.blame(ctx, context.Cause(m.alive)))
	}
	running, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	defer context.AfterFunc(m.alive, func() { stop(context.Cause(m.alive)) })()
	return tests.Run(running, usertest.Pod{
		Client: m.Client, Namespace: m.bench.Namespace, Name: m.notebook,
		Env: map[string]string{"DASK_SCHEDULER_ADDRESS": m.address}, // Dask's own name for its setting scheduler-address
	}, f)
}

// connect makes sure of a client that can be asked: a new one when the last has died
// or hangs.
func (m *match) connect(ctx context.Context, pr probe) error {
	if m.session != nil && m.session.broken == nil {
		return nil
	}
	m.session.end()
	s, err := m.startSession(ctx)
	if err != nil {
		return err
	}
	m.session = s
	if pr.key == probes[0].key {
		return nil
	}
	a, err := s.ask(ctx, probes[0].key, probes[0].timeout)
	if err == nil && a.State == failed {
		err = errors.New(a.Message)
	}
	return err
}

// silent are failures whose cause the client cannot know: work that never came
// back, because workers died, hang or never joined.
var silent = regexp.MustCompile(`(?i)no result|no answer|no worker|KilledWorker|Cancelled|CommClosed|lost|connect|every worker|has ended`)

// blame adds to such a failure what workers and scheduler say themselves, since an
// end is often seen by nobody but a log of its own, and puts before it in words what
// is known of such failures.
func (m *match) blame(ctx context.Context, err error) error {
	if silent.MatchString(err.Error()) {
		if said := m.lastWords(ctx); said != "" {
			err = fmt.Errorf("%w; %s", err, said)
		}
	}
	if words := diagnosis(err.Error()); words != "" {
		return check.Final(fmt.Errorf("%s (%w)", words, err))
	}
	return err
}

// lastWords is what the logs of workers and scheduler tell of their trouble, "" when
// they tell of none.
func (m *match) lastWords(ctx context.Context) string {
	aside, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	var words []string
	for _, who := range []struct {
		name string
		pods []string
	}{{"the worker", m.workers}, {"the scheduler", []string{m.scheduler}}} {
		var said []string
		for _, pod := range who.pods {
			log, err := m.Client.Logs(aside, m.bench.Namespace, pod, "", 150)
			if err != nil {
				continue
			}
			if line := trouble(log); line != "" && !slices.Contains(said, line) {
				said = append(said, line)
			}
		}
		if len(said) > 0 {
			words = append(words, who.name+" says: "+strings.Join(said, " / "))
		}
	}
	return strings.Join(words, "; ")
}
