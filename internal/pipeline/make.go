package pipeline

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"gauntlet/internal/config"
	"gauntlet/internal/deploy"
	"gauntlet/internal/deploy/prepull"
	"gauntlet/internal/evidence"
	"gauntlet/internal/git"
	"gauntlet/internal/kube"
	"gauntlet/internal/ledger"
	"gauntlet/internal/release"
)

// makeRelease puts image set, chart and values together, keeps the release with all
// its bytes in the ledger's repository, and says where it came from. The same parts
// give the same release.
func (w *Workspace) makeRelease(ctx context.Context, s *sight, c *checkout, b evidence.Build) (*release.Contents, error) {
	in := release.Input{
		Set:          release.ImageSet{Images: b.Images},
		ChartArchive: c.chart,
		Hubs:         map[string]release.HubInput{},
		Slots:        map[string]release.Slot{},
		Access:       w.Platform.Chart.Access,
	}
	for name, slot := range w.Platform.Chart.Images {
		in.Slots[name] = release.Slot(slot)
	}
	off, err := prepull.Off(w.Platform.Chart.PrePuller, c.chart)
	if err != nil {
		return nil, &InputError{err}
	}
	for name, v := range c.values {
		h := w.Platform.Hubs[name]
		in.Hubs[name] = release.HubInput{
			Target: release.Target{
				Tier: h.Tier, Cluster: h.Cluster, Namespace: h.Namespace, Release: h.Release,
				URL: h.URL, TokenSecret: h.APITokenFrom.Secret, TokenKey: h.APITokenFrom.Key,
			},
			// What is deployed is what the release holds: the chart's own puller is off
			// in its values, so that plan, render suite and digest all know of it.
			Values: release.Merge(v, off), Secrets: c.secrets[name],
		}
	}
	contents, err := release.New(in)
	if err != nil {
		return nil, &InputError{err}
	}
	id := contents.Digest()
	if s.madeBy(id, c.dirty || b.Dirty) {
		return &contents, nil
	}
	for _, d := range contents.Deployables {
		if err := w.ledger.PutArtifact(ctx, d.Artifact()); err != nil {
			return nil, fmt.Errorf("keep a deployable: %w", err)
		}
	}
	if err := w.ledger.PutArtifact(ctx, contents.Artifact()); err != nil {
		return nil, fmt.Errorf("keep the release: %w", err)
	}
	made, err := w.provenance(ctx, s, c, b)
	if err != nil {
		return nil, err
	}
	err = w.record(ctx, s, ledger.Statement{
		Type:      evidence.ReleaseType,
		Subjects:  []evidence.Subject{{Kind: evidence.Release, Digest: id}},
		Predicate: made,
	})
	if err != nil {
		return nil, err
	}
	w.tell("release", "", Passed, "", fmt.Sprintf("%s made from commit %s", id.Short(), made.Label))
	return &contents, nil
}

// madeBy says whether a builder has made this release before; what was made of a tree
// that no commit holds does not count for one of a commit.
func (s *sight) madeBy(id release.Digest, dirty bool) bool {
	found := false
	s.each(evidence.ReleaseType, id, func(r evidence.Record) {
		m, err := evidence.Decode[evidence.Made](r)
		found = found || err == nil && (dirty || !m.Dirty) && s.is(r.Signer, config.RoleBuilder)
	})
	return found
}

// provenance names the commits that the release holds and production does not, with
// their authors: none of them may approve it.
func (w *Workspace) provenance(ctx context.Context, s *sight, c *checkout, b evidence.Build) (evidence.Made, error) {
	made := evidence.Made{Commit: c.commit.ID, Label: c.commit.Label(), Dirty: c.dirty || b.Dirty, Base: w.productionCommit(ctx, s)}
	if made.Dirty {
		made.Label += dirtyMark
	}
	commits, err := c.repo.Log(ctx, made.Base, c.commit.ID)
	if errors.Is(err, git.ErrNoCommit) && made.Base != "" {
		made.Base = "" // production's commit is of another history: all commits count
		commits, err = c.repo.Log(ctx, "", c.commit.ID)
	}
	if err != nil {
		return made, err
	}
	made.Commits = commits
	more, err := w.imageCommits(ctx, c, b, made.Base)
	if err != nil {
		return made, err
	}
	for _, m := range more {
		if !slices.Contains(made.Commits, m) {
			made.Commits = append(made.Commits, m)
		}
	}
	return made, nil
}

// imageCommits are the commits that the images hold: whoever changed an image is an
// author too. In a repository of their own it is not known which of them production
// holds already, so all count.
func (w *Workspace) imageCommits(ctx context.Context, c *checkout, b evidence.Build, base string) ([]evidence.Commit, error) {
	if c.images.repo.Root != c.repo.Root {
		base = ""
	}
	commits, err := c.images.repo.Log(ctx, base, b.Commit)
	if !errors.Is(err, git.ErrNoCommit) {
		return commits, err
	}
	// Built elsewhere, from a commit that this clone does not hold. The same source
	// stands here under another commit, or else its authors cannot be told.
	here := w.unbuilt(c.images)
	if here.Source != b.Source {
		return nil, inputf("the images were built from commit %s, which the clone %s does not hold, so their authors are unknown: git fetch there", b.Commit, c.images.repo.Root)
	}
	return c.images.repo.Log(ctx, base, here.Commit)
}

// productionCommit is the commit of the release that production runs, "" when it
// runs none or when that cannot be told.
func (w *Workspace) productionCommit(ctx context.Context, s *sight) string {
	p := w.production(s, w.states(ctx))
	commit := ""
	s.each(evidence.ReleaseType, p, func(r evidence.Record) {
		if m, err := evidence.Decode[evidence.Made](r); err == nil {
			commit = m.Commit
		}
	})
	return commit
}

// render renders and dry-runs every hub of the release against its own cluster
// before any of them is touched.
func (w *Workspace) render(ctx context.Context, s *sight, contents *release.Contents) error {
	var hubs []deploy.Rendering
	for _, name := range slices.Sorted(maps.Keys(contents.Release.Hubs)) {
		values, err := w.hubValues(ctx, s, contents, name)
		if err != nil {
			return err
		}
		at := contents.Release.Hubs[name].Target
		hubs = append(hubs, deploy.Rendering{
			Hub: name, Cluster: at.Cluster, Namespace: at.Namespace, ReleaseName: at.Release,
			Connect: func() (*kube.Client, error) { return w.clients.get(at.Cluster) },
			Chart:   contents.ChartArchive, Values: values,
		})
	}
	return w.suite(ctx, s, deploy.RenderSuite(hubs), evidence.Subject{Kind: evidence.Release, Digest: contents.Digest()}, "")
}

// hubValues are the values to give Helm for a hub, its secrets decrypted.
func (w *Workspace) hubValues(ctx context.Context, s *sight, contents *release.Contents, hubName string) (release.Values, error) {
	var secrets []release.Values
	for _, f := range contents.Secrets[hubName] {
		v, err := deploy.Decrypt(ctx, f.Name, f.Data)
		if err != nil {
			return nil, fmt.Errorf("secrets of hub %s: %w", hubName, err)
		}
		secrets = append(secrets, v)
	}
	return contents.HubValues(hubName, w.Platform.Registry, w.imageLabel(s, contents), secrets...)
}

// imageLabel is what precedes the digest in a hub's image tag: the version, or the
// commit that the images were built from. It is for people; the digest decides.
func (w *Workspace) imageLabel(s *sight, contents *release.Contents) string {
	if v := s.version(contents.Digest()); v != "" {
		return v
	}
	if b, ok := s.builtAs(contents.Release.ImageSet); ok {
		return b.Label
	}
	return "untagged"
}
