package ledger

import (
	"context"
	"errors"

	"gauntlet/internal/release"
)

// ErrNotFound says that the store holds no such statement or artifact.
var ErrNotFound = errors.New("not found")

// errMalformed says that something is kept under a statement's name that is no
// statement.
var errMalformed = errors.New("malformed")

// maxEnvelope bounds one statement, in bytes: a policy's text is the largest of them.
const maxEnvelope = 4 << 20

// An Item is a statement as a store keeps it.
type Item struct {
	ID       release.Digest // of Envelope
	Type     string         // predicate type, for clients that list
	Subject  release.Digest // artifact that clients find it under: the first subject
	Envelope []byte         // DSSE, JSON
}

// A Store keeps statements and artifacts. Writers never wait for each other: each
// statement is found by its own name. Errors for what is not there wrap
// ErrNotFound.
type Store interface {
	// Append keeps a statement; the same one again changes nothing.
	Append(ctx context.Context, item Item) error
	// List is the ids of all statements, sorted. An empty store has none.
	List(ctx context.Context) ([]release.Digest, error)
	// Get fetches a statement. Its content is not judged, only its form.
	Get(ctx context.Context, id release.Digest) (Item, error)

	PutArtifact(ctx context.Context, a release.Artifact) error
	HasArtifact(ctx context.Context, d release.Digest) (bool, error)
	GetArtifact(ctx context.Context, d release.Digest) (release.Artifact, error)
}
