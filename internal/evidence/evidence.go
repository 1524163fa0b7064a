// Package evidence is the vocabulary of the ledger: the kinds of statement, what
// each says, and about which subject. It is pure; package ledger signs, keeps and
// verifies statements, package gate judges them.
package evidence

import (
	"encoding/json"
	"fmt"
	"time"

	"gauntlet/internal/release"
)

// Predicate types, in-toto's TypeURI. TestResult is in-toto's own and Build SLSA's; the
// others are described in docs/formats.md, since no public predicate says "approved" or
// "deployed".
const (
	TestResultType = "https://in-toto.io/attestation/test-result/v0.1"
	BuildType      = "https://slsa.dev/provenance/v1"
	ReleaseType    = "urn:gauntlet:release:v1"
	ApprovalType   = "urn:gauntlet:approval:v1"
	SignoffType    = "urn:gauntlet:signoff:v1"
	VetoType       = "urn:gauntlet:veto:v1"
	ReadyType      = "urn:gauntlet:ready:v1"
	VersionType    = "urn:gauntlet:version:v1"
	DeploymentType = "urn:gauntlet:deployment:v1"
	PolicyType     = "urn:gauntlet:policy:v1"
	HoldType       = "urn:gauntlet:hold:v1"
	RollbackType   = "urn:gauntlet:rollback:v1"
	OverrideType   = "urn:gauntlet:override:v1"
	AdoptionType   = "urn:gauntlet:adoption:v1"
	PicturesType   = "urn:gauntlet:pictures:v1"
)

// Kinds of subject: the name of the in-toto subject. What is named otherwise lies outside
// of the ledger: an image in its registry.
const (
	ImageSet   = "imageset"
	Deployable = "deployable"
	Release    = "release"
	Policy     = "policy"
)

// Kept says whether subjects of a kind are artifacts of the ledger.
func Kept(kind string) bool {
	return kind == ImageSet || kind == Deployable || kind == Release || kind == Policy
}

// A Subject is what a statement is about.
type Subject struct {
	Kind   string         `json:"kind,omitempty"`
	Digest release.Digest `json:"digest"`
}

// A Record is one statement whose signature has been verified: the signer is a
// known key, though what that key may say is for the gate to judge.
type Record struct {
	ID        release.Digest   // of the signed envelope's bytes
	Type      string           // predicate type
	Subjects  []Subject        // at least one
	Signer    string           // id of the key, see KeyID
	Time      time.Time        // the signer's claim
	Heads     []release.Digest // what its writer saw: ids of records nobody had named as a head yet
	Predicate json.RawMessage
}

// About says whether the record has that subject.
func (r Record) About(kind string, d release.Digest) bool {
	for _, s := range r.Subjects {
		if s.Kind == kind && s.Digest == d {
			return true
		}
	}
	return false
}

// Decode reads the record's predicate as T.
func Decode[T any](r Record) (T, error) {
	var p T
	if err := json.Unmarshal(r.Predicate, &p); err != nil {
		return p, fmt.Errorf("read the %s predicate of statement %s: %w", r.Type, r.ID.Short(), err)
	}
	return p, nil
}
