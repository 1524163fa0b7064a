package suites

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"gauntlet/internal/check"
	"gauntlet/internal/hub"
	"gauntlet/internal/kernel"
	"gauntlet/internal/kube"
)

// A Standing is what runs on a hub before it is changed: the servers of people, and a
// kernel of a probe that is held open meanwhile.
type Standing struct {
	Servers []UserServer // of people, by name
	Probe   string       // user whose kernel is held, "" for none
	Problem string       // why none is held

	p    *probe
	held *heldKernel
	asks bool // the hub answered: its servers are known

	older []OlderServer
}

// How long a hub may take before a change, when it may be the reason for the change.
const (
	standAnswer = 15 * time.Second
	standSpawn  = 3 * time.Minute
)

// Stand looks at a hub before it is changed and holds a kernel open on it. That a hub
// does not answer or starts no server does not hinder the change that may mend it: it
// is the standing's Problem. The caller holds the lock (t.Held) and calls Leave.
func Stand(ctx context.Context, t HubTarget) *Standing {
	if t.SpawnTimeout <= 0 {
		t.SpawnTimeout = standSpawn
	}
	s := &Standing{p: &probe{t: t}}
	if err := s.look(ctx); err != nil {
		s.Problem = kube.OneLine(err.Error())
		return s
	}
	if err := s.hold(ctx); err != nil {
		s.Problem = kube.OneLine(err.Error())
	}
	return s
}

// look notes the servers of people.
func (s *Standing) look(ctx context.Context) error {
	if err := s.p.lock(ctx); err != nil {
		return err
	}
	soon, cancel := context.WithTimeoutCause(ctx, standAnswer, fmt.Errorf("no answer in %s", standAnswer))
	defer cancel()
	if _, err := s.p.answers(soon); err != nil {
		return err
	}
	var err error
	s.Servers, err = s.p.running(ctx)
	s.asks = err == nil
	return err
}

// hold starts a probe's server and holds a kernel open in it.
func (s *Standing) hold(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, s.p.t.SpawnTimeout, fmt.Errorf("not done in %s", s.p.t.SpawnTimeout))
	defer cancel()
	for _, step := range []func(context.Context) (string, error){s.p.sweep, s.p.createUser, s.p.start} {
		if _, err := step(ctx); err != nil {
			return err
		}
	}
	srv, err := kernel.Dial(s.p.t.URL, s.p.server.URL, s.p.token.Value)
	if err != nil {
		return err
	}
	if s.held, err = holdKernel(ctx, srv); err != nil {
		return err
	}
	s.Probe = s.p.name
	return nil
}

// Leave removes the probe; that it could not is its error, and the next run removes it.
func (s *Standing) Leave(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), 3*time.Minute, errors.New("not done in 3 minutes"))
	defer cancel()
	if s.held != nil {
		s.held.close(ctx)
	}
	if s.p.held == nil || s.p.name == "" {
		return nil
	}
	_, err := s.p.leave(ctx)
	var w check.Warning
	if errors.As(err, &w) {
		return nil // what a probe mounts beside its own is said by the suite hub
	}
	return err
}

// upgradeForm says what the suite does; it changes when that changes.
const upgradeForm = "upgrade v2: servers run, servers routed, notebooks paired, kernel answers, output whole"

// Suite is the suite "upgrade": what stood before the change stands after it. ok is
// false when nothing is known from before.
func (s *Standing) Suite() (suite check.Suite, ok bool) {
	sum := sha256.Sum256([]byte(upgradeForm + "\x00" + countCode))
	suite = check.Suite{Name: "upgrade", Digest: hex.EncodeToString(sum[:])}
	const (
		run     = "servers of users still run"
		routed  = "servers of users are routed"
		older   = "their notebooks are paired with the workers"
		answers = "kernel held open answers"
		whole   = "its output is whole"
	)
	u := &upgrade{Standing: s}
	if s.asks {
		suite.Checks = append(suite.Checks,
			check.Check{Name: run, Timeout: 4 * time.Minute, Run: u.run},
			check.Check{Name: routed, Timeout: lostFor + 2*time.Minute, Run: u.routed, Needs: []string{run}},
			check.Check{Name: older, Timeout: time.Minute, Run: u.checkOlder, Needs: []string{run}})
	}
	if s.held != nil {
		var reached []string // what no route leads to cannot answer
		if s.asks {
			reached = []string{routed}
		}
		suite.Checks = append(suite.Checks,
			check.Check{Name: answers, Timeout: lostFor + 2*time.Minute, Run: s.held.answers, Needs: reached},
			check.Check{Name: whole, Timeout: time.Minute, Run: s.held.whole, Needs: []string{answers}})
	}
	return suite, len(suite.Checks) > 0
}

// An upgrade is one run of the suite.
type upgrade struct {
	*Standing
	kept []UserServer
}

// A hub that was just started takes a moment to find its servers again, and routes may
// be lost until it looks at them the next time: every five minutes unless it is told
// otherwise.
const (
	findFor   = time.Minute
	lostFor   = 6 * time.Minute
	syncedFor = 30 * time.Second // after the hub has set the routes again
)

// run checks that the servers from before run and that the hub knows them.
func (u *upgrade) run(ctx context.Context) (string, error) {
	var f fate
	for begun := time.Now(); ; {
		ready, err := u.p.servers(ctx)
		if err == nil {
			pods, perr := u.p.userPods(ctx)
			if perr != nil {
				return "", perr
			}
			f = fateOf(u.Servers, pods, ready)
			if len(f.orphaned) == 0 || time.Since(begun) > findFor {
				u.kept = f.kept
				return u.verdict(f)
			}
		}
		if why := kube.Sleep(ctx, time.Second); why != nil {
			if err == nil {
				err = why
			}
			return "", err
		}
	}
}

// verdict judges what became of the servers. That a server has ended may be the doing
// of its user, of the idle culler or of its node; a probe's server that stands is the
// sign that it was not the change.
func (u *upgrade) verdict(f fate) (string, error) {
	n := len(u.Servers)
	switch {
	case n == 0:
		return "no user had a server", nil
	case len(f.orphaned) > 0:
		return "", fmt.Errorf("the hub does not know the servers of %s any more: their pods run and nobody can reach or stop them", named(f.orphaned))
	case len(f.ended) == 0:
		return fmt.Sprintf("%d of %d", n, n), nil
	case len(f.ended) == n && u.held == nil:
		return "", fmt.Errorf("all %d servers have ended meanwhile: %s", n, named(f.ended))
	}
	return "", check.Warning{Message: fmt.Sprintf("%d of %d; ended meanwhile, by their users, for idleness or with their node: %s", n-len(f.ended), n, named(f.ended))}
}

// routed checks that what users type leads to the servers that run, the probe's among
// them. Where it does not, it has the hub set the routes again.
func (u *upgrade) routed(ctx context.Context) (string, error) {
	servers := u.kept
	if u.held != nil {
		servers = append(slices.Clone(servers), UserServer{User: u.Probe, path: u.p.server.URL})
	}
	if len(servers) == 0 {
		return "no server to reach", nil
	}
	begun, synced := time.Now(), time.Time{}
	note := ""
	for {
		lost, why := u.unreached(ctx, servers)
		if len(lost) == 0 {
			return fmt.Sprintf("%d of %d%s", len(servers), len(servers), note), nil
		}
		if synced.IsZero() {
			u.p.tell("the servers of %s run and cannot be reached: %v; asks the hub to set lost routes again", named(lost), why)
			err := u.p.hub.SyncRoutes(ctx)
			var refused *hub.Error
			switch {
			case err == nil:
				synced = time.Now()
				note = "; the hub was asked to set lost routes again"
			case errors.As(err, &refused) && refused.Status == http.StatusForbidden:
				synced = begun.Add(lostFor - syncedFor) // it does so by itself, later
				note = "; the tool's token lacks the scope \"proxy\", so it waited for the hub to set lost routes again"
			default:
				note = "; " + err.Error()
			}
		}
		over := time.Since(begun) > lostFor || !synced.IsZero() && time.Since(synced) > syncedFor
		if over || kube.Sleep(ctx, time.Second) != nil {
			return "", fmt.Errorf("the servers of %s run and cannot be reached: %w%s", named(lost), why, note)
		}
	}
}

// unreached are the servers that the proxy does not lead to, and the first one's why.
func (u *upgrade) unreached(ctx context.Context, servers []UserServer) (lost []UserServer, why error) {
	const side = 8 // by side
	errs := make([]error, len(servers))
	var wg sync.WaitGroup
	next := make(chan int)
	for range min(side, len(servers)) {
		wg.Go(func() {
			for i := range next {
				errs[i] = u.p.hub.Routed(ctx, servers[i].path)
			}
		})
	}
	for i := range servers {
		next <- i
	}
	close(next)
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			lost = append(lost, servers[i])
			if why == nil {
				why = err
			}
		}
	}
	return lost, why
}
