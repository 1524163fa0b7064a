package rig

import (
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"sync"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"gauntlet/internal/kube"
	"gauntlet/lab"
)

// An APIProxy stands between a command and a cluster's API server and counts what the
// command asks. It listens on this machine only.
type APIProxy struct {
	Kubeconfig string // file in which the cluster's context leads through the proxy

	server *http.Server
	done   chan struct{}
	mu     sync.Mutex
	counts map[string]int // by verb
	first  time.Time
	last   time.Time
}

// NewAPIProxy starts a proxy to a context of the lab. Close ends it.
func (r *Rig) NewAPIProxy(context string) (*APIProxy, error) {
	c, err := kube.Connect(context)
	if err != nil {
		return nil, err
	}
	transport, err := rest.TransportFor(c.Config)
	if err != nil {
		return nil, err
	}
	target, _, err := rest.DefaultServerUrlFor(c.Config)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &APIProxy{counts: map[string]int{}, done: make(chan struct{}), Kubeconfig: filepath.Join(r.Work, "proxied-"+context)}
	forward := &httputil.ReverseProxy{
		Transport:     transport,
		FlushInterval: -1, // watches
		Rewrite: func(q *httputil.ProxyRequest) {
			q.SetURL(&url.URL{Scheme: target.Scheme, Host: target.Host})
			q.Out.Header.Del("Authorization") // what the proxy presents counts
		},
	}
	p.server = &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		p.count(q)
		forward.ServeHTTP(w, q)
	})}
	go func() {
		defer close(p.done)
		_ = p.server.Serve(l) // ends with Close
	}()
	if err := writeKubeconfig(p.Kubeconfig, context, "http://"+l.Addr().String()); err != nil {
		_ = p.Close()
		return nil, err
	}
	return p, nil
}

// writeKubeconfig copies the lab's kubeconfig, with another address for one context.
func writeKubeconfig(file, context, server string) error {
	cfg, err := clientcmd.LoadFromFile(lab.Kubeconfig())
	if err != nil {
		return fmt.Errorf("read the lab's kubeconfig: %w", err)
	}
	if _, ok := cfg.Contexts[context]; !ok {
		return fmt.Errorf("the lab's kubeconfig has no context %s", context)
	}
	const name = "proxied"
	cfg.Clusters[name] = &clientcmdapi.Cluster{Server: server}
	cfg.AuthInfos[name] = &clientcmdapi.AuthInfo{}
	cfg.Contexts[context].Cluster, cfg.Contexts[context].AuthInfo = name, name
	return clientcmd.WriteToFile(*cfg, file)
}

func (p *APIProxy) count(q *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if p.first.IsZero() {
		p.first = now
	}
	p.last = now
	verb := q.Method
	if q.URL.Query().Get("watch") != "" {
		verb = "WATCH"
	}
	p.counts[verb]++
}

// Counts are the requests so far by verb (watches as WATCH) and the time between the
// first and the last.
func (p *APIProxy) Counts() (map[string]int, time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.counts), p.last.Sub(p.first)
}

// Reset begins to count anew.
func (p *APIProxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts, p.first, p.last = map[string]int{}, time.Time{}, time.Time{}
}

// Close ends the proxy and what goes through it.
func (p *APIProxy) Close() error {
	err := p.server.Close()
	<-p.done
	return err
}
