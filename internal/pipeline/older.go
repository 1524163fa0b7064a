package pipeline

import (
	"context"
	"encoding/json"
	"fmt"

	"gauntlet/internal/config"
	"gauntlet/internal/evidence"
	"gauntlet/internal/release"
)

// pairedWith says of other notebooks than the release's whether the ledger shows them
// paired with the workers that the release gives users now. It is nil where nobody gets
// other workers than those their notebook names: it has the template in it, or there are
// none.
func (w *Workspace) pairedWith(ctx context.Context, s *sight, contents *release.Contents) (func(notebook release.Digest) bool, error) {
	notebook := w.notebook(contents)
	var pair *config.Pair
	for i, p := range w.Platform.Images.Pairs {
		if p.Notebook == notebook && p.Template == "" {
			pair = &w.Platform.Images.Pairs[i]
		}
	}
	if pair == nil {
		return nil, nil
	}
	paired := map[release.Digest]bool{}
	seen := map[release.Digest]bool{}
	for _, r := range s.view.Records {
		set := subject(r, evidence.ImageSet)
		if r.Type != evidence.TestResultType || set == "" || seen[set] || !s.is(r.Signer, config.RoleChecker) {
			continue
		}
		t, err := evidence.Decode[evidence.TestResult](r)
		if err != nil || t.Suite != "pairing" || len(t.Checks) == 0 || t.Result != evidence.Passed && t.Result != evidence.Warned {
			continue
		}
		seen[set] = true
		images, err := w.imageSet(ctx, set)
		if err != nil {
			return nil, err
		}
		if images.Images[pair.Worker] == contents.Set.Images[pair.Worker] {
			paired[images.Images[pair.Notebook]] = true
		}
	}
	return func(d release.Digest) bool { return paired[d] }, nil
}

// imageSet reads an image set of the ledger's repository.
func (w *Workspace) imageSet(ctx context.Context, d release.Digest) (release.ImageSet, error) {
	var set release.ImageSet
	a, err := w.ledger.Artifact(ctx, d)
	if err != nil {
		return set, fmt.Errorf("read image set %s: %w", d.Short(), err)
	}
	if err := json.Unmarshal(a.Config, &set); err != nil {
		return set, fmt.Errorf("read image set %s: %w", d.Short(), err)
	}
	return set, nil
}
