// Package pipeline knows the order of the steps and runs them: it is the only
// package that does. Every step first looks in the ledger for evidence that it has
// been done, so that a killed walk goes on where it was, on any machine.
package pipeline

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync/atomic"
	"time"

	"gauntlet/internal/config"
	"gauntlet/internal/image"
	"gauntlet/internal/kube"
	"gauntlet/internal/ledger"
)

// Options say how a workspace is opened.
type Options struct {
	File    string           // gauntlet.yaml
	Key     string           // name or path of the signing key; "" reads only
	Version string           // of gauntlet: stands in the provenance of what is built
	Observe func(Event)      // told what happens; may be nil; called from several goroutines
	Now     func() time.Time // default time.Now
}

// A Workspace is one platform: its configuration, ledger and clusters.
type Workspace struct {
	Dir      string // folder of gauntlet.yaml
	Platform *config.Platform

	opts      Options
	ledger    *ledger.Ledger
	clients   clients
	inspector image.Inspector
	unread    atomic.Bool // the ledger could not be read when an emergency asked for it
}

// Open reads the configuration and prepares the ledger and the clusters; nothing
// is contacted yet. Mistakes in the configuration are *InputError, all at once.
func Open(opts Options) (*Workspace, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	data, err := os.ReadFile(opts.File)
	if errors.Is(err, os.ErrNotExist) {
		return nil, inputf("%s does not exist: run gauntlet in the folder that holds it, or name it with --file", shown(opts.File))
	}
	if err != nil {
		return nil, inputf("read the configuration: %w", err)
	}
	p, err := config.ParsePlatform(opts.File, data)
	if err != nil {
		return nil, &InputError{err}
	}
	store, err := ledger.OpenRegistry(p.Ledger)
	if err != nil {
		return nil, inputf("%s: ledger: %w", opts.File, err)
	}
	dir, err := filepath.Abs(filepath.Dir(opts.File))
	if err != nil {
		return nil, err
	}
	return &Workspace{Dir: dir, Platform: p, opts: opts, ledger: ledger.Open(store), inspector: image.Inspector{Cache: true}}, nil
}

// path is a file named in the configuration.
func (w *Workspace) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(w.Dir, name)
}

// read reads a file named in the configuration; its absence is an input error.
func (w *Workspace) read(name, why string) ([]byte, error) {
	data, err := os.ReadFile(w.path(name))
	if err != nil {
		return nil, inputf("read %s, %s: %w", name, why, err)
	}
	return data, nil
}

// hub is a hub of the platform by name.
func (w *Workspace) hub(name string) (config.Hub, error) {
	h, ok := w.Platform.Hubs[name]
	if !ok {
		return h, inputf("no hub %q in %s: the hubs are %s", name, w.opts.File, strings.Join(w.hubNames(""), ", "))
	}
	return h, nil
}

// hubNames are the hubs of a tier ("" for all), sorted.
func (w *Workspace) hubNames(tier string) []string {
	var names []string
	for n, h := range w.Platform.Hubs {
		if tier == "" || h.Tier == tier {
			names = append(names, n)
		}
	}
	sort.Strings(names)
	return names
}

// workbench is the cluster where images are tested and paired.
func (w *Workspace) workbench() (*kube.Client, error) {
	return w.clients.get(w.Platform.Workbench.Context)
}

// signer is the key this workspace signs with.
func (w *Workspace) signer() (*ledger.Key, error) {
	if w.opts.Key == "" {
		return nil, inputf("this needs a signing key: name one with --key or GAUNTLET_KEY, or make one with `gauntlet key new NAME`")
	}
	k, err := ledger.FindKey(w.opts.Key)
	if err != nil {
		return nil, &InputError{err}
	}
	return k, nil
}

// record signs a statement with the workspace's key and appends it to the ledger.
// What s holds afterwards includes it, so that the next step finds it; s may be nil.
func (w *Workspace) record(ctx context.Context, s *sight, st ledger.Statement) error {
	k, err := w.signer()
	if err != nil {
		return err
	}
	r, err := w.ledger.Append(ctx, k, st)
	if err != nil {
		return fmt.Errorf("record in the ledger %s: %w", w.Platform.Ledger, err)
	}
	if s != nil {
		s.add(r)
	}
	return nil
}
