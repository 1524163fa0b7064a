package rig

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"

	"gauntlet/internal/config"
	"gauntlet/internal/evidence"
	"gauntlet/internal/ledger"
	"gauntlet/internal/pipeline"
	"gauntlet/lab"
)

const (
	// Cluster is the kubeconfig context that is measured on.
	Cluster = "bleeding-edge"
	// Hub is the hub of the example, and Helm's release name on both sides.
	Hub = "testing"

	values = "jupyter-config.yml"
)

// A Platform is the example cut to one Hub, with a ledger and namespaces of its own.
type Platform struct {
	Name string // also the hub's namespace
	Port int    // of the hub
	Dir  string // of gauntlet.yaml, a git repository

	repo string // of the ledger
}

const policyText = `apiVersion: gauntlet/v1
tiers:
  - bleeding-edge: {hubs: all, suites: [hub]}
people:
  ci: {roles: [builder, checker, deployer], key: %q}
  ada: {roles: [board], key: %q}
`

// NewPlatform makes a platform with the images of the demonstration, so that nothing
// that is measured is a first time. Where its ledger knows the images, its hub is
// brought up too.
func (r *Rig) NewPlatform(ctx context.Context, name string, port int, known bool) (*Platform, error) {
	p := &Platform{Name: name, Port: port}
	r.namespaces = append(r.namespaces, p.Name, p.bench())
	r.Say("preparing platform %s", name)
	if err := r.remove(ctx, p.Name, p.bench()); err != nil { // what a killed run left
		return nil, err
	}
	if err := r.make(ctx, p); err != nil {
		return nil, fmt.Errorf("prepare platform %s: %w", name, err)
	}
	if !known {
		return p, nil
	}
	if err := r.borrow(ctx, p); err != nil {
		return nil, fmt.Errorf("say anew what the demonstration has shown of its images: %w", err)
	}
	_, err := r.OK(ctx, r.Gauntlet(p, "run"))
	return p, err
}

// make writes a platform, commits it and sets its policy.
func (r *Rig) make(ctx context.Context, p *Platform) error {
	p.Dir = filepath.Join(r.Work, p.Name)
	p.repo = lab.Registry + "/bench/ledger-" + strings.ToLower(rand.Text()[:10])
	if err := os.CopyFS(p.Dir, os.DirFS(filepath.Join(r.Root, "examples", "pangeo"))); err != nil {
		return err
	}
	if err := p.cut(); err != nil {
		return err
	}
	ci, err := demoKey("ci")
	if err != nil {
		return err
	}
	ada, err := demoKey("ada")
	if err != nil {
		return err
	}
	policy := fmt.Sprintf(policyText, ci.Public(), ada.Public())
	if err := os.WriteFile(filepath.Join(p.Dir, "policy.yaml"), []byte(policy), 0o644); err != nil {
		return err
	}
	if _, err := r.OK(ctx, Command{Dir: p.Dir, Argv: []string{"git", "init", "--quiet", "--initial-branch=main"}}); err != nil {
		return err
	}
	// The values ask for the images of the commit.
	if err := r.Commit(ctx, p, map[string]any{"jupyterhub.singleuser.image.tag": ""}); err != nil {
		return err
	}
	_, err = r.OK(ctx, r.Gauntlet(p, "policy", "init", "--key", "ada"))
	return err
}

// cut leaves one hub of the example's configuration. The images stay as they are,
// so what the demonstration has shown of them holds here too.
func (p *Platform) cut() error {
	return p.edit(func(whole, hub map[string]any) error {
		set, ok := hub["set"].(map[string]any)
		if !ok {
			return fmt.Errorf("the example's hub %s has no set", Hub)
		}
		set["jupyterhub.proxy.service.nodePort"] = p.Port
		hub["namespace"], hub["url"] = p.Name, fmt.Sprintf("http://172.29.0.11:%d", p.Port)
		whole["platform"], whole["ledger"] = p.Name, p.repo
		whole["workbench"] = map[string]any{"context": Cluster, "namespace": p.bench()}
		whole["hubs"] = map[string]any{Hub: hub}
		delete(whole, "inSync")
		return nil
	})
}

// SetPools gives the platform's hub the pools that images are brought to.
func (p *Platform) SetPools(pools ...any) error {
	return p.edit(func(_, hub map[string]any) error {
		hub["pools"] = pools
		return nil
	})
}

// edit changes the platform's configuration, and in it the one hub that counts.
func (p *Platform) edit(with func(whole, hub map[string]any) error) error {
	file := filepath.Join(p.Dir, "gauntlet.yaml")
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	whole := map[string]any{}
	if err := yaml.Unmarshal(data, &whole); err != nil {
		return err
	}
	hubs, _ := whole["hubs"].(map[string]any)
	hub, ok := hubs[Hub].(map[string]any)
	if !ok {
		return fmt.Errorf("%s has no hub %s", file, Hub)
	}
	if err := with(whole, hub); err != nil {
		return err
	}
	if data, err = yaml.Marshal(whole); err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o644)
}

func (p *Platform) bench() string { return p.Name + "-bench" }

// Commit edits values of the platform and commits them.
func (r *Rig) Commit(ctx context.Context, p *Platform, edits map[string]any) error {
	file := filepath.Join(p.Dir, values)
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if data, err = config.SetPaths(data, edits); err != nil {
		return fmt.Errorf("%s: %w", values, err)
	}
	if err := os.WriteFile(file, data, 0o644); err != nil {
		return err
	}
	if _, err := r.OK(ctx, Command{Dir: p.Dir, Argv: []string{"git", "add", "--all"}}); err != nil {
		return err
	}
	_, err = r.OK(ctx, Command{Dir: p.Dir, Argv: []string{"git", "-c", "user.name=margaret", "-c", "user.email=margaret@pangeo.example",
		"commit", "--quiet", "--allow-empty", "-m", "Change the values"}})
	return err
}

// borrow says anew, in the platform's ledger, what the demonstration has shown of its
// images, so that they need not be built and tested again.
func (r *Rig) borrow(ctx context.Context, p *Platform) error {
	demo, err := r.Status(ctx, &Platform{Dir: filepath.Join(demoDir(), "platform")})
	if err != nil {
		return err
	}
	from, err := ledger.OpenRegistry(lab.Registry + "/platform-ledger")
	if err != nil {
		return err
	}
	to, err := ledger.OpenRegistry(p.repo)
	if err != nil {
		return err
	}
	shown, err := ledger.Open(from).Read(ctx, demo.Policy)
	if err != nil {
		return err
	}
	policy, err := os.ReadFile(filepath.Join(p.Dir, "policy.yaml"))
	if err != nil {
		return err
	}
	l := ledger.Open(to)
	if _, err := l.Read(ctx, evidence.PolicyArtifact(policy).Digest()); err != nil {
		return err
	}
	ci, err := demoKey("ci")
	if err != nil {
		return err
	}
	n := 0
	for _, rec := range shown.Records {
		if rec.Subjects[0].Kind != evidence.ImageSet {
			continue
		}
		a, err := from.GetArtifact(ctx, rec.Subjects[0].Digest)
		if err != nil {
			return err
		}
		if err := to.PutArtifact(ctx, a); err != nil {
			return err
		}
		if b, err := evidence.Decode[evidence.Build](rec); rec.Type == evidence.BuildType && err == nil {
			held, err := from.GetArtifact(ctx, b.Packages)
			if err != nil {
				return err
			}
			if err := to.PutArtifact(ctx, held); err != nil {
				return err
			}
		}
		if _, err := l.Append(ctx, ci, ledger.Statement{Type: rec.Type, Subjects: rec.Subjects, Predicate: rec.Predicate}); err != nil {
			return err
		}
		n++
	}
	if n == 0 {
		return fmt.Errorf("the demonstration's ledger shows nothing of images: make demo")
	}
	return nil
}

func demoKey(name string) (*ledger.Key, error) {
	return ledger.LoadKey(filepath.Join(demoDir(), "config", "gauntlet", "keys", name+".pem"))
}

// Status is the ladder of a platform's newest release.
func (r *Rig) Status(ctx context.Context, p *Platform) (pipeline.Status, error) {
	var st pipeline.Status
	o, err := r.OK(ctx, r.Gauntlet(p, "status", "-o", "json"))
	if err != nil {
		return st, err
	}
	if err := json.Unmarshal([]byte(o.Out), &st); err != nil {
		return st, fmt.Errorf("read what gauntlet status printed: %w", err)
	}
	return st, nil
}

// remove deletes namespaces and waits until they are gone.
func (r *Rig) remove(ctx context.Context, names ...string) error {
	args := append([]string{"delete", "namespace", "--ignore-not-found", "--wait=true", "--timeout=150s"}, names...)
	_, err := r.OK(ctx, r.Kubectl(args...))
	return err
}
