package pipeline

import (
	"context"
	"encoding/json"
	"time"

	"gauntlet/internal/evidence"
	"gauntlet/internal/gate"
	"gauntlet/internal/release"
)

// An Entry is one statement of the ledger, told for people.
type Entry struct {
	ID       release.Digest     `json:"id"`
	Time     time.Time          `json:"time"` // the signer's claim
	Who      string             `json:"who"`  // as the policy knows them, else the key
	Type     string             `json:"type"`
	Subjects []evidence.Subject `json:"subjects"`
	Text     string             `json:"text"`
	// Predicate is what the statement says, as signed.
	Predicate json.RawMessage `json:"predicate"`
}

// Log lists the statements of the ledger, oldest first: all of them, or those about
// a release, its image set and its deployables; and the ones that count as absent.
func (w *Workspace) Log(ctx context.Context, ref string) ([]Entry, []gate.Rejected, error) {
	s, err := w.look(ctx, "")
	if err != nil {
		return nil, nil, err
	}
	keep := func(evidence.Record) bool { return true }
	if ref != "" {
		id, err := s.find(ref)
		if err != nil {
			return nil, nil, err
		}
		contents, err := w.open(ctx, id)
		if err != nil {
			return nil, nil, err
		}
		keep = func(r evidence.Record) bool { return touches(r, id, contents.Release) }
	}
	out := []Entry{} // never null in JSON
	for _, r := range s.view.Records {
		if !keep(r) {
			continue
		}
		who, _, ok := s.person(r.Signer)
		if !ok {
			who = r.Signer
		}
		out = append(out, Entry{ID: r.ID, Time: r.Time, Who: who, Type: r.Type, Subjects: r.Subjects, Text: evidence.Describe(r), Predicate: r.Predicate})
	}
	return out, append([]gate.Rejected{}, s.view.Rejected...), nil
}

// touches says whether a record is about a release or a part of it.
func touches(r evidence.Record, id release.Digest, rel release.Release) bool {
	if r.About(evidence.Release, id) || r.About(evidence.ImageSet, rel.ImageSet) {
		return true
	}
	for _, p := range rel.Hubs {
		if r.About(evidence.Deployable, p.Deployable) {
			return true
		}
	}
	return false
}
