// Package hub speaks JupyterHub's REST API: users, their servers and tokens.
//
// What comes from a hub is untrusted: names of users come from whatever the hub's
// authenticator lets in.
package hub

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gauntlet/internal/config"
	"gauntlet/internal/kube"
)

// requestTime bounds one request that is no stream. A hub that starts a server
// answers after ten seconds at the latest.
const requestTime = 30 * time.Second

// maxBody bounds an answer: a page of users is some 100 KiB.
const maxBody = 16 << 20

// A Client speaks to one hub with one API token.
type Client struct {
	base  string // without a trailing slash
	token string
	http  *http.Client
}

// New makes a client for the hub at address, which is what users type
// ("https://hub.example.org", or with a path).
func New(address, token string) *Client {
	// A hub that redirects an API request asks for a login: the token would be
	// shown to whatever the redirect names.
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{base: strings.TrimRight(address, "/"), token: strings.TrimSpace(token), http: &http.Client{CheckRedirect: stay}}
}

// Token reads a hub's API token from the Secret that the configuration names.
func Token(ctx context.Context, c *kube.Client, namespace string, from config.SecretKey) (string, error) {
	s, err := c.CoreV1().Secrets(namespace).Get(ctx, from.Secret, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return "", fmt.Errorf("the API token of the hub: namespace %s of cluster %s has no Secret %q (apiTokenFrom.secret)",
			namespace, c.Context, from.Secret)
	case err != nil:
		return "", fmt.Errorf("read Secret %s/%s of cluster %s: %w", namespace, from.Secret, c.Context, err)
	}
	token := strings.TrimSpace(string(s.Data[from.Key]))
	if token == "" {
		return "", fmt.Errorf("the API token of the hub: Secret %s/%s of cluster %s has nothing under the key %q (apiTokenFrom.key)",
			namespace, from.Secret, c.Context, from.Key)
	}
	return token, nil
}

// An Error is a refusal of the hub.
type Error struct {
	Op      string // what was asked: "create user x"
	Status  int    // HTTP status
	Message string // the hub's own words, one line
}

func (e *Error) Error() string {
	s := fmt.Sprintf("%s: the hub answers %d", e.Op, e.Status)
	if e.Message != "" {
		s += ": " + e.Message
	}
	switch {
	case e.Status == http.StatusUnauthorized, strings.Contains(e.Message, "invalid credentials"):
		s += " (its API token is not known to the hub)"
	case e.Status == http.StatusForbidden:
		s += " (its API token may not do that: see the scopes of the service's role)"
	}
	return s
}

// IsNotFound says that the hub knows no such thing.
func IsNotFound(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Status == http.StatusNotFound
}

// path is an API path of escaped segments.
func path(segments ...string) string {
	p := "/hub/api"
	for _, s := range segments {
		p += "/" + url.PathEscape(s)
	}
	return p
}

// do sends a request and reads the JSON answer into out, unless that is nil.
func (c *Client) do(ctx context.Context, op, method, path string, in, out any) (status int, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, requestTime, fmt.Errorf("no answer in %s", requestTime))
	defer cancel()
	resp, err := c.send(ctx, op, method, path, in, "application/json")
	if err != nil {
		return 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	if out == nil || resp.StatusCode == http.StatusNoContent {
		return resp.StatusCode, nil
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxBody)).Decode(out); err != nil {
		return resp.StatusCode, fmt.Errorf("%s: read the hub's answer: %w", op, err)
	}
	return resp.StatusCode, nil
}

// send sends a request; an answer that is no success comes back as *Error.
func (c *Client) send(ctx context.Context, op, method, path string, in any, accept string) (*http.Response, error) {
	body := http.NoBody
	var content io.Reader = body
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", op, err)
		}
		content = bytes.NewReader(b)
	}
	q, err := http.NewRequestWithContext(ctx, method, c.base+path, content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", op, err)
	}
	q.Header.Set("Authorization", "token "+c.token)
	q.Header.Set("Accept", accept)
	if in != nil {
		q.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(q)
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, fmt.Errorf("%s: the hub at %s: %w", op, c.base, err)
	}
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		return resp, nil
	}
	defer func() { _ = resp.Body.Close() }()
	return nil, &Error{Op: op, Status: resp.StatusCode, Message: words(resp)}
}

// words is what a refusal says.
func words(resp *http.Response) string {
	if to := resp.Header.Get("Location"); to != "" {
		return kube.OneLine("it points to " + to)
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return ""
	}
	var said struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(b, &said) != nil || said.Message == "" {
		if strings.Contains(resp.Header.Get("Content-Type"), "html") {
			return "with a page instead of an answer"
		}
		return kube.OneLine(string(b))
	}
	return kube.OneLine(said.Message)
}

// Version is the hub's JupyterHub version. It needs no token.
func (c *Client) Version(ctx context.Context) (string, error) {
	var v struct {
		Version string `json:"version"`
	}
	if _, err := c.do(ctx, "ask for the version", http.MethodGet, path(), nil, &v); err != nil {
		return "", err
	}
	if v.Version == "" {
		return "", fmt.Errorf("what answers at %s is no JupyterHub: it says no version", c.base)
	}
	return kube.OneLine(v.Version), nil
}
