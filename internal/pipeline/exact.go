package pipeline

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"gauntlet/internal/deploy"
	"gauntlet/internal/kube"
	"gauntlet/internal/plan"
	"gauntlet/internal/release"
)

// A SavedFile is where a plan was kept.
type SavedFile struct {
	File   string         `json:"file"`
	Digest release.Digest `json:"digest"` // of the file: a deployment by it names it
}

// A MovedError says that a hub is no longer as a saved plan found it, or that a deploy
// would do something else than the plan showed. Nothing was changed.
type MovedError struct {
	Hub   string
	Moved []string
}

func (e *MovedError) Error() string {
	const most = 20
	var few []string
	for _, m := range e.Moved[:min(len(e.Moved), most)] {
		few = append(few, kube.OneLine(m))
	}
	s := fmt.Sprintf("hub %s has moved on since the plan was saved: %s", e.Hub, strings.Join(few, "; "))
	if more := len(e.Moved) - len(few); more > 0 {
		s += fmt.Sprintf("; and %d more", more)
	}
	return s + "\n    fix: look at a new plan with `gauntlet plan RELEASE " + e.Hub + " --save FILE`, and deploy that"
}

// An exact is a saved plan that a deploy must keep to.
type exact struct {
	saved  plan.Saved
	digest release.Digest // of its file
}

// name is the digest of the plan's file, "" of none.
func (e *exact) name() release.Digest {
	if e == nil {
		return ""
	}
	return e.digest
}

// readPlan reads a saved plan of this release and hub.
func readPlan(file string, id release.Digest, hubName string) (*exact, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, inputf("read the plan: %w", err)
	}
	s, err := plan.ParseSaved(data)
	if err != nil {
		return nil, inputf("read the plan %s: %w", shown(file), err)
	}
	if s.Hub != hubName || s.Release != id {
		return nil, inputf("the plan %s is of release %s on hub %q, not of %s on %s", shown(file), s.Release.Short(), s.Hub, id.Short(), hubName)
	}
	return &exact{s, release.DigestOf(data)}, nil
}

// savedPlan is a plan as it is kept, with a salt.
func (w *Workspace) savedPlan(ctx context.Context, s *sight, m *move, p deploy.Plan, salt []byte) (plan.Saved, error) {
	at := m.part.Target
	cluster, ns, err := deploy.UIDs(ctx, m.client, at.Namespace)
	if err != nil {
		return plan.Saved{}, err
	}
	if len(p.Seen.Pairs) == 0 {
		return plan.Saved{}, fmt.Errorf("it cannot be compared with what is live: %s", strings.Join(p.Notes, "; "))
	}
	return plan.Save(plan.Saved{
		Made: w.opts.Now().UTC(),
		Place: plan.Place{
			Hub: m.hub, Cluster: at.Cluster, ClusterUID: cluster,
			Namespace: at.Namespace, NamespaceUID: ns, HelmRelease: at.Release,
		},
		Revision: p.Revision, Release: m.release, Deployable: m.part.Deployable, Access: m.part.Access, Policy: s.digest,
	}, salt, p.Seen)
}

// save keeps a plan in a file, all of it or nothing.
func (w *Workspace) save(ctx context.Context, s *sight, m *move, p deploy.Plan, file string) (*SavedFile, error) {
	salt := make([]byte, 16)
	_, _ = rand.Read(salt) // never fails
	saved, err := w.savedPlan(ctx, s, m, p, salt)
	if err != nil {
		return nil, err
	}
	data, err := saved.Encode()
	if err != nil {
		return nil, err
	}
	path, err := filepath.Abs(file)
	if err != nil {
		return nil, err
	}
	if err := (&fileSet{files: []newFile{{path, data, 0o644}}}).write(); err != nil {
		return nil, err
	}
	return &SavedFile{File: file, Digest: release.DigestOf(data)}, nil
}

// asPlanned refuses a hub that has moved on since its plan was saved. One that runs the
// release already is left alone by a deploy, so nothing can differ.
func (w *Workspace) asPlanned(ctx context.Context, s *sight, m *move) error {
	if m.exact == nil {
		return nil
	}
	defer w.waiting("deploy", m.hub, "comparing the hub with the plan")()
	p, err := deploy.Preview(ctx, m.request())
	if err != nil {
		return &StepError{Step: "plan", Hub: m.hub, Cause: err}
	}
	if p.Reused {
		return nil
	}
	now, err := w.savedPlan(ctx, s, m, p, m.exact.saved.SaltBytes())
	if err != nil {
		return &StepError{Step: "plan", Hub: m.hub, Cause: err}
	}
	if moved := m.exact.saved.Moved(now); len(moved) > 0 {
		return &MovedError{Hub: m.hub, Moved: moved}
	}
	return nil
}
