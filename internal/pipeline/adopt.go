package pipeline

import (
	"context"
	"fmt"
	"path"
	"slices"
	"time"

	"gauntlet/internal/adopt"
	"gauntlet/internal/config"
	"gauntlet/internal/deploy"
	"gauntlet/internal/evidence"
	"gauntlet/internal/kube"
	"gauntlet/internal/ledger"
	"gauntlet/internal/release"
)

// An Adopted is what Adopt found and did.
type Adopted struct {
	Hub      string   `json:"hub"`
	Cluster  string   `json:"cluster"`
	Revision int      `json:"revision"` // of the Helm release
	Chart    string   `json:"chart"`    // name and version
	Images   []string `json:"images"`   // of the hub's workloads

	Values      []string `json:"values"`                // value paths that no file held
	Secrets     []string `json:"secrets"`               // those of them that are secrets
	ValuesFile  string   `json:"valuesFile,omitempty"`  // that they go into
	SecretsFile string   `json:"secretsFile,omitempty"` // encrypted
	Same        int      `json:"same"`                  // values that the files held already
	Extra       []string `json:"extra,omitempty"`       // value paths of the files that the hub was not given
	Notes       []string `json:"notes,omitempty"`

	DryRun bool `json:"dryRun,omitempty"` // nothing was written
	Reused bool `json:"reused,omitempty"` // it was taken over before: nothing was left to do
}

// AdoptOptions say how a hub is taken over.
type AdoptOptions struct {
	DryRun bool   // say what would be written, and write nothing
	Folder string // for new files, beside gauntlet.yaml; default "adopted"
}

// Adopt takes over a hub that another tool deployed: the values that it was given and
// no file holds go into files, and what runs is recorded, so that the next deploy goes
// on from it. Nothing that runs is changed. Run again it goes on where it was.
func (w *Workspace) Adopt(ctx context.Context, hubName string, o AdoptOptions) (*Adopted, error) {
	h, err := w.hub(hubName)
	if err != nil {
		return nil, err
	}
	var s *sight
	if !o.DryRun {
		if s, err = w.look(ctx, hubName); err != nil {
			return nil, err
		}
		if _, err := w.speaker(s, config.RoleDeployer, config.RoleBoard); err != nil {
			return nil, err
		}
	}
	c, err := w.clients.get(h.Cluster)
	if err != nil {
		return nil, err
	}
	over := w.waiting("adopt", hubName, "asking cluster "+h.Cluster+" what the hub runs")
	runs, err := deploy.Look(ctx, c, h.Namespace, h.Release)
	over()
	if err == nil {
		err = runs.Adoptable(c, h.Namespace, h.Release)
	}
	if err != nil {
		return nil, &StepError{Step: "adopt", Hub: hubName, Cause: err}
	}
	out := &Adopted{Hub: hubName, Cluster: h.Cluster, Revision: runs.Revision, Chart: runs.Chart + " " + runs.Version, Images: runs.Images, DryRun: o.DryRun}
	in, err := w.imports(ctx, hubName, runs, out)
	if err != nil {
		return nil, err
	}
	files, err := w.adoptFiles(ctx, hubName, in, o, out)
	if err != nil || o.DryRun {
		return out, err
	}
	if err := files.write(); err != nil {
		return nil, err
	}
	finished, err := deploy.Adopt(ctx, deploy.AdoptRequest{
		Client: c, Namespace: h.Namespace, ReleaseName: h.Release, Revision: runs.Revision,
		Observe: w.watch("adopt", hubName),
	})
	if err != nil {
		return out, &StepError{Step: "adopt", Hub: hubName, Cause: err}
	}
	return out, w.recordAdoption(ctx, s, h, runs, finished, out)
}

// imports finds what the hub was given and no file of it holds.
func (w *Workspace) imports(ctx context.Context, hubName string, runs deploy.Running, out *Adopted) (adopt.Import, error) {
	h := w.Platform.Hubs[hubName]
	var f adopt.Files
	var err error
	if f.Values, f.Set, err = w.hubFiles(hubName, map[string]release.Values{}); err != nil {
		return adopt.Import{}, &InputError{err}
	}
	for _, file := range h.Secrets {
		data, err := w.read(file, "secrets of hub "+hubName)
		if err != nil {
			return adopt.Import{}, err
		}
		v, err := deploy.Decrypt(ctx, file, data)
		if err != nil {
			return adopt.Import{}, &InputError{fmt.Errorf("secrets of hub %s: %w", hubName, err)}
		}
		f.Secrets = release.Merge(f.Secrets, v)
	}
	var slots []string
	for _, slot := range w.Platform.Chart.Images {
		slots = append(slots, slot.Name)
		if slot.Tag != "" {
			slots = append(slots, slot.Tag)
		}
	}
	in, err := adopt.Compare(runs.Values, f, slots, runs.Kept)
	if err != nil {
		return in, inputf("%s: hubs.%s: %w", w.opts.File, hubName, err)
	}
	out.Values, out.Secrets, out.Same, out.Extra = adopt.Paths(in.Values), adopt.Paths(in.Secrets), in.Same, in.Extra
	if name := w.Platform.Chart.Name; name != "" && name != runs.Chart {
		out.Notes = append(out.Notes, fmt.Sprintf("the hub runs chart %s, and %s deploys chart %s: the values of one may mean nothing to the other", runs.Chart, w.opts.File, name))
	}
	if runs.ClientSide {
		out.Notes = append(out.Notes, "it was last applied in the way of Helm 3: deploys go on so")
	}
	return in, nil
}

// adoptFiles prepares what is to be written: nothing of it is on the disk yet.
func (w *Workspace) adoptFiles(ctx context.Context, hubName string, in adopt.Import, o AdoptOptions, out *Adopted) (*fileSet, error) {
	files := &fileSet{dir: w.Dir}
	if in.Empty() {
		return files, nil
	}
	folder := o.Folder
	if folder == "" {
		folder = "adopted"
	}
	h, base := w.Platform.Hubs[hubName], path.Join(folder, hubName)
	if slices.Contains(h.Values, base+".yaml") || slices.Contains(h.Secrets, base+".enc.yaml") {
		base += fmt.Sprintf("-%d", out.Revision) // of an earlier adoption
	}
	file := w.opts.File
	text, err := w.read(path.Base(file), "the configuration")
	if err != nil {
		return nil, err
	}
	if err := committed(ctx, w.path(path.Base(file))); err != nil {
		return nil, err
	}
	key := "tier"
	if len(h.Values) > 0 {
		key = "values"
	}
	if len(in.Values) > 0 {
		out.ValuesFile = base + ".yaml"
		data, err := adopt.File(in.Values, fmt.Sprintf("What revision %d of Helm release %s/%s was given by hand and no file held.\nTaken over with `gauntlet adopt %s`.", out.Revision, h.Namespace, h.Release, hubName))
		if err != nil {
			return nil, err
		}
		if err := files.add(out.ValuesFile, data, true); err != nil {
			return nil, err
		}
		if text, err = config.AppendText(text, "hubs."+hubName+".values", "tier", out.ValuesFile); err != nil {
			return nil, inputf("%s: %w", file, err)
		}
		key = "values"
	}
	if len(in.Secrets) > 0 {
		out.SecretsFile = base + ".enc.yaml"
		if !o.DryRun {
			data, err := deploy.Encrypt(ctx, w.Dir, out.SecretsFile, in.Secrets)
			if err != nil {
				return nil, &InputError{err}
			}
			if err := files.add(out.SecretsFile, data, true); err != nil {
				return nil, err
			}
		}
		if text, err = config.AppendText(text, "hubs."+hubName+".secrets", key, out.SecretsFile); err != nil {
			return nil, inputf("%s: %w", file, err)
		}
	}
	if _, err := config.ParsePlatform(file, text); err != nil {
		return nil, fmt.Errorf("%s with the new files would be wrong: %w", file, err)
	}
	return files, files.add(path.Base(file), text, false)
}

// recordAdoption says in the ledger what the hub runs, when it does not say so already.
func (w *Workspace) recordAdoption(ctx context.Context, s *sight, h config.Hub, runs deploy.Running, finished time.Time, out *Adopted) error {
	for _, r := range s.view.Records {
		if r.Type != evidence.AdoptionType || !s.is(r.Signer, config.RoleDeployer) && !s.is(r.Signer, config.RoleBoard) {
			continue
		}
		a, err := evidence.Decode[evidence.Adoption](r)
		if err == nil && a.Hub == out.Hub && a.Revision == out.Revision && a.Deployed.Equal(runs.Deployed) {
			out.Reused = len(out.Values)+len(out.Secrets) == 0
			return nil
		}
	}
	err := w.record(ctx, s, ledger.Statement{
		Type:     evidence.AdoptionType,
		Subjects: []evidence.Subject{{Kind: evidence.Policy, Digest: s.digest}},
		Predicate: evidence.Adoption{
			Hub: out.Hub, Tier: h.Tier, Revision: out.Revision, Chart: kube.OneLine(out.Chart), Images: out.Images,
			Values: out.Values, Secrets: out.Secrets, Deployed: runs.Deployed, Finished: finished,
		},
	})
	if err != nil {
		return fmt.Errorf("%w\n    fix: run the same command again: it records what is missing", err)
	}
	w.tell("adopt", out.Hub, Passed, "", fmt.Sprintf("revision %d is taken over", out.Revision))
	return nil
}
