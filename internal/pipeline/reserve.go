package pipeline

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gauntlet/internal/config"
	"gauntlet/internal/kube"
	"gauntlet/internal/release"
)

// mostReserved bounds how long a hub is reserved at once.
const mostReserved = 30 * 24 * time.Hour

// A run keeps the hub that it takes a release over for useTime, and says so anew every
// useAgain: when it is killed, others have the hub after that.
const (
	useTime  = time.Minute
	useAgain = 15 * time.Second
)

// lineEvery is how often a run that waits in line asks again.
const lineEvery = 5 * time.Second

// A BusyError says that others have the hubs where a release could go.
type BusyError struct {
	Release release.Digest
	Tier    string
	By      map[string]kube.Reservation // hub to who has it
}

func (e *BusyError) Error() string {
	var who []string
	for _, hub := range slices.Sorted(maps.Keys(e.By)) {
		r := e.By[hub]
		who = append(who, fmt.Sprintf("%s has %s %s", r.Who(), hub, r.When()))
	}
	return fmt.Sprintf("release %s waits before %s: no hub of it is free: %s; wait in line with gauntlet run --wait", e.Release.Short(), e.Tier, strings.Join(who, "; "))
}

// shared says whether several hubs of a tier stand for each other.
func shared(t config.Tier) bool { return t.Hubs == "any" }

// Reserve keeps a test hub for whoever signs, for so long from now; said again it lasts
// longer, or less long.
func (w *Workspace) Reserve(ctx context.Context, hubName string, lasts time.Duration, why string) (string, error) {
	if lasts <= 0 || lasts > mostReserved {
		return "", inputf("a hub is reserved for at most %d days", mostReserved/(24*time.Hour))
	}
	name, c, ns, err := w.reserver(ctx, hubName)
	if err != nil {
		return "", err
	}
	now := w.opts.Now()
	switch by, err := kube.ReadReservation(ctx, c, ns, kube.InUse, now); {
	case err != nil:
		return "", err
	case by != nil && !strings.HasPrefix(by.Holder, name+" "):
		return "", fmt.Errorf("hub %s: %w: ask again when it is through", hubName, &kube.ReservedError{Namespace: ns, By: *by})
	}
	if err := c.EnsureNamespace(ctx, ns); err != nil {
		return "", err
	}
	r, err := kube.Reserve(ctx, c, ns, kube.Reserved, kube.Reservation{Holder: name, Why: why, Until: now.Add(lasts)}, now)
	if err != nil {
		return "", fmt.Errorf("hub %s: %w", hubName, err)
	}
	return fmt.Sprintf("%s has %s until %s; gauntlet release-hub %s gives it back", name, hubName, r.Until.Local().Format("2 Jan 15:04"), hubName), nil
}

// ReleaseHub gives a hub back that whoever signs has reserved.
func (w *Workspace) ReleaseHub(ctx context.Context, hubName string) (string, error) {
	name, c, ns, err := w.reserver(ctx, hubName)
	if err != nil {
		return "", err
	}
	if err := kube.EndReservation(ctx, c, ns, kube.Reserved, name, w.opts.Now()); err != nil {
		return "", fmt.Errorf("hub %s: %w", hubName, err)
	}
	return hubName + " is free", nil
}

// reserver is who signs, and where the reservation of a hub is kept.
func (w *Workspace) reserver(ctx context.Context, hubName string) (name string, c *kube.Client, namespace string, err error) {
	h, err := w.hub(hubName)
	if err != nil {
		return "", nil, "", err
	}
	if _, err := w.signer(); err != nil {
		return "", nil, "", err
	}
	s, err := w.look(ctx, "")
	if err != nil {
		return "", nil, "", err
	}
	tier, err := s.tier(h.Tier)
	if err != nil {
		return "", nil, "", err
	}
	if !shared(tier) {
		return "", nil, "", inputf("every release goes over all hubs of tier %s, so none can be kept from the others: stop the line with `gauntlet hold --hub %s`", tier.Name, hubName)
	}
	said, err := w.speaker(s, config.RoleBoard, config.RoleDeployer, config.RoleBuilder, config.RoleUser)
	if err != nil {
		return "", nil, "", err
	}
	c, err = w.clients.get(h.Cluster)
	return said.name, c, h.Namespace, err
}

// use keeps a hub, of a tier where any will do, for this run until give is called. A hub
// that somebody else has is a *BusyError.
func (w *Workspace) use(ctx context.Context, s *sight, m *move) (give func(), err error) {
	if !shared(m.tier) {
		return func() {}, nil
	}
	key, err := w.signer()
	if err != nil {
		return nil, err
	}
	name, _, _ := s.person(key.ID())
	ns, busy := m.part.Target.Namespace, &BusyError{Release: m.release, Tier: m.tier.Name, By: map[string]kube.Reservation{}}
	switch by, err := kube.ReadReservation(ctx, m.client, ns, kube.Reserved, w.opts.Now()); {
	case err != nil:
		return nil, err
	case by != nil && by.Holder != name:
		busy.By[m.hub] = *by
		return nil, busy
	}
	if err := m.client.EnsureNamespace(ctx, ns); err != nil {
		return nil, err
	}
	if err := w.settleNodes(ctx, s, m); err != nil {
		return nil, err
	}
	mine := kube.Reservation{Holder: name + " " + strings.ToLower(rand.Text()[:8]), Why: "release " + m.release.Short()}
	renew := func(ctx context.Context) error {
		now := w.opts.Now()
		mine.Until = now.Add(useTime)
		_, err := kube.Reserve(ctx, m.client, ns, kube.InUse, mine, now)
		return err
	}
	var taken *kube.ReservedError
	if err := renew(ctx); errors.As(err, &taken) {
		busy.By[m.hub] = taken.By
		return nil, busy
	} else if err != nil {
		return nil, err
	}
	kept, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for kube.Sleep(kept, useAgain) == nil {
			if err := renew(kept); err != nil && kept.Err() == nil {
				w.tell("deploy", m.hub, Progress, "", err.Error())
			}
		}
	}()
	return func() {
		stop()
		<-done
		end, cancel := bounded(context.WithoutCancel(ctx), stateTimeout)
		defer cancel()
		err := kube.EndReservation(end, m.client, ns, kube.InUse, mine.Holder, w.opts.Now())
		if err == nil && m.nodesStay {
			err = w.keepForNodes(end, s, m, name)
		}
		if err != nil {
			w.tell("deploy", m.hub, Progress, "", err.Error()) // it ends by itself
		}
	}, nil
}

// mayTry says why a release cannot be tried by hand on a hub, nil when it can: the hub is a
// test hub that is kept for whoever signs, and nothing but tests of the release are in its
// way. judged is what the gate said.
func (w *Workspace) mayTry(ctx context.Context, s *sight, m *move, judged error) error {
	if !shared(m.tier) || m.tier.Name != s.policy.Tiers[0].Name {
		return inputf("--try is for test hubs of the first tier that stand for each other (hubs: any): %s is one of %s", m.hub, m.tier.Name)
	}
	said, err := w.speaker(s, config.RoleDeployer)
	if err != nil {
		return err
	}
	by, err := kube.ReadReservation(ctx, m.client, m.part.Target.Namespace, kube.Reserved, w.opts.Now())
	switch {
	case err != nil:
		return err
	case by == nil || by.Holder != said.name:
		return inputf("--try is for a hub that you have reserved: gauntlet reserve %s --key %s", m.hub, said.name)
	}
	var pending *PendingError
	var denied *DeniedError
	switch {
	case judged == nil:
	case errors.As(judged, &pending) && pending.Untested():
		w.tell("deploy", m.hub, Warned, "", "not every test of it has run: nothing of this counts for gates")
	case errors.As(judged, &denied) && denied.Untested():
		w.tell("deploy", m.hub, Warned, "", "tests of it have failed: nothing of this counts for gates")
	default:
		return judged
	}
	return nil
}

// enterAny brings a release over the first hub of a tier that nobody else has, where any
// will do. Where all are taken it waits in line, if asked to.
func (w *Workspace) enterAny(ctx context.Context, id release.Digest, tier config.Tier, o DeployOptions) error {
	hubs, err := w.inTurn(ctx, id, tier)
	if err != nil {
		return err
	}
	told := ""
	for {
		busy := &BusyError{Release: id, Tier: tier.Name, By: map[string]kube.Reservation{}}
		for _, hub := range hubs {
			_, err := w.Deploy(ctx, id.Hex(), hub, o)
			var taken *BusyError
			if !errors.As(err, &taken) {
				return err
			}
			maps.Copy(busy.By, taken.By)
		}
		if !o.Wait {
			return busy
		}
		if text := busy.Error(); text != told {
			told = text
			w.tell("deploy", "", Progress, "", text)
		}
		if err := kube.Sleep(ctx, lineEvery); err != nil {
			return err
		}
	}
}

// reservations are who has which of the platform's test hubs now. What cannot be read is
// left out: the hub's state says why.
func (w *Workspace) reservations(ctx context.Context, s *sight) map[string]kube.Reservation {
	out := map[string]kube.Reservation{}
	for _, t := range s.policy.Tiers {
		if !shared(t) {
			continue
		}
		for _, name := range w.hubNames(t.Name) {
			h := w.Platform.Hubs[name]
			c, err := w.clients.get(h.Cluster)
			if err != nil {
				continue
			}
			asked, cancel := bounded(ctx, stateTimeout)
			for _, lease := range []string{kube.InUse, kube.Reserved} { // a person's counts before a run's
				if r, err := kube.ReadReservation(asked, c, h.Namespace, lease, w.opts.Now()); err == nil && r != nil {
					out[name] = *r
				}
			}
			cancel()
		}
	}
	return out
}
