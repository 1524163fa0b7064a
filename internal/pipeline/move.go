package pipeline

import (
	"context"

	"gauntlet/internal/config"
	"gauntlet/internal/hubdb"
	"gauntlet/internal/kube"
	"gauntlet/internal/release"
)

// A move is one hub on its way to a release that its gate allows.
type move struct {
	hub      string
	release  release.Digest
	tier     config.Tier
	contents *release.Contents
	part     release.Part
	client   *kube.Client   // of the hub's cluster
	values   release.Values // whole: image slots filled, access values and decrypted secrets merged in
	options  DeployOptions
	exact    *exact       // what to keep to, nil for nothing
	migrates bool         // the hub will migrate its database
	uncopied bool         // which is on a server of its own, and no file that could be copied
	backup   hubdb.Backup // the copy of that file; zero for none
	// nodesStay says that nodes which suites brought are there yet.
	nodesStay bool
	in        reserved // what is known and held while the hub is changed
}

// intend is a release on its way to a hub, for what asks no gate: its values are whole,
// and nothing is done yet.
func (w *Workspace) intend(ctx context.Context, ref, hubName string) (*sight, *move, error) {
	if _, err := w.hub(hubName); err != nil {
		return nil, nil, err
	}
	s, err := w.look(ctx, hubName)
	if err != nil {
		return nil, nil, err
	}
	id, err := s.find(ref)
	if err != nil {
		return nil, nil, err
	}
	contents, err := w.open(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	part, ok := contents.Release.Hubs[hubName]
	if !ok {
		return nil, nil, inputf("release %s was made without hub %s: make a new release with `gauntlet run`", id.Short(), hubName)
	}
	if err := w.elsewhere(hubName, contents); err != nil {
		return nil, nil, err
	}
	m := &move{hub: hubName, release: id, contents: contents, part: part}
	if m.client, err = w.clients.get(part.Target.Cluster); err != nil {
		return nil, nil, err
	}
	if m.values, err = w.hubValues(ctx, s, contents, hubName); err != nil {
		return nil, nil, err
	}
	return s, m, nil
}
