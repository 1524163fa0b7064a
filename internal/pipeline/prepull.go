package pipeline

import (
	"context"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"gauntlet/internal/deploy"
	"gauntlet/internal/deploy/prepull"
	"gauntlet/internal/evidence"
	"gauntlet/internal/image"
	"gauntlet/internal/release"
)

// A Prepulled is where a release's images are.
type Prepulled struct {
	Release release.Digest   `json:"release"`
	Hub     string           `json:"hub"`
	Reused  bool             `json:"reused"` // all were there, and the ledger knows it: nothing was recorded
	Pools   []prepull.Report `json:"pools"`
}

// Prepull brings the images of a release to the nodes of a hub, hours before it is
// deployed if need be. No gate is asked: nothing that users see changes. What came
// out is recorded, and returned also with an error once there is something.
func (w *Workspace) Prepull(ctx context.Context, ref, hubName string) (*Prepulled, error) {
	if _, err := w.signer(); err != nil {
		return nil, err
	}
	s, m, err := w.intend(ctx, ref, hubName)
	if err != nil {
		return nil, err
	}
	return w.bring(ctx, s, m)
}

// prepull brings the images to the nodes where users and workers will run. A hub that
// runs the deployable already has no use for it.
func (w *Workspace) prepull(ctx context.Context, s *sight, m *move) error {
	at := m.part.Target
	if deploy.Runs(ctx, m.client, at.Namespace, at.Release, m.part.Deployable) == nil {
		return nil
	}
	_, err := w.bring(ctx, s, m)
	return err
}

func (w *Workspace) bring(ctx context.Context, s *sight, m *move) (*Prepulled, error) {
	fail := func(err error) (*Prepulled, error) {
		return nil, &StepError{Step: prepull.SuiteName, Hub: m.hub, Cause: err}
	}
	conf, hub, at := w.Platform.Chart.PrePuller, w.Platform.Hubs[m.hub], m.part.Target
	off, err := prepull.Off(conf, m.contents.ChartArchive)
	if err != nil {
		return fail(err)
	}
	if path := prepull.StillOn(m.values, off); path != "" {
		w.tell(prepull.SuiteName, m.hub, Warned, "", fmt.Sprintf("the release leaves the chart's own puller on (%s): it was made before that was switched off, "+
			"or a secrets file sets it; its hook may wait for ever. Make a new release with `gauntlet run`", path))
	}
	users, err := prepull.ReadUsers(conf, m.contents.ChartArchive, m.values)
	if err != nil {
		return fail(err)
	}
	pools, err := prepull.Pools(m.hub, hub, users, w.refs(m.contents.Set), w.userImages(m.contents))
	if err != nil {
		return nil, &InputError{err}
	}
	if err := m.client.EnsureNamespace(ctx, at.Namespace); err != nil {
		return fail(err)
	}
	session, err := prepull.Look(ctx, prepull.Request{
		Client: m.client, Namespace: at.Namespace, Pools: pools, PullSecrets: users.PullSecrets,
		Brought: func(ctx context.Context) (map[string]corev1.Secret, error) {
			return deploy.Secrets(ctx, m.request())
		},
		StartTimeout: users.StartTimeout, Timeout: hub.PrePull.Timeout,
		Observe: func(pool, line string) { w.tell(prepull.SuiteName, m.hub, Progress, pool, line) },
	})
	if err != nil {
		return fail(err)
	}
	about := evidence.Subject{Kind: evidence.Deployable, Digest: m.part.Deployable}
	suite := session.Suite()
	out := &Prepulled{Release: m.release, Hub: m.hub}
	if _, known := s.result(suite, about, m.hub); known && session.Ready() && suite.Cleanup == nil {
		out.Reused, out.Pools = true, session.Reports()
		w.tell(prepull.SuiteName, m.hub, Reused, "", "the images are on all nodes, as before")
		return out, nil
	}
	session.Sizes(ctx, func(ctx context.Context, ref string) (int64, error) { return image.Size(ctx, ref, "amd64") })
	err = w.try(ctx, s, suite, about, m.hub)
	out.Pools = session.Reports()
	return out, err
}

// userImages are the images of the set that users' pods run, and the workers that
// go with them.
func (w *Workspace) userImages(contents *release.Contents) []string {
	names := slices.Sorted(maps.Keys(contents.Release.Slots))
	for _, p := range w.Platform.Images.Pairs {
		if slices.Contains(names, p.Notebook) && !slices.Contains(names, p.Worker) {
			names = append(names, p.Worker)
		}
	}
	return names
}
