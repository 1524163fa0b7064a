// Package ledger signs, keeps and verifies evidence: in-toto statements in DSSE
// envelopes, one OCI artifact each, in a repository of their own. Formats:
// docs/formats.md.
//
// Nothing is ever changed or taken away here. Whoever can push to the repository
// can still delete: every statement names the newest ones its writer saw, and
// clusters remember what their deployers judged by, so that View.Missing finds what
// has gone since. What was deleted before anybody wrote or deployed after it cannot
// be seen.
package ledger

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"gauntlet/internal/evidence"
	"gauntlet/internal/release"
)

// Statement is what Append signs: see evidence.Statement.
type Statement = evidence.Statement

// A Ledger is all evidence of one platform.
type Ledger struct {
	store Store
	now   func() time.Time

	mu   sync.Mutex
	seen *View // the last that was read, its heads as they are after what was appended since
}

// Open is the ledger kept in a store. Nothing is contacted yet.
func Open(store Store) *Ledger {
	return &Ledger{store: store, now: time.Now}
}

// Append signs a statement and keeps it. It names the heads that this ledger has
// seen: of the last Read and what was appended since or, before any Read, of all
// that is well-formed. Who may say what is for the gate to judge, so a statement by
// a key of no policy is kept too, and counts for nothing. Artifacts of the subjects
// must be there, of the first whatever it is: see PutArtifact.
func (l *Ledger) Append(ctx context.Context, key *Key, s Statement) (evidence.Record, error) {
	heads, err := l.heads(ctx)
	if err != nil {
		return evidence.Record{}, fmt.Errorf("read the ledger before writing to it: %w", err)
	}
	item, err := seal(ctx, key, s, meta{Time: l.now().UTC(), Heads: heads})
	if err != nil {
		return evidence.Record{}, fmt.Errorf("sign a %s statement: %w", s.Type, err)
	}
	for i, sub := range s.Subjects {
		if i > 0 && !evidence.Kept(sub.Kind) {
			continue
		}
		ok, err := l.store.HasArtifact(ctx, sub.Digest)
		if err != nil {
			return evidence.Record{}, fmt.Errorf("look for %s %s in the ledger: %w", sub.Kind, sub.Digest.Short(), err)
		}
		if !ok {
			return evidence.Record{}, fmt.Errorf("a statement about %s %s, whose artifact the ledger does not hold", sub.Kind, sub.Digest.Short())
		}
	}
	if err := l.store.Append(ctx, item); err != nil {
		return evidence.Record{}, fmt.Errorf("keep statement %s: %w", item.ID.Short(), err)
	}
	p, reason := parse(item)
	if reason != "" {
		return evidence.Record{}, fmt.Errorf("statement %s cannot be read back: %s", item.ID.Short(), reason)
	}
	l.appended(p.record)
	return p.record, nil
}

// heads are the ids that the next statement names.
func (l *Ledger) heads(ctx context.Context) ([]release.Digest, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.seen == nil {
		v, err := l.read(ctx, "")
		if err != nil {
			return nil, err
		}
		l.seen = &v
	}
	return slices.Clone(l.seen.Heads), nil
}

// appended puts a statement of ours in place of those that it names, unless it
// counts for nothing: its deletion must not stop anybody.
func (l *Ledger) appended(r evidence.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := keysOf(l.seen.Policy)[r.Signer]; l.seen.PolicyDigest != "" && !known {
		return
	}
	left := slices.DeleteFunc(slices.Clone(l.seen.Heads), func(d release.Digest) bool { return slices.Contains(r.Heads, d) })
	l.seen.Heads = append(left, r.ID)
	slices.Sort(l.seen.Heads)
}

// PutArtifact keeps an artifact; one that is there already is left alone.
func (l *Ledger) PutArtifact(ctx context.Context, a release.Artifact) error {
	if err := l.store.PutArtifact(ctx, a); err != nil {
		return fmt.Errorf("keep artifact %s in the ledger: %w", a.Digest().Short(), err)
	}
	return nil
}

// Artifact fetches an artifact by its digest. Its bytes are checked against it.
// The error wraps ErrNotFound when the ledger holds none.
func (l *Ledger) Artifact(ctx context.Context, d release.Digest) (release.Artifact, error) {
	a, err := l.store.GetArtifact(ctx, d)
	if err != nil {
		return release.Artifact{}, fmt.Errorf("fetch artifact %s from the ledger: %w", d.Short(), err)
	}
	return a, nil
}
