// Package suites holds the suites that run on a hub.
package suites

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

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
	// Paired says whether a notebook was paired with the workers that its users get
	// now; nil: every notebook brings its own.
	Paired func(notebook release.Digest) bool
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

// hubForm says what the suite does; it changes when that changes.
const hubForm = "hub v2: answers, reserved, swept, user, server, image, kernel, file, terminal, log, stop, unchanged, nothing left"

// hubCode is what the suite runs in a kernel.
//
//go:embed hub.py
var hubCode string

// Hub is the suite "hub": a user made for the purpose starts a server, runs code in
// it and leaves, and nothing of them stays behind.
func Hub(t HubTarget) check.Suite {
	p := newProbe(t)
	return p.suite("hub", hubForm+"\x00"+hubCode,
		check.Check{Name: "code runs in a kernel", Timeout: 2 * time.Minute, Run: p.code},
		check.Check{Name: "a file is saved and read", Timeout: time.Minute, Run: p.file},
		check.Check{Name: "a terminal answers", Timeout: time.Minute, Run: p.terminal},
		check.Check{Name: "the server's log has no error", Timeout: 30 * time.Second, Run: p.log},
	)
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
		{Name: ServerStarts, Timeout: p.t.SpawnTimeout, Run: p.start, Needs: []string{userCreated}},
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

func (p *probe) start(ctx context.Context) (string, error) {
	begun := time.Now()
	if err := p.held.Check(); err != nil {
		return "", err
	}
	if err := p.hub.StartServer(ctx, p.name, nil); err != nil {
		return "", err
	}
	server, pod, err := p.waitServer(ctx)
	if err != nil {
		return "", err
	}
	p.server, p.pod = server, pod
	kill.At("hub:server")
	return slower(pod, time.Since(begun), p.t.SpawnBefore)
}

// slower warns of a server that takes much longer to start than it did: users wait for
// it. Below half a minute more, or twice the time, a busy cluster explains it.
func slower(pod string, took, before time.Duration) (string, error) {
	said := fmt.Sprintf("pod %s, ready after %s", pod, took.Round(100*time.Millisecond))
	if before == 0 {
		return said, nil
	}
	said += fmt.Sprintf(", with the release before %s", before.Round(100*time.Millisecond))
	if took > 2*before && took > before+30*time.Second {
		return "", check.Warning{Message: said}
	}
	return said, nil
}

func (p *probe) file(ctx context.Context) (string, error) {
	srv, err := p.dial()
	if err != nil {
		return "", err
	}
	const text = "Grüße\nfrom the probe\n"
	if err := srv.RoundTrip(ctx, "gauntlet-probe.txt", text); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d bytes, and it is removed again", len(text)), nil
}

func (p *probe) terminal(ctx context.Context) (string, error) {
	srv, err := p.dial()
	if err != nil {
		return "", err
	}
	t, err := srv.Terminal(ctx)
	if err != nil {
		return "", err
	}
	_, err = t.Line(ctx, "")
	if cerr := t.Close(context.WithoutCancel(ctx)); cerr != nil {
		p.tell("%v", cerr)
	}
	if err != nil {
		return "", err
	}
	return "its shell computes", nil
}

// log looks for errors in what the user's server says. They warn: an extension that
// complains is no reason to go back.
func (p *probe) log(ctx context.Context) (string, error) {
	text, err := p.t.Client.Logs(ctx, p.t.Namespace, p.pod, "", logLines)
	if err != nil {
		return "", err
	}
	errs, lines := faultsOf(text)
	if len(errs) > 0 {
		more := ""
		if len(errs) > 1 {
			more = fmt.Sprintf(" (and %d more)", len(errs)-1)
		}
		return "", check.Warning{Message: kube.OneLine(errs[0]) + more}
	}
	if lines == 0 {
		return "", check.Warning{Message: "the server says nothing, so nothing is known of errors"}
	}
	return fmt.Sprintf("%d lines", lines), nil
}

// logLines is how much of a server's log is read, in lines.
const logLines = 2000

// faultsOf are the lines of a log in which Jupyter or Python say that something failed,
// and how many lines there are.
func faultsOf(log string) (errs []string, lines int) {
	for line := range strings.Lines(log) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		lines++
		for _, mark := range []string{"[E ", "[C ", "Traceback (most recent call last)", "ERROR", "CRITICAL"} {
			if strings.HasPrefix(line, mark) {
				errs = append(errs, line)
				break
			}
		}
	}
	return errs, lines
}

// dial makes a client for the probe's server.
func (p *probe) dial() (*kernel.Server, error) {
	return kernel.Dial(p.t.URL, p.server.URL, p.token.Value)
}

func (p *probe) code(ctx context.Context) (string, error) {
	srv, err := p.dial()
	if err != nil {
		return "", err
	}
	k, err := srv.Start(ctx, "")
	if err != nil {
		return "", err
	}
	out, err := k.Run(ctx, hubCode)
	if cerr := k.Close(context.WithoutCancel(ctx)); cerr != nil {
		p.tell("%v", cerr)
	}
	if err != nil {
		return "", err
	}
	answer, versions, _ := strings.Cut(out.Stdout, "\n")
	if answer != "42" {
		return "", fmt.Errorf("6*7 is %q", kube.OneLine(answer))
	}
	return "6*7 is 42, " + kube.OneLine(versions), nil
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
