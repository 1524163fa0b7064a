package pipeline

import (
	"context"
	"fmt"
	"slices"

	"gauntlet/internal/deploy"
	"gauntlet/internal/deploy/prepull"
	"gauntlet/internal/plan"
	"gauntlet/internal/preflight"
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
	Saved     *SavedFile   `json:"saved,omitempty"`

	Findings []preflight.Finding `json:"findings"` // of preflight: an error would stop the deploy
}

// Plan says what a deploy of a release would change on a hub. Nothing is changed,
// recorded or locked, and no gate is asked. With save it keeps the plan in that file,
// for a deploy that does exactly this.
func (w *Workspace) Plan(ctx context.Context, ref, hubName, save string) (*Planned, error) {
	s, m, err := w.intend(ctx, ref, hubName)
	if err != nil {
		return nil, err
	}
	cluster := m.part.Target.Cluster
	found := w.foresee(ctx, s, m)
	over := w.waiting("plan", hubName, fmt.Sprintf("trying release %s in cluster %s", m.release.Short(), cluster))
	p, err := deploy.Preview(ctx, m.request())
	over()
	findings := <-found
	if err != nil {
		return nil, &StepError{Step: "plan", Hub: hubName, Cause: err}
	}
	out := &Planned{
		Release: m.release, Hub: hubName, Tier: w.Platform.Hubs[hubName].Tier, Cluster: cluster, Revision: p.Revision,
		Unchanged: plan.Unchanged(p.Groups), Reused: p.Reused, Differs: p.Differs, Groups: p.Groups, Notes: p.Notes,
		Findings: []preflight.Finding{},
	}
	switch {
	case p.Reused: // a deploy looks for nothing
	case findings.err != nil:
		out.Notes = append(out.Notes, "what may go wrong was not looked for: "+findings.err.Error())
	case findings.list != nil:
		out.Findings = findings.list
	}
	if out.Groups == nil {
		out.Groups = []plan.Group{}
	}
	out.Notes = append(out.Notes, w.refusals(ctx, m)...)
	if note := w.pullerNote(m); note != "" {
		out.Notes = append(out.Notes, note)
	}
	if save != "" {
		if out.Saved, err = w.save(ctx, s, m, p, save); err != nil {
			return nil, &StepError{Step: "plan", Hub: hubName, Cause: fmt.Errorf("save it: %w", err)}
		}
	}
	if p.Revision > 0 {
		out.Connected = w.connected(ctx, hubName)
	}
	return out, nil
}

// foreseen is what preflight finds, or why it could not look.
type foreseen struct {
	list []preflight.Finding
	err  error
}

// foresee lets preflight look beside the plan.
func (w *Workspace) foresee(ctx context.Context, s *sight, m *move) <-chan foreseen {
	out := make(chan foreseen, 1)
	go func() {
		f, err := w.facts(ctx, s, m, false) // whose the hub is, the plan asks itself
		if err != nil {
			out <- foreseen{err: err}
			return
		}
		out <- foreseen{list: preflight.Judge(f, w.Platform.Preflight.Severities())}
	}()
	return out
}

// pullerNote says what becomes of a chart's own puller of images, "" where there is none.
func (w *Workspace) pullerNote(m *move) string {
	off, err := prepull.Off(w.Platform.Chart.PrePuller, m.contents.ChartArchive)
	if err != nil || len(off) == 0 {
		return "" // a deploy says what is wrong with it
	}
	if path := prepull.StillOn(m.values, off); path != "" {
		return fmt.Sprintf("the release leaves the chart's own puller on (%s): its hook may wait for ever", path)
	}
	return "the chart's own puller of images is switched off: no hook waits for them, the nodes have them before"
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
