package prepull

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"gauntlet/internal/check"
	"gauntlet/internal/kill"
)

// form says what the suite does; it changes when that changes.
const form = "prepull v1: every image on every node of a pool that can be had, up to the quorum"

// SuiteName is the name of the suite.
const SuiteName = "prepull"

// Suite is the suite "prepull": one check a pool, "images on POOL", all pulled at the
// same time; and one that nothing is left. It is run once.
func (s *Session) Suite() check.Suite {
	suite := check.Suite{Name: SuiteName, Digest: Digest(s.r.Pools)}
	for i, p := range s.r.Pools {
		suite.Checks = append(suite.Checks, check.Check{
			Name: "images on " + p.Name, Timeout: s.r.Timeout + time.Minute,
			Run: func(ctx context.Context) (string, error) { return s.await(ctx, i) },
		})
	}
	if !s.Ready() || s.left {
		suite.Cleanup = &check.Check{Name: "nothing is left", Timeout: 2 * time.Minute, Run: s.clean}
	}
	return suite
}

// Digest is what the suite checks, in short: the same pools, images and quorums give
// the same.
func Digest(pools []Pool) string {
	type part struct {
		Name, Selector, Tolerations string
		Terms                       []corev1.NodeSelectorTerm `json:",omitempty"`
		Images                      []string
		Min, Quorum                 int
	}
	var parts []part
	for _, p := range pools {
		t, _ := json.Marshal(p.Tolerations) // plain data: never fails
		x := part{Name: p.Name, Selector: labelList(p.NodeSelector), Terms: p.Terms, Tolerations: string(t), Min: p.Min, Quorum: p.Quorum}
		for _, i := range p.Images {
			x.Images = append(x.Images, i.Ref)
		}
		parts = append(parts, x)
	}
	b, _ := json.Marshal(parts)
	sum := sha256.Sum256(append([]byte(form+"\x00"), b...))
	return hex.EncodeToString(sum[:])
}

// await waits until a pool is decided. The first of them begins the work for all.
func (s *Session) await(ctx context.Context, i int) (string, error) {
	s.once.Do(func() {
		// It ends with the pools, the caller's context, or clean.
		all, stop := context.WithCancelCause(context.WithoutCancel(ctx))
		s.stop = func() { stop(errStopped) }
		if s.Ready() {
			_ = s.settle(nil)
			close(s.ended)
			return
		}
		go s.pull(all)
	})
	select {
	case <-s.pools[i]:
	case <-ctx.Done():
		return "", fmt.Errorf("%w: %s", context.Cause(ctx), s.Reports()[i].Line())
	}
	return s.outcome(i)
}

// outcome is a pool's result as its check says it.
func (s *Session) outcome(i int) (string, error) {
	s.mu.Lock()
	r, broken := s.final[i], s.err
	s.mu.Unlock()
	p := s.r.Pools[i]
	switch {
	case r.Met:
	case r.Cause != "":
		return "", errors.New(r.Cause)
	case broken != nil:
		return "", fmt.Errorf("%w: %s", broken, r.Line())
	default:
		return "", fmt.Errorf("not waited for any longer, since another pool has failed: %s", r.Line())
	}
	text := r.Summary(p.imageNames())
	if r.Want == 0 {
		more, late := p.atFirstSpawn(s.r.StartTimeout)
		text += ", " + more
		if late {
			r.Notes = append([]string{text}, r.Notes...)
			return "", check.Warning{Message: strings.Join(r.Notes, "; ")}
		}
	}
	if len(r.Notes) > 0 {
		return "", check.Warning{Message: text + "; " + few(r.Notes, 5, "; ")}
	}
	return text, nil
}

// atFirstSpawn says what the first server on a pool without nodes has to wait for,
// and whether that is longer than it may take to start.
func (p Pool) atFirstSpawn(limit time.Duration) (text string, late bool) {
	size := p.size()
	if size == 0 {
		text = "the first spawn pulls " + p.imageNames()
		if limit > 0 {
			text += fmt.Sprintf(", and a server may take %s to start", span(limit))
		}
		return text, false
	}
	takes := pullTime(size)
	text = fmt.Sprintf("the first spawn pulls %s, about %s", bytes(size), span(takes))
	switch {
	case limit == 0:
		return text, false
	case takes >= limit:
		return text + fmt.Sprintf(", and a server may take only %s to start: the first will fail; raise its start timeout, or keep a node", span(limit)), true
	}
	return text + fmt.Sprintf(", and a server may take %s to start", span(limit)), false
}

// clean removes what this run has made, and what dead runs have left.
func (s *Session) clean(ctx context.Context) (string, error) {
	kill.At("prepull:decided")
	if s.stop != nil {
		s.stop()
		<-s.ended
	}
	err := s.removeRun(ctx, s.run.ID)
	kill.At("prepull:removed")
	n := 0
	if err == nil && s.left {
		n, err = s.sweep(ctx)
	}
	if eerr := s.run.End(ctx); err == nil {
		err = eerr
	}
	if err != nil {
		return "", err
	}
	if n > 0 {
		return fmt.Sprintf("nor of %d runs that were killed", n), nil
	}
	return "", nil
}
