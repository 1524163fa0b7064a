// Package faultyregistry stands in front of a registry and makes it fail in chosen
// ways, one repository at a time: for drills of what a real one does on a bad day.
package faultyregistry

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"
)

// Fault is what is wrong with a repository. Its zero value is nothing.
type Fault struct {
	Status int // answered instead of passing the request on: 401, 403, 404, 503, …
	Times  int // so many requests only; 0 means every one
	Rate   int // bytes per second at which each blob arrives; 0 is unbounded

	// Agent limits it to requests whose User-Agent begins so: "containerd" are nodes.
	Agent string
	// DropAfter breaks the connection after so many bytes of a blob; 0 never does.
	DropAfter int64
}

// Proxy is a registry that passes everything on to another one, but for faults.
type Proxy struct {
	target *url.URL
	pass   *httputil.ReverseProxy

	mu     sync.Mutex
	addr   string
	server *http.Server
	faults map[string]*Fault
	seen   map[string]int
}

// Start serves at an address (HOST:PORT; port 0 is any) what the registry at
// target (HOST:PORT, plain HTTP) holds, until Close.
func Start(addr, target string) (*Proxy, error) {
	p := &Proxy{
		target: &url.URL{Scheme: "http", Host: target},
		addr:   addr,
		faults: map[string]*Fault{},
		seen:   map[string]int{},
	}
	p.pass = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(p.target)
			r.SetXForwarded()
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			refuse(w, http.StatusBadGateway, err.Error())
		},
		FlushInterval: -1, // a slow answer arrives as slowly as it is sent
	}
	if err := p.Up(); err != nil {
		return nil, err
	}
	return p, nil
}

// Addr is where the proxy listens, as in image references.
func (p *Proxy) Addr() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.addr
}

// Set makes a repository faulty from the next request on; "" means all that have
// no fault of their own.
func (p *Proxy) Set(repository string, f Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults[repository] = &f
}

// Heal takes the fault of a repository away.
func (p *Proxy) Heal(repository string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.faults, repository)
}

// Requests counts what was asked of a repository so far.
func (p *Proxy) Requests(repository string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen[repository]
}

// Up listens, again after Down, at the same address.
func (p *Proxy) Up() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.server != nil {
		return nil
	}
	l, err := net.Listen("tcp", p.addr)
	if err != nil {
		return fmt.Errorf("listen as a faulty registry: %w", err)
	}
	p.addr = l.Addr().String()
	server := &http.Server{Handler: p, ReadHeaderTimeout: 10 * time.Second}
	p.server = server
	go func() { _ = server.Serve(l) }() // ends with Down
	return nil
}

// Down refuses connections and breaks those there are.
func (p *Proxy) Down() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.server == nil {
		return nil
	}
	err := p.server.Close()
	p.server = nil
	return err
}

// Close ends the proxy.
func (p *Proxy) Close() error { return p.Down() }

// ServeHTTP answers one request.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	repository, content := repositoryOf(r.URL.Path)
	f := p.faultFor(repository, r.UserAgent())
	if f.Status != 0 {
		refuse(w, f.Status, "made to fail by a drill")
		return
	}
	if content && (f.Rate > 0 || f.DropAfter > 0) {
		w = &limited{ResponseWriter: w, ctx: r.Context(), rate: f.Rate, left: f.DropAfter, drops: f.DropAfter > 0}
	}
	p.pass.ServeHTTP(w, r)
}

// faultFor returns the fault to apply to one request, and counts it.
func (p *Proxy) faultFor(repository, agent string) Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen[repository]++
	key := repository
	f := p.faults[key]
	if f == nil && repository != "" {
		key = ""
		f = p.faults[key]
	}
	if f == nil || !strings.HasPrefix(agent, f.Agent) {
		return Fault{}
	}
	now := *f
	if f.Times > 0 {
		if f.Times--; f.Times == 0 {
			delete(p.faults, key)
		}
	}
	return now
}

// repositoryOf finds the repository in a path of the registry's API, and whether
// the path is of a blob. The path of the API itself has none.
func repositoryOf(path string) (repository string, blob bool) {
	rest, ok := strings.CutPrefix(path, "/v2/")
	if !ok {
		return "", false
	}
	for _, kind := range []string{"/manifests/", "/blobs/", "/tags/", "/referrers/"} {
		if i := strings.LastIndex(rest, kind); i > 0 {
			return rest[:i], kind == "/blobs/"
		}
	}
	return "", false
}

// refuse answers an error in the registry's own format.
func refuse(w http.ResponseWriter, status int, message string) {
	code := map[int]string{
		http.StatusUnauthorized: "UNAUTHORIZED", http.StatusForbidden: "DENIED",
		http.StatusNotFound: "MANIFEST_UNKNOWN", http.StatusTooManyRequests: "TOOMANYREQUESTS",
	}[status]
	if code == "" {
		code = "UNAVAILABLE"
	}
	w.Header().Set("Content-Type", "application/json")
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="a registry made to fail by a drill"`)
	}
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"errors":[{"code":%q,"message":%q}]}`, code, message)
}

// limited passes bytes on slowly, or breaks off after some.
type limited struct {
	http.ResponseWriter
	ctx   context.Context
	rate  int   // bytes per second; 0 is unbounded
	left  int64 // bytes before the connection breaks
	drops bool
}

// Unwrap lets the proxy flush.
func (l *limited) Unwrap() http.ResponseWriter { return l.ResponseWriter }

// Write writes in pieces of a tenth of a second each.
func (l *limited) Write(data []byte) (int, error) {
	written := 0
	for written < len(data) {
		piece := data[written:]
		if l.rate > 0 {
			piece = piece[:min(len(piece), max(1, l.rate/10))]
		}
		if l.drops && int64(len(piece)) > l.left {
			panic(http.ErrAbortHandler) // the server breaks the connection
		}
		n, err := l.ResponseWriter.Write(piece)
		written += n
		l.left -= int64(n)
		if err != nil {
			return written, err
		}
		if l.rate == 0 {
			continue
		}
		if err := http.NewResponseController(l.ResponseWriter).Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return written, err
		}
		select {
		case <-l.ctx.Done():
			return written, l.ctx.Err()
		case <-time.After(time.Duration(float64(n) / float64(l.rate) * float64(time.Second))):
		}
	}
	return written, nil
}
