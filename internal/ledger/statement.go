package ledger

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	intoto "github.com/in-toto/attestation/go/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"gauntlet/internal/evidence"
	"gauntlet/internal/release"
)

// metaKey is the key of every predicate that holds what gauntlet adds to it.
const metaKey = "gauntlet"

// meta is what every predicate holds beside its own.
type meta struct {
	Time  time.Time        `json:"time"`  // the signer's claim, UTC
	Heads []release.Digest `json:"heads"` // ids of statements the writer saw that no other one it saw names; [] for the first
}

// A statement is an in-toto Statement v1 as we write it.
type statement struct {
	Type          string          `json:"_type"`
	Subject       []subject       `json:"subject"`
	PredicateType string          `json:"predicateType"`
	Predicate     json.RawMessage `json:"predicate"`
}

type subject struct {
	Name   string            `json:"name"`
	Digest map[string]string `json:"digest"`
}

// encode writes a statement's payload.
func encode(s Statement, m meta) ([]byte, error) {
	raw, err := json.Marshal(s.Predicate)
	if err != nil {
		return nil, fmt.Errorf("encode the predicate: %w", err)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil || fields == nil {
		return nil, errors.New("the predicate is no JSON object")
	}
	if m.Heads == nil {
		m.Heads = []release.Digest{}
	}
	if fields[metaKey], err = json.Marshal(m); err != nil {
		return nil, fmt.Errorf("encode the time: %w", err)
	}
	st := statement{Type: intoto.StatementTypeUri, PredicateType: s.Type}
	if st.Predicate, err = json.Marshal(fields); err != nil {
		return nil, fmt.Errorf("encode the predicate: %w", err)
	}
	for _, sub := range s.Subjects {
		st.Subject = append(st.Subject, subject{sub.Kind, map[string]string{"sha256": sub.Digest.Hex()}})
	}
	payload, err := json.Marshal(st)
	if err != nil {
		return nil, err
	}
	// What we could not read ourselves is not to be written.
	if err := decode(payload, &evidence.Record{}); err != nil {
		return nil, err
	}
	return payload, nil
}

// decode reads a statement's payload into all of a record but its id and signer.
func decode(payload []byte, r *evidence.Record) error {
	// in-toto's own parser refuses unknown and doubled keys, which encoding/json
	// lets pass: what one reader sees, every reader sees.
	var valid intoto.Statement
	if err := protojson.Unmarshal(payload, &valid); err != nil {
		return fmt.Errorf("no in-toto statement: %w", err)
	}
	if err := valid.Validate(); err != nil {
		return fmt.Errorf("no in-toto statement: %w", err)
	}
	var st statement
	if err := json.Unmarshal(payload, &st); err != nil {
		return fmt.Errorf("no in-toto statement: %w", err)
	}
	if st.Type != intoto.StatementTypeUri {
		return fmt.Errorf("statement of type %q, want %q", st.Type, intoto.StatementTypeUri)
	}
	r.Type = st.PredicateType
	r.Predicate = st.Predicate
	for _, sub := range st.Subject {
		d, err := release.ParseDigest("sha256:" + sub.Digest["sha256"])
		if err != nil {
			return fmt.Errorf("subject %q: %w", sub.Name, err)
		}
		if sub.Name == "" {
			return fmt.Errorf("subject %s has no name", d.Short())
		}
		r.Subjects = append(r.Subjects, evidence.Subject{Kind: sub.Name, Digest: d})
	}
	var p struct {
		Meta *meta `json:"gauntlet"`
	}
	if err := json.Unmarshal(st.Predicate, &p); err != nil {
		return fmt.Errorf("predicate: %w", err)
	}
	if p.Meta == nil || p.Meta.Time.IsZero() {
		return fmt.Errorf("predicate: %s.time is missing", metaKey)
	}
	for _, h := range p.Meta.Heads {
		if _, err := release.ParseDigest(string(h)); err != nil {
			return fmt.Errorf("predicate: %s.heads: %w", metaKey, err)
		}
	}
	r.Time, r.Heads = p.Meta.Time, p.Meta.Heads
	return nil
}
