package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"gauntlet/internal/evidence"
	"gauntlet/internal/gate"
	"gauntlet/internal/release"
)

// fetches bounds how many statements are fetched at a time.
const fetches = 16

// Read fetches the whole ledger and verifies every statement by the policy in
// force, which it finds by walking from the pinned one. Only keys of the policy in
// force count: what a key said that is no longer in it counts as absent, and is
// among the rejected. pinned "" trusts nobody: every statement is then rejected.
// It fails when the store cannot be read, or the policy cannot be decided.
func (l *Ledger) Read(ctx context.Context, pinned release.Digest) (View, error) {
	v, err := l.read(ctx, pinned)
	if err == nil {
		seen := v
		l.mu.Lock()
		l.seen = &seen
		l.mu.Unlock()
	}
	return v, err
}

func (l *Ledger) read(ctx context.Context, pinned release.Digest) (View, error) {
	ids, err := l.store.List(ctx)
	if err != nil {
		return View{}, fmt.Errorf("list the statements: %w", err)
	}
	s := sorter{whole: map[release.Digest]bool{}}
	if err := s.add(ctx, l.store, ids); err != nil {
		return View{}, err
	}
	// A statement may be listed and one it names not, when both were written while
	// the list was being read page by page. So ask for it by name.
	for {
		unseen := s.unseen(ids)
		if len(unseen) == 0 {
			break
		}
		ids = append(ids, unseen...)
		if err := s.add(ctx, l.store, unseen); err != nil {
			return View{}, err
		}
	}
	return s.view(ctx, pinned)
}

// A sorter gathers statements, the good ones and the bad.
type sorter struct {
	mu       sync.Mutex
	good     []parsed
	rejected []gate.Rejected
	whole    map[release.Digest]bool
}

// add fetches statements; those that are not there are left out.
func (s *sorter) add(ctx context.Context, store Store, ids []release.Digest) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(fetches)
	for _, id := range ids {
		g.Go(func() error {
			item, err := store.Get(ctx, id)
			switch {
			case errors.Is(err, ErrNotFound):
				return nil
			case errors.Is(err, errMalformed):
				s.take(parsed{record: evidence.Record{ID: id}}, err.Error())
				return nil
			case err != nil:
				return fmt.Errorf("fetch statement %s: %w", id.Short(), err)
			}
			s.take(parse(item))
			return nil
		})
	}
	return g.Wait()
}

func (s *sorter) take(p parsed, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if reason == "" && p.record.Type == evidence.PolicyType {
		if _, ok := policyChange(p.record); !ok {
			reason = "subject mismatch: its text is not the policy it is about"
		}
	}
	if reason != "" {
		s.reject(p, reason)
		return
	}
	s.good = append(s.good, p)
	s.whole[p.record.ID] = true
}

func (s *sorter) reject(p parsed, reason string) {
	s.rejected = append(s.rejected, gate.Rejected{
		ID: p.record.ID, Reason: reason,
		Type: p.record.Type, Subjects: p.record.Subjects, Signer: p.record.Signer,
	})
}

// unseen are ids that statements name and that were not asked for yet.
func (s *sorter) unseen(asked []release.Digest) []release.Digest {
	known := map[release.Digest]bool{}
	for _, id := range asked {
		known[id] = true
	}
	var out []release.Digest
	for _, p := range s.good {
		for _, h := range p.record.Heads {
			if !known[h] {
				known[h] = true
				out = append(out, h)
			}
		}
	}
	return out
}

// view judges what was gathered.
func (s *sorter) view(ctx context.Context, pinned release.Digest) (View, error) {
	v := View{whole: s.whole, named: map[release.Digest]bool{}}
	// All of the well-formed are put in order before any is judged: one that does
	// not count still says what came before what.
	byID := map[release.Digest]parsed{}
	records := make([]evidence.Record, 0, len(s.good))
	for _, p := range s.good {
		byID[p.record.ID] = p
		records = append(records, p.record)
	}
	records = causal(records)
	if pinned == "" {
		for _, p := range s.good {
			s.reject(p, "no policy is pinned, so no key is known")
		}
		v.Heads = heads(records)
	} else {
		at, proposals, err := chain(ctx, s.good, pinned)
		if err != nil {
			return View{}, err
		}
		v.Policy, v.PolicyDigest, v.Proposals = at.policy, at.digest, proposals
		keys := keysOf(at.policy)
		for _, r := range records {
			if reason := byID[r.ID].verify(ctx, keys); reason != "" {
				s.reject(byID[r.ID], reason)
				continue
			}
			v.Records = append(v.Records, r)
			for _, h := range r.Heads {
				v.named[h] = true
			}
		}
		v.Heads = heads(v.Records)
	}
	v.Rejected = s.rejected
	slices.SortFunc(v.Rejected, func(a, b gate.Rejected) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return v, nil
}
