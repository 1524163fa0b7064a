package suites

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"time"

	"gauntlet/internal/browser"
	"gauntlet/internal/check"
	"gauntlet/internal/config"
	"gauntlet/internal/hub"
	"gauntlet/internal/kernel"
	"gauntlet/internal/kill"
	"gauntlet/internal/kube"
	"gauntlet/internal/release"
)

// A HubTarget is the hub that a suite probes.
type HubTarget struct {
	Client       *kube.Client
	Namespace    string
	URL          string
	APITokenFrom config.SecretKey
	Notebook     release.Digest // the notebook image that a spawned server must run; "" compares with nothing
	SpawnTimeout time.Duration  // default 3 minutes
	// Template is the pod of a Dask worker, as a path in the notebook; "": workers run
	// the notebook's image.
	Template string
	// Workers are the images that Dask workers must run, any of them; none compares with
	// nothing.
	Workers []release.Digest
	// Paired says whether a notebook was paired with the workers that its users get
	// now; nil: every notebook brings its own.
	Paired func(notebook release.Digest) bool
	// Storage is what the suite "storage" checks.
	Storage []config.Store
	// Accepted are the pictures that people accepted, PNG by name, for the suite "viz".
	Accepted map[string][]byte
	// Served answers requests of pages to other places than the hub, and Through is how the
	// addresses begin that are let through; for the suite "viz".
	Served  []browser.Route
	Through []string
	// Measured is what suites of the release before measured here, by suite and name.
	Measured map[string]map[string]float64
	// Watch is what the suite "nodes" follows.
	Watch NodeWatch
	// SpawnBefore is how long a server took to start here with the release before; 0 when
	// that is not known.
	SpawnBefore time.Duration
	// Runs says whether the hub runs what the result is to be about: nil, or what it
	// runs instead. It is asked under the lock before and after the probe, so that
	// no evidence is given for what somebody else deployed meanwhile.
	Runs    func(context.Context) error
	Held    *kube.Held        // the lock of the namespace, when the caller holds it; nil: it is taken and given back
	Spare   string            // a probe that is in use and not to be swept, "" for none
	Holder  string            // who holds the lock, for others to read; default user@host
	Observe func(line string) // progress; may be nil
}

// ServerStarts is the check that takes as long as a user waits for a server.
const ServerStarts = "server starts"

// The checks that every suite of a probe begins and ends with.
const (
	hubAnswers  = "hub answers"
	hubReserved = "hub reserved"
	noneLeft    = "no earlier probe is left"
	userCreated = "user created"
	rightImage  = "server runs the release's notebook"
	serverStops = "server stops"
	hubSame     = "hub unchanged meanwhile"
)

func newProbe(t HubTarget) *probe {
	if t.SpawnTimeout <= 0 {
		t.SpawnTimeout = 3 * time.Minute
	}
	if t.Holder == "" {
		t.Holder = kube.DefaultHolder()
	}
	if t.Runs == nil {
		t.Runs = func(context.Context) error { return errors.New("nothing says what the hub must run (HubTarget.Runs)") }
	}
	return &probe{t: t}
}

// suite is a suite of a user made for the purpose, who starts a server and leaves;
// inside is what is checked while the server runs. It holds the lock of the namespace,
// so that a probe found there belongs to a run that is dead. form is what the suite does:
// its digest is over that.
func (p *probe) suite(name, form string, inside ...check.Check) check.Suite {
	sum := sha256.Sum256([]byte(form))
	list := []check.Check{
		{Name: hubAnswers, Timeout: time.Minute, Run: p.answers},
		{Name: hubReserved, Timeout: 10 * time.Minute, Run: p.reserve, Needs: []string{hubAnswers}},
		{Name: noneLeft, Timeout: 3 * time.Minute, Run: p.sweep, Needs: []string{hubReserved}},
		{Name: userCreated, Timeout: 30 * time.Second, Run: p.createUser, Needs: []string{hubReserved}},
		{Name: ServerStarts, Timeout: p.t.SpawnTimeout, Run: p.start, Needs: []string{userCreated}, Spawns: 1},
		{Name: rightImage, Timeout: 30 * time.Second, Run: p.image, Needs: []string{ServerStarts}},
	}
	for _, c := range inside {
		c.Needs = append([]string{ServerStarts}, c.Needs...)
		list = append(list, c)
	}
	list = append(list,
		check.Check{Name: serverStops, Timeout: 2 * time.Minute, Run: p.stop, Needs: []string{ServerStarts}},
		check.Check{Name: hubSame, Timeout: 30 * time.Second, Run: p.unchanged, Needs: []string{hubReserved}},
	)
	return check.Suite{
		Name: name, Digest: hex.EncodeToString(sum[:]), Checks: list,
		Cleanup: &check.Check{Name: "nothing is left", Timeout: 4 * time.Minute, Run: p.leave},
	}
}

// probe is one run of the suite.
type probe struct {
	t      HubTarget
	hub    *hub.Client
	held   *kube.Held
	fenced *kube.Client // sends nothing past the lock
	name   string       // of the user, once one was asked for
	token  hub.APIToken
	server hub.Server
	pod    string
	shared []string // claims of others that the server mounts
}

func (p *probe) tell(format string, a ...any) {
	if p.t.Observe != nil {
		p.t.Observe(kube.OneLine(fmt.Sprintf(format, a...)))
	}
}

// answers waits for the hub: after a deployment, the way to it may open a moment
// later than its own probes say.
func (p *probe) answers(ctx context.Context) (string, error) {
	token, err := hub.Token(ctx, p.t.Client, p.t.Namespace, p.t.APITokenFrom)
	if err != nil {
		return "", err
	}
	p.hub = hub.New(p.t.URL, token)
	for {
		version, err := p.hub.Version(ctx)
		if err == nil {
			// The version needs no token: ask something that does.
			_, err = p.hub.Users(ctx)
		}
		if err == nil {
			return fmt.Sprintf("JupyterHub %s at %s", version, p.t.URL), nil
		}
		var refused *hub.Error
		if errors.As(err, &refused) && refused.Status < http.StatusInternalServerError && refused.Status != http.StatusNotFound {
			return "", err
		}
		if kube.Sleep(ctx, time.Second) != nil {
			return "", err
		}
	}
}

func (p *probe) reserve(ctx context.Context) (string, error) {
	if err := p.lock(ctx); err != nil {
		return "", err
	}
	if err := p.t.Runs(ctx); err != nil {
		return "", err
	}
	return "no other run changes it meanwhile", nil
}

// lock takes the lock of the namespace, unless the caller holds it. It outlives the
// check: it is given back by leave.
func (p *probe) lock(ctx context.Context) (err error) {
	held := p.t.Held
	if held == nil {
		_, held, err = kube.Lock(ctx, p.t.Client, kube.LockRequest{
			Namespace: p.t.Namespace, Holder: p.t.Holder,
			Waiting: func(holder string, since time.Time) {
				p.tell("waits for %s, who changes this hub since %s", holder, since.Format(time.RFC3339))
			},
		})
		if err != nil {
			return err
		}
	}
	p.held = held
	p.fenced, err = held.Client(p.t.Client)
	return err
}

// unchanged asks again what the hub runs: the lock keeps only gauntlet out.
func (p *probe) unchanged(ctx context.Context) (string, error) {
	if err := p.held.Check(); err != nil {
		return "", err
	}
	if err := p.t.Runs(ctx); err != nil {
		return "", err
	}
	return "it still runs the same", nil
}

func (p *probe) createUser(ctx context.Context) (string, error) {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	name := hub.ProbePrefix + hex.EncodeToString(b[:])
	p.name = name
	if err := p.hub.CreateUser(ctx, name); err != nil {
		return "", err
	}
	token, err := p.hub.CreateToken(ctx, name, "gauntlet's probe", time.Hour)
	if err != nil {
		return "", err
	}
	p.token = token
	kill.At("hub:user")
	return name, nil
}

// dial makes a client for the probe's server.
func (p *probe) dial() (*kernel.Server, error) {
	return kernel.Dial(p.t.URL, p.server.URL, p.token.Value)
}

func (p *probe) stop(ctx context.Context) (string, error) {
	begun := time.Now()
	if err := p.hub.StopServer(ctx, p.name); err != nil {
		return "", err
	}
	// The hub's word is not enough: the pod must be gone.
	if err := p.podsGone(ctx, p.name); err != nil {
		return "", err
	}
	return fmt.Sprintf("after %s", time.Since(begun).Round(100*time.Millisecond)), nil
}
