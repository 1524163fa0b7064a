package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// routeTime is how long a user's server may take to answer one question through the
// proxy.
const routeTime = 10 * time.Second

// A RouteError says that what a user types does not lead to their server.
type RouteError struct {
	Path   string // of the server
	Lost   bool   // the proxy has no route to it: it passed the request to the hub
	Status int    // what was answered; 0: nothing
	Cause  string // for Status 0
}

func (e *RouteError) Error() string {
	switch {
	case e.Lost:
		return fmt.Sprintf("%s has no route: the proxy passes it to the hub", e.Path)
	case e.Status != 0:
		return fmt.Sprintf("%s is answered with %d", e.Path, e.Status)
	}
	return fmt.Sprintf("%s is not answered: %s", e.Path, e.Cause)
}

// Routed asks, without any right, for a server's state through the proxy, as a browser
// whose login has ended would: a server that says who are you is a server that was
// reached. It is nil when it was, else *RouteError.
func (c *Client) Routed(ctx context.Context, path string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, routeTime, fmt.Errorf("no answer in %s", routeTime))
	defer cancel()
	base, err := url.Parse(c.base)
	if err != nil || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") {
		return &RouteError{Path: path, Cause: "it is no path of a user's server"}
	}
	at := (&url.URL{Scheme: base.Scheme, Host: base.Host}).JoinPath(path, "api", "status")
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), http.NoBody)
	if err != nil {
		return &RouteError{Path: path, Cause: err.Error()}
	}
	resp, err := c.http.Do(q)
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return &RouteError{Path: path, Cause: err.Error()}
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	_ = resp.Body.Close()
	switch {
	case strayed(base.Path, resp.Header.Get("Location")):
		return &RouteError{Path: path, Lost: true, Status: resp.StatusCode}
	case resp.StatusCode >= http.StatusInternalServerError || resp.StatusCode == http.StatusFailedDependency:
		return &RouteError{Path: path, Status: resp.StatusCode}
	}
	return nil
}

// strayed says whether a redirect is that of a hub which got a request for a server:
// it sends /user/ada/… to /hub/user/ada/…
func strayed(prefix, location string) bool {
	to, err := url.Parse(location)
	return err == nil && strings.HasPrefix(to.Path, strings.TrimRight(prefix, "/")+"/hub/user/")
}

// SyncRoutes has the hub compare its proxy's routes with the servers it knows and set
// those that are missing. It needs the scope "proxy".
func (c *Client) SyncRoutes(ctx context.Context) error {
	_, err := c.do(ctx, "set the routes of the proxy again", http.MethodPost, path("proxy"), nil, nil)
	return err
}
