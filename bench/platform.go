package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"

	"gauntlet/internal/config"
	"gauntlet/internal/evidence"
	"gauntlet/internal/ledger"
	"gauntlet/internal/pipeline"
	"gauntlet/lab"
)

const (
	cluster = "bleeding-edge"
	hub     = "testing" // of the example, and Helm's release name on both sides
	values  = "jupyter-config.yml"
)

// A platform is the example cut to one hub, with a ledger and namespaces of its own.
type platform struct {
	name string // also the hub's namespace
	port int    // of the hub
	repo string // of the ledger
	dir  string // of gauntlet.yaml, a git repository
}

const policyText = `apiVersion: gauntlet/v1
tiers:
  - bleeding-edge: {hubs: all, suites: [hub]}
people:
  ci: {roles: [builder, checker, deployer], key: %q}
  ada: {roles: [board], key: %q}
`

// prepare makes both platforms and brings both hubs up, so that nothing that is
// measured is a first time.
func (b *bench) prepare(ctx context.Context) error {
	b.say("preparing a hub under gauntlet and one under helm, of the same chart and values")
	b.known = &platform{name: "bench-gauntlet", port: 30150}
	b.fresh = &platform{name: "bench-fresh", port: 30152}
	for _, p := range []*platform{b.known, b.fresh} {
		if err := b.make(ctx, p); err != nil {
			return fmt.Errorf("prepare platform %s: %w", p.name, err)
		}
	}
	if err := b.borrow(ctx, b.known); err != nil {
		return fmt.Errorf("say anew what the demonstration has shown of its images: %w", err)
	}
	if _, err := b.ok(ctx, b.gauntlet(b.known, "run")); err != nil {
		return err
	}
	return b.preparePeer(ctx)
}

// make writes a platform, commits it and sets its policy.
func (b *bench) make(ctx context.Context, p *platform) error {
	p.dir = filepath.Join(b.work, p.name)
	p.repo = lab.Registry + "/bench/ledger-" + strings.ToLower(rand.Text()[:10])
	if err := os.CopyFS(p.dir, os.DirFS(filepath.Join(b.root, "examples", "pangeo"))); err != nil {
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
	if err := os.WriteFile(filepath.Join(p.dir, "policy.yaml"), []byte(policy), 0o644); err != nil {
		return err
	}
	if _, err := b.ok(ctx, command{dir: p.dir, argv: []string{"git", "init", "--quiet", "--initial-branch=main"}}); err != nil {
		return err
	}
	// The values ask for the images of the commit.
	if err := b.commit(ctx, p, map[string]any{"jupyterhub.singleuser.image.tag": ""}); err != nil {
		return err
	}
	_, err = b.ok(ctx, b.gauntlet(p, "policy", "init", "--key", "ada"))
	return err
}

// cut leaves one hub of the example's configuration. The images stay as they are,
// so what the demonstration has shown of them holds here too.
func (p *platform) cut() error {
	file := filepath.Join(p.dir, "gauntlet.yaml")
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var c struct {
		Hubs map[string]map[string]any `json:"hubs"`
	}
	whole := map[string]any{}
	if err := yaml.Unmarshal(data, &whole); err != nil {
		return err
	}
	if err := yaml.Unmarshal(data, &c); err != nil {
		return err
	}
	h := c.Hubs[hub]
	set, ok := h["set"].(map[string]any)
	if !ok {
		return fmt.Errorf("the example has no hub %s with set", hub)
	}
	set["jupyterhub.proxy.service.nodePort"] = p.port
	h["namespace"], h["url"] = p.name, fmt.Sprintf("http://172.29.0.11:%d", p.port)
	whole["platform"], whole["ledger"] = p.name, p.repo
	whole["workbench"] = map[string]any{"context": cluster, "namespace": p.bench()}
	whole["hubs"] = map[string]any{hub: h}
	delete(whole, "inSync")
	if data, err = yaml.Marshal(whole); err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o644)
}

func (p *platform) bench() string { return p.name + "-bench" }

// commit edits values of the platform and commits them.
func (b *bench) commit(ctx context.Context, p *platform, edits map[string]any) error {
	file := filepath.Join(p.dir, values)
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
	if _, err := b.ok(ctx, command{dir: p.dir, argv: []string{"git", "add", "--all"}}); err != nil {
		return err
	}
	_, err = b.ok(ctx, command{dir: p.dir, argv: []string{"git", "-c", "user.name=margaret", "-c", "user.email=margaret@pangeo.example",
		"commit", "--quiet", "--allow-empty", "-m", "Change the values"}})
	return err
}

// borrow says anew, in the platform's ledger, what the demonstration has shown of its
// images, so that they need not be built and tested again.
func (b *bench) borrow(ctx context.Context, p *platform) error {
	demo, err := b.status(ctx, &platform{dir: filepath.Join(demoDir(), "platform")})
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
	policy, err := os.ReadFile(filepath.Join(p.dir, "policy.yaml"))
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
	for _, r := range shown.Records {
		if r.Subjects[0].Kind != evidence.ImageSet {
			continue
		}
		a, err := from.GetArtifact(ctx, r.Subjects[0].Digest)
		if err != nil {
			return err
		}
		if err := to.PutArtifact(ctx, a); err != nil {
			return err
		}
		if _, err := l.Append(ctx, ci, ledger.Statement{Type: r.Type, Subjects: r.Subjects, Predicate: r.Predicate}); err != nil {
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

// status is the ladder of a platform's newest release.
func (b *bench) status(ctx context.Context, p *platform) (pipeline.Status, error) {
	var st pipeline.Status
	o, err := b.ok(ctx, b.gauntlet(p, "status", "-o", "json"))
	if err != nil {
		return st, err
	}
	if err := json.Unmarshal([]byte(o.out), &st); err != nil {
		return st, fmt.Errorf("read what gauntlet status printed: %w", err)
	}
	return st, nil
}

// remove deletes every namespace that the bench makes and waits until they are gone.
func (b *bench) remove(ctx context.Context) error {
	names := []string{peer}
	for _, p := range []string{"bench-gauntlet", "bench-fresh"} {
		names = append(names, p, (&platform{name: p}).bench())
	}
	args := append([]string{"delete", "namespace", "--ignore-not-found", "--wait=true", "--timeout=150s"}, names...)
	_, err := b.ok(ctx, b.kubectl(args...))
	return err
}
