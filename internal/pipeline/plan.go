package pipeline

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"gauntlet/internal/deploy"
	"gauntlet/internal/hub"
	"gauntlet/internal/plan"
	"gauntlet/internal/release"
)

// A Planned is what a deploy of a release would change on a hub.
type Planned struct {
	Release  release.Digest `json:"release"`
	Hub      string         `json:"hub"`
	Tier     string         `json:"tier"`
	Cluster  string         `json:"cluster"`
	Revision int            `json:"revision"` // of the Helm release now; 0: nothing is installed

	Unchanged bool         `json:"unchanged"` // no object would change; hooks run all the same, unless it is reused
	Reused    bool         `json:"reused"`    // the hub runs the release already: no revision would be made
	Differs   []string     `json:"differs,omitempty"`
	Connected Connected    `json:"connected"`
	Groups    []plan.Group `json:"groups"`
	Notes     []string     `json:"notes,omitempty"`
}

// Connected is who uses a hub now.
type Connected struct {
	Users   int    `json:"users"`   // people whose servers run
	Servers int    `json:"servers"` // of theirs
	Problem string `json:"problem,omitempty"`
}

// Plan says what a deploy of a release would change on a hub. Nothing is changed,
// recorded or locked, and no gate is asked.
func (w *Workspace) Plan(ctx context.Context, ref, hubName string) (*Planned, error) {
	h, err := w.hub(hubName)
	if err != nil {
		return nil, err
	}
	s, err := w.look(ctx, hubName)
	if err != nil {
		return nil, err
	}
	id, err := s.find(ref)
	if err != nil {
		return nil, err
	}
	contents, err := w.open(ctx, id)
	if err != nil {
		return nil, err
	}
	part, ok := contents.Release.Hubs[hubName]
	if !ok {
		return nil, inputf("release %s was made without hub %s: make a new release with `gauntlet run`", id.Short(), hubName)
	}
	if err := w.elsewhere(hubName, contents); err != nil {
		return nil, err
	}
	c, err := w.clients.get(part.Target.Cluster)
	if err != nil {
		return nil, err
	}
	values, err := w.hubValues(ctx, s, contents, hubName)
	if err != nil {
		return nil, err
	}
	over := w.waiting("plan", hubName, fmt.Sprintf("trying release %s in cluster %s", id.Short(), part.Target.Cluster))
	m := &move{hub: hubName, release: id, contents: contents, part: part, client: c, values: values}
	p, err := deploy.Preview(ctx, m.request())
	over()
	if err != nil {
		return nil, &StepError{Step: "plan", Hub: hubName, Cause: err}
	}
	out := &Planned{
		Release: id, Hub: hubName, Tier: h.Tier, Cluster: part.Target.Cluster, Revision: p.Revision,
		Unchanged: plan.Unchanged(p.Groups), Reused: p.Reused, Differs: p.Differs, Groups: p.Groups, Notes: p.Notes,
	}
	if out.Groups == nil {
		out.Groups = []plan.Group{}
	}
	out.Notes = append(out.Notes, w.refusals(ctx, m)...)
	if p.Revision > 0 {
		out.Connected = w.connected(ctx, hubName)
	}
	return out, nil
}

// refusals are why a deploy would leave the hub alone.
func (w *Workspace) refusals(ctx context.Context, m *move) []string {
	defer w.waiting("plan", m.hub, "asking the cluster whose the hub is")()
	var out []string
	for _, adopt := range []bool{false, true} { // with it, what would be lost is named
		r := m.request()
		r.Adopt = adopt
		if err := deploy.Standing(ctx, r); err != nil {
			if note := "a deploy would refuse: " + err.Error(); !slices.Contains(out, note) {
				out = append(out, note)
			}
		}
	}
	return out
}

// connected asks a hub who uses it.
func (w *Workspace) connected(ctx context.Context, hubName string) Connected {
	h := w.Platform.Hubs[hubName]
	defer w.waiting("plan", hubName, "asking the hub who is connected")()
	ctx, cancel := bounded(ctx, stateTimeout)
	defer cancel()
	users, err := func() ([]hub.User, error) {
		c, err := w.clients.get(h.Cluster)
		if err != nil {
			return nil, err
		}
		token, err := hub.Token(ctx, c, h.Namespace, h.APITokenFrom)
		if err != nil {
			return nil, err
		}
		return hub.New(h.URL, token).Users(ctx)
	}()
	if err != nil {
		return Connected{Problem: because(ctx, err).Error()}
	}
	var n Connected
	for _, u := range users {
		if len(u.Servers) > 0 && !strings.HasPrefix(u.Name, hub.ProbePrefix) {
			n.Users++
			n.Servers += len(u.Servers)
		}
	}
	return n
}
