package pipeline

import (
	"context"
	"regexp"
	"slices"
	"strconv"
	"time"

	"gauntlet/internal/check"
	"gauntlet/internal/config"
	"gauntlet/internal/deploy"
	"gauntlet/internal/evidence"
	"gauntlet/internal/ledger"
	"gauntlet/internal/preflight"
	"gauntlet/internal/preflight/codes"
	"gauntlet/internal/preflight/gather"
	"gauntlet/internal/release"
)

// Preflighted is what was found before a deployment.
type Preflighted struct {
	Release  release.Digest      `json:"release"`
	Hub      string              `json:"hub"`
	Tier     string              `json:"tier"`
	Cluster  string              `json:"cluster"`
	Reused   bool                `json:"reused"` // the hub runs the release already: a deployment would change nothing
	Findings []preflight.Finding `json:"findings"`
	Seconds  float64             `json:"seconds"` // that it took
}

// Preflight looks for what would make a deployment of a release to a hub fail, or hurt
// its users. Nothing is changed, recorded or locked, and no gate is asked.
func (w *Workspace) Preflight(ctx context.Context, ref, hubName string, o DeployOptions) (*Preflighted, error) {
	s, m, err := w.intend(ctx, ref, hubName)
	if err != nil {
		return nil, err
	}
	m.options = o
	begun := time.Now()
	f, err := w.facts(ctx, s, m, true)
	if err != nil {
		return nil, &StepError{Step: preflight.Suite, Hub: hubName, Cause: err}
	}
	out := &Preflighted{
		Release: m.release, Hub: hubName, Tier: w.Platform.Hubs[hubName].Tier, Cluster: m.part.Target.Cluster, Reused: f.Reused,
		Findings: preflight.Judge(f, w.Platform.Preflight.Severities()),
	}
	if out.Findings == nil {
		out.Findings = []preflight.Finding{}
	}
	out.Seconds = time.Since(begun).Seconds()
	return out, nil
}

// preflight looks for what would make the deployment fail before anything is touched,
// and records it. It speaks of the moment, so that no earlier result counts.
func (w *Workspace) preflight(ctx context.Context, s *sight, m *move) error {
	const step = preflight.Suite
	current, err := deploy.Current(m.request())
	if err != nil {
		return &StepError{Step: step, Hub: m.hub, Cause: err}
	}
	if current {
		return nil // nothing will be changed
	}
	started := w.opts.Now()
	w.tell(step, m.hub, Started, "", "looking for what would make the deployment fail")
	f, err := w.facts(ctx, s, m, false)
	if err != nil {
		return &StepError{Step: step, Hub: m.hub, Cause: err}
	}
	m.migrates, m.uncopied = preflight.Migrates(f)
	severities := w.Platform.Preflight.Severities()
	found := preflight.Judge(f, severities)
	for _, one := range found {
		state := Warned
		if one.Severity == codes.Error {
			state = Failed
		}
		w.tell(step, m.hub, state, one.Code, told(one))
	}
	result := preflight.Result(found, severities, started, w.opts.Now())
	err = w.record(ctx, s, ledger.Statement{
		Type:      evidence.TestResultType,
		Subjects:  []evidence.Subject{{Kind: evidence.Deployable, Digest: m.part.Deployable}},
		Predicate: result.Evidence(m.hub),
	})
	if err != nil {
		return err
	}
	if result.State == check.Failed {
		return &StepError{Step: step, Hub: m.hub, Cause: &preflight.RefusedError{Findings: preflight.Errors(found)}}
	}
	w.tell(step, m.hub, Passed, "", passed(found, len(f.Images), result))
	return nil
}

func passed(found []preflight.Finding, images int, r check.Result) string {
	said := "nothing stands in the way"
	if n := len(preflight.Warnings(found)); n > 0 {
		said += ", " + count(n, "warning", "warnings")
	}
	return said + "; " + count(images, "image", "images") + " looked up, " + r.Finished.Sub(r.Started).Round(100*time.Millisecond).String()
}

// told is a finding in one line with what mends it.
func told(f preflight.Finding) string {
	line := f.Cause
	if f.Object != "" {
		line = f.Object + ": " + line
	}
	if f.Fix != "" {
		line += "; fix: " + f.Fix
	}
	return line
}

// facts gathers what preflight judges; with whose also whose the hub is.
func (w *Workspace) facts(ctx context.Context, s *sight, m *move, whose bool) (*preflight.Facts, error) {
	defer w.waiting(preflight.Suite, m.hub, "asking cluster "+m.part.Target.Cluster+" and the registries")()
	at := m.part.Target
	return gather.Facts(ctx, gather.Target{
		Hub: m.hub, Request: m.request(),
		Own:    release.Merge(m.contents.Deployables[m.hub].Values, m.contents.Access[m.hub]),
		Tested: s.tested(m.contents.Release.ImageSet, w.notebook(m.contents)),
		Whose:  whose,
		URL:    at.URL, Token: config.SecretKey{Secret: at.TokenSecret, Key: at.TokenKey},
	})
}

// singleuser is what the image suite says of a notebook.
var singleuser = regexp.MustCompile(`^jupyterhub-singleuser (\S+) answers`)

// tested is the version of JupyterHub that the image suite saw in a notebook image, ""
// when it has not run.
func (s *sight) tested(set release.Digest, notebook string) string {
	for _, r := range slices.Backward(s.view.Records) {
		if r.Type != evidence.TestResultType || !r.About(evidence.ImageSet, set) || !s.is(r.Signer, config.RoleChecker) {
			continue
		}
		t, err := evidence.Decode[evidence.TestResult](r)
		if err != nil || t.Suite != "image" {
			continue
		}
		for _, c := range t.Checks {
			if m := singleuser.FindStringSubmatch(c.Message); m != nil && c.Name == notebook+" is a single-user server" {
				return m[1]
			}
		}
	}
	return ""
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}
