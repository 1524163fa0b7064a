package registry

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"golang.org/x/sync/errgroup"

	"gauntlet/internal/kube"
	"gauntlet/internal/preflight"
)

const (
	// askTime bounds what is asked about one image.
	askTime = 5 * time.Second
	// atOnce is how many images are asked about at the same time.
	atOnce = 12
)

// A Question is one image, by its name as it stands in a pod.
type Question struct {
	Image       string
	Credentials []Credential // of the pods that pull it
	Config      bool         // what the image says of itself is wanted too
}

// An Asker asks registries. The zero value asks those of the names.
type Asker struct {
	mu   sync.Mutex
	down map[string]string // registries that did not answer, and what happened
}

// Ask asks about all images at once, each within five seconds. A registry that does
// not answer is not asked again. The answers are in the order of the questions.
func (a *Asker) Ask(ctx context.Context, all []Question) []preflight.Image {
	out := make([]preflight.Image, len(all))
	var g errgroup.Group
	g.SetLimit(atOnce)
	for i, q := range all {
		g.Go(func() error {
			out[i] = a.one(ctx, q)
			return nil
		})
	}
	_ = g.Wait()
	return out
}

func (a *Asker) one(ctx context.Context, q Question) preflight.Image {
	out := preflight.Image{Ref: q.Image}
	ref, err := name.ParseReference(q.Image)
	if err != nil {
		out.State, out.Why = preflight.Invalid, kube.OneLine(err.Error())
		return out
	}
	host := ref.Context().RegistryStr()
	out.Cloud = Cloud(host)
	tries := []authn.Authenticator{}
	for _, c := range q.Credentials {
		if c.matches(ref.Context()) {
			tries = append(tries, authn.FromConfig(c.auth))
		}
	}
	out.Credentials = len(tries) > 0
	for _, auth := range append(tries, authn.Anonymous) {
		if why := a.isDown(host); why != "" {
			out.State, out.Why = preflight.Unreachable, why
			return out
		}
		err := a.head(ctx, ref, auth)
		if err == nil {
			out.State, out.Why = preflight.Found, ""
			if q.Config {
				out.Config = config(ctx, ref, auth)
			}
			return out
		}
		state, why := read(err)
		switch state {
		case preflight.Unreachable:
			var said *transport.Error
			if !errors.As(err, &said) {
				a.isDownNow(host, why)
			}
			out.State, out.Why = state, why
			return out
		case preflight.NotFound:
			out.State, out.Why = state, why
			return out
		}
		if out.State == "" || out.Why == "" { // the first refusal is of the best credentials
			out.State, out.Why = state, why
		}
	}
	return out
}

func (a *Asker) isDown(host string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.down[host]
}

func (a *Asker) isDownNow(host, why string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.down == nil {
		a.down = map[string]string{}
	}
	a.down[host] = why
}

// head asks for an image's manifest: by HEAD, which no registry counts against a
// limit of pulls, and by GET where a registry does not know HEAD.
func (a *Asker) head(ctx context.Context, ref name.Reference, auth authn.Authenticator) error {
	ctx, cancel := context.WithTimeoutCause(ctx, askTime, fmt.Errorf("no answer in %s", askTime))
	defer cancel()
	_, err := remote.Head(ref, options(ctx, auth)...)
	var said *transport.Error
	if errors.As(err, &said) && (said.StatusCode == http.StatusMethodNotAllowed || said.StatusCode == http.StatusBadRequest) {
		_, err = remote.Get(ref, options(ctx, auth)...)
	}
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func options(ctx context.Context, auth authn.Authenticator) []remote.Option {
	return []remote.Option{
		remote.WithContext(ctx), remote.WithAuth(auth), remote.WithUserAgent("gauntlet"),
		remote.WithPlatform(v1.Platform{OS: "linux", Architecture: "amd64"}),
		// One more try, and soon: the time for all of it is short.
		remote.WithRetryBackoff(remote.Backoff{Duration: 200 * time.Millisecond, Factor: 1, Steps: 2}),
	}
}

// read says what a failure means, in one line without the request.
func read(err error) (state, why string) {
	var said *transport.Error
	if errors.As(err, &said) {
		why = kube.OneLine(fmt.Sprintf("it answers %d %s", said.StatusCode, http.StatusText(said.StatusCode)))
		for _, d := range said.Errors {
			if d.Code == transport.ManifestUnknownErrorCode || d.Code == transport.NameUnknownErrorCode {
				return preflight.NotFound, why
			}
		}
		token := said.Request != nil && !strings.Contains(said.Request.URL.Path, "/v2/")
		switch c := said.StatusCode; {
		case c == http.StatusUnauthorized, c == http.StatusForbidden, token && c >= 400 && c < 500 && c != http.StatusTooManyRequests:
			return preflight.Denied, why
		case c == http.StatusNotFound:
			return preflight.NotFound, why
		}
		return preflight.Unreachable, why
	}
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return preflight.Unreachable, "no such host " + kube.OneLine(dns.Name)
	case errors.Is(err, context.DeadlineExceeded):
		return preflight.Unreachable, fmt.Sprintf("no answer in %s", askTime)
	}
	return preflight.Unreachable, kube.OneLine(err.Error())
}

// config is what an image says of itself, nil when it cannot be read.
func config(ctx context.Context, ref name.Reference, auth authn.Authenticator) *preflight.ImageConfig {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	img, err := remote.Image(ref, options(ctx, auth)...)
	if err != nil {
		return nil
	}
	f, err := img.ConfigFile()
	if err != nil {
		return nil
	}
	out := &preflight.ImageConfig{Entrypoint: f.Config.Entrypoint, Cmd: f.Config.Cmd, Labels: f.Config.Labels, Env: map[string]string{}}
	for _, e := range f.Config.Env { // only versions: an environment may hold secrets
		if k, v, ok := strings.Cut(e, "="); ok && strings.HasSuffix(k, "_VERSION") {
			out.Env[k] = v
		}
	}
	return out
}
