package cli_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"maps"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/rogpeppe/go-internal/testscript"

	"gauntlet/internal/config"
	"gauntlet/internal/evidence"
	"gauntlet/internal/image"
	"gauntlet/internal/ledger"
	"gauntlet/internal/pair"
	"gauntlet/internal/release"
	"gauntlet/internal/usertest"
)

// A world is what a script's platform stands on.
type world struct {
	registry string // host and port
	clusters map[string]*cluster
	revision int // of the last hub that was deployed
}

type worldKey struct{}

func worldOf(ts *testscript.TestScript) *world { return ts.Value(worldKey{}).(*world) }

// newWorld starts a registry and the example's clusters for a script.
func newWorld(env *testscript.Env) error {
	w := &world{clusters: map[string]*cluster{}}
	reg := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	env.Defer(reg.Close)
	w.registry = strings.TrimPrefix(reg.URL, "http://")
	env.Setenv("REGISTRY", w.registry)
	var contexts, clusters []any
	for _, n := range []string{"bleeding-edge", "canary", "production"} {
		c := newCluster()
		env.Defer(c.Close)
		w.clusters[n] = c
		env.Setenv(strings.ToUpper(strings.ReplaceAll(n, "-", "_")), c.URL)
		clusters = append(clusters, map[string]any{"name": n, "cluster": map[string]any{"server": c.URL}})
		contexts = append(contexts, map[string]any{"name": n, "context": map[string]any{"cluster": n}})
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and never answers
	if err != nil {
		return err
	}
	env.Defer(func() { _ = silent.Close() })
	env.Setenv("SILENT", "http://"+silent.Addr().String())
	kubeconfig, err := json.Marshal(map[string]any{"apiVersion": "v1", "kind": "Config", "clusters": clusters, "contexts": contexts})
	if err != nil {
		return err
	}
	file := filepath.Join(env.WorkDir, "kubeconfig")
	env.Setenv("KUBECONFIG", file)
	env.Values[worldKey{}] = w
	return os.WriteFile(file, kubeconfig, 0o600)
}

// platform copies the example into a folder, with the script's registry and keys
// of its own for everybody: platform DIR
func platform(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: platform DIR")
	}
	dir := ts.MkAbs(args[0])
	ts.Check(os.CopyFS(dir, os.DirFS(filepath.Join(ts.Getenv("EXAMPLES"), "pangeo"))))
	reg := worldOf(ts).registry
	ts.Check(filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasPrefix(filepath.Ext(path), ".y") {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(path, []byte(strings.ReplaceAll(string(data), "172.29.0.1:5000", reg)), 0o644)
	}))
	file := filepath.Join(dir, "policy.yaml")
	text, err := os.ReadFile(file)
	ts.Check(err)
	p, err := config.ParsePolicy(file, text)
	ts.Check(err)
	edits := map[string]any{}
	for _, who := range slices.Sorted(maps.Keys(p.People)) {
		ts.Check(ts.Exec("gauntlet", "key", "new", who, "-o", "json"))
		edits["people."+who+".key"] = keyOf(ts, who).Public()
	}
	text, err = config.SetPaths(text, edits)
	ts.Check(err)
	ts.Check(os.WriteFile(file, text, 0o644))
}

func keyOf(ts *testscript.TestScript, who string) *ledger.Key {
	k, err := ledger.LoadKey(filepath.Join(ts.Getenv("XDG_CONFIG_HOME"), "gauntlet", "keys", who+".pem"))
	ts.Check(err)
	return k
}

// A site is the platform in the script's folder and its ledger.
type site struct {
	*config.Platform
	ledger *ledger.Ledger
	ci     *ledger.Key
	view   ledger.View
}

func siteOf(ts *testscript.TestScript) *site {
	file := ts.MkAbs("gauntlet.yaml")
	data, err := os.ReadFile(file)
	ts.Check(err)
	p, err := config.ParsePlatform(file, data)
	ts.Check(err)
	store, err := ledger.OpenRegistry(p.Ledger)
	ts.Check(err)
	text, err := os.ReadFile(ts.MkAbs(p.Policy))
	ts.Check(err)
	s := &site{Platform: p, ledger: ledger.Open(store), ci: keyOf(ts, "ci")}
	s.view, err = s.ledger.Read(context.Background(), evidence.PolicyArtifact(text).Digest())
	ts.Check(err)
	return s
}

func (s *site) say(ts *testscript.TestScript, typ string, predicate any, about ...evidence.Subject) {
	_, err := s.ledger.Append(context.Background(), s.ci, ledger.Statement{Type: typ, Subjects: about, Predicate: predicate})
	ts.Check(err)
}

// newest is the release that was made last.
func (s *site) newest(ts *testscript.TestScript) (release.Digest, *release.Contents) {
	for _, r := range slices.Backward(s.view.Records) {
		if r.Type != evidence.ReleaseType {
			continue
		}
		a, err := s.ledger.Artifact(context.Background(), r.Subjects[0].Digest)
		ts.Check(err)
		c, err := release.Open(a)
		ts.Check(err)
		return r.Subjects[0].Digest, &c
	}
	ts.Fatalf("no release in the ledger")
	return "", nil
}

// passed is a suite's result.
func passed(suite, digest, hub string, checks ...string) evidence.TestResult {
	t := evidence.TestResult{
		Result: evidence.Passed, Suite: suite, Hub: hub, Finished: time.Now().UTC(),
		Configuration: []evidence.Descriptor{{Name: suite, Digest: map[string]string{"sha256": digest}}},
	}
	for _, c := range checks {
		t.Checks = append(t.Checks, evidence.Check{Name: c, State: evidence.Passed})
	}
	return t
}

// pushed pushes an image under a tag, as anybody may: pushed IMAGE TAG
func pushed(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: pushed IMAGE TAG")
	}
	push(ts, worldOf(ts).registry+"/platform/"+args[0], args[1])
}

// bears looks whether an image of the platform bears a tag: bears IMAGE TAG
func bears(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: bears IMAGE TAG")
	}
	_, err := image.Resolve(context.Background(), worldOf(ts).registry+"/platform/"+args[0], args[1])
	var missing *image.NotFoundError
	switch {
	case err != nil && !errors.As(err, &missing):
		ts.Check(err)
	case (err == nil) == neg:
		ts.Fatalf("image %s and tag %s: %v", args[0], args[1], err)
	}
}

func push(ts *testscript.TestScript, repo, tag string) release.Digest {
	img, err := random.Image(64, 1)
	ts.Check(err)
	to, err := name.NewTag(repo + ":" + tag)
	ts.Check(err)
	ts.Check(remote.Write(to, img))
	d, err := img.Digest()
	ts.Check(err)
	return release.Digest(d.String())
}

// built pushes images under a tag and says that they were built from a commit of
// the script's folder and passed the image and pairing suites: built TAG
func built(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: built TAG")
	}
	s := siteOf(ts)
	ts.Check(ts.Exec("git", "rev-parse", "HEAD"))
	b := evidence.Build{Source: "script", Commit: strings.TrimSpace(ts.ReadFile("stdout")), Label: args[0], Images: map[string]release.Digest{}}
	refs := map[string]string{}
	for n := range s.Images.Build {
		b.Images[n] = push(ts, s.Registry+"/"+n, args[0])
		refs[n] = s.Registry + "/" + n + "@" + string(b.Images[n])
	}
	set := release.ImageSet{Images: b.Images}
	ts.Check(s.ledger.PutArtifact(context.Background(), set.Artifact()))
	about := evidence.Subject{Kind: evidence.ImageSet, Digest: set.Digest()}
	s.say(ts, evidence.BuildType, b, about)
	load := func(files []string) usertest.Set {
		set, err := usertest.Load(files, func(f string) ([]byte, error) { return os.ReadFile(ts.MkAbs(f)) })
		ts.Check(err)
		return set
	}
	own := map[string]usertest.Set{}
	for name, b := range s.Images.Build {
		own[name] = load(b.Tests)
	}
	var crossing []usertest.Set
	for _, p := range s.Images.Pairs {
		crossing = append(crossing, load(p.Tests))
	}
	images := image.Suite(image.SuiteOptions{Workbench: s.Workbench, Images: s.Images, Refs: refs, Tests: own})
	s.say(ts, evidence.TestResultType, passed("image", images.Digest, "", "notebook starts"), about)
	pairing := pair.Suite(pair.Options{Workbench: s.Workbench, Images: s.Images, Refs: refs, Tests: crossing})
	s.say(ts, evidence.TestResultType, passed("pairing", pairing.Digest, "", "notebook+worker: workers join"), about)
}

// rendered says that every hub of the newest release renders, and sets $RELEASE.
func rendered(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: rendered")
	}
	s := siteOf(ts)
	id, c := s.newest(ts)
	ts.Setenv("RELEASE", id.Short())
	var checks []string
	for h := range c.Release.Hubs {
		checks = append(checks, h+" renders")
	}
	s.say(ts, evidence.TestResultType, passed("render", "script", "", checks...), evidence.Subject{Kind: evidence.Release, Digest: id})
}

// deployed says that hubs were brought to the newest release and passed their
// suite, and has them run it: deployed HUB...
func deployed(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: deployed HUB...")
	}
	w, s := worldOf(ts), siteOf(ts)
	id, c := s.newest(ts)
	for _, hub := range args {
		w.revision++
		p := c.Release.Hubs[hub]
		ended := time.Now().UTC().Add(-time.Minute).Truncate(time.Second) // so that a soak of seconds is over
		s.say(ts, evidence.DeploymentType, evidence.Deployment{Hub: hub, Tier: p.Target.Tier, Revision: w.revision, Started: ended, Finished: ended},
			evidence.Subject{Kind: evidence.Release, Digest: id}, evidence.Subject{Kind: evidence.Deployable, Digest: p.Deployable})
		for _, t := range s.view.Policy.Tiers {
			for _, suite := range t.Suites {
				if t.Name == p.Target.Tier {
					s.say(ts, evidence.TestResultType, passed(suite, "script", hub, "a probe user spawns"), evidence.Subject{Kind: evidence.Deployable, Digest: p.Deployable})
				}
			}
		}
		record := fmt.Sprintf("sh.helm.release.v1.%s.v%d", p.Target.Release, w.revision)
		w.clusters[p.Target.Cluster].put("/api/v1/namespaces/"+p.Target.Namespace+"/secrets/"+record, map[string]any{
			"kind": "Secret", "apiVersion": "v1", "metadata": map[string]any{
				"name": record, "namespace": p.Target.Namespace, "creationTimestamp": ended.Format(time.RFC3339),
				"labels": map[string]any{
					"owner": "helm", "name": p.Target.Release, "status": "deployed", "version": fmt.Sprint(w.revision),
					"gauntlet/revision": fmt.Sprint(w.revision), "gauntlet/release": id.Label(),
					"gauntlet/deployable": p.Deployable.Label(), "gauntlet/access": p.Access.Label(),
				},
			},
		})
	}
}

// rolledback says that a hub was rolled back from the newest release: rolledback HUB
func rolledback(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: rolledback HUB")
	}
	s := siteOf(ts)
	id, c := s.newest(ts)
	part := c.Release.Hubs[args[0]]
	s.say(ts, evidence.RollbackType, evidence.Rollback{
		Hub: args[0], Tier: part.Target.Tier, From: 2, To: 1, Revision: 3, Reason: "blank plots",
		FromRelease: id.Label(), FromDeployable: part.Deployable.Label(),
		// Of what it went back to only the artifacts must be there.
	}, evidence.Subject{Kind: evidence.Release, Digest: c.Release.ImageSet}, evidence.Subject{Kind: evidence.Deployable, Digest: c.Release.ImageSet})
}
