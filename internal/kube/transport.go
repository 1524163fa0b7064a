package kube

import (
	"fmt"
	"net/http"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// A FencedError says that a change was not sent, because the lock it was to be
// made under is not held any more.
type FencedError struct {
	Method, Path string
	Cause        error
}

func (e *FencedError) Error() string {
	return fmt.Sprintf("%s %s was not sent: %v", e.Method, e.Path, e.Cause)
}

func (e *FencedError) Unwrap() error { return e.Cause }

// fence lets a write through only while the lock is held. Reads and watches pass.
// A request already on its way cannot be called back.
type fence struct {
	next  http.RoundTripper
	check func() error
}

func (f fence) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodOptions {
		if err := f.check(); err != nil {
			// A RoundTripper must close the body, also when it fails.
			if r.Body != nil {
				_ = r.Body.Close()
			}
			return nil, &FencedError{Method: r.Method, Path: r.URL.Path, Cause: err}
		}
	}
	return f.next.RoundTrip(r)
}

// Client is c with every change it sends fenced by the lock: what a library sends
// through its Config too, and after the lock was lost or given back, nothing.
func (h *Held) Client(c *Client) (*Client, error) {
	cfg := rest.CopyConfig(c.Config)
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper { return fence{next: next, check: h.Check} })
	cs, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("make a client for context %q: %w", c.Context, err)
	}
	return &Client{Interface: cs, Context: c.Context, Config: cfg}, nil
}
