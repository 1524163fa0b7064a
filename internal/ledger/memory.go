package ledger

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"gauntlet/internal/release"
)

// NewMemoryForTests is a store that forgets everything with the process: for unit
// tests of what stands on a ledger.
func NewMemoryForTests() Store {
	return &memory{items: map[release.Digest]Item{}, artifacts: map[release.Digest]release.Artifact{}}
}

type memory struct {
	mu        sync.Mutex
	items     map[release.Digest]Item
	artifacts map[release.Digest]release.Artifact
}

func (m *memory) Append(_ context.Context, item Item) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	item.Envelope = bytes.Clone(item.Envelope)
	m.items[item.ID] = item
	return nil
}

func (m *memory) List(context.Context) ([]release.Digest, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.items)), nil
}

func (m *memory) Get(_ context.Context, id release.Digest) (Item, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	item, ok := m.items[id]
	if !ok {
		return Item{}, fmt.Errorf("statement %s: %w", id.Short(), ErrNotFound)
	}
	item.Envelope = bytes.Clone(item.Envelope)
	return item, nil
}

func (m *memory) PutArtifact(_ context.Context, a release.Artifact) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.artifacts[a.Digest()] = a
	return nil
}

func (m *memory) HasArtifact(_ context.Context, d release.Digest) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, ok := m.artifacts[d]
	return ok, nil
}

func (m *memory) GetArtifact(_ context.Context, d release.Digest) (release.Artifact, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a, ok := m.artifacts[d]
	if !ok {
		return release.Artifact{}, fmt.Errorf("artifact %s: %w", d.Short(), ErrNotFound)
	}
	return a, nil
}
