package hub

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"gauntlet/internal/kube"
)

// askEvery is how often a wait asks the hub again.
const askEvery = time.Second

// A SpawnError says that the hub could not start a user's server.
type SpawnError struct {
	User    string
	Message string // the hub's own words, one line
}

func (e *SpawnError) Error() string {
	return fmt.Sprintf("the server of %s does not start: %s", e.User, e.Message)
}

// StartServer asks the hub to start a user's default server; options pick a profile
// and may be nil. It returns when the hub has taken the order: WaitServer waits.
func (c *Client) StartServer(ctx context.Context, user string, options map[string]any) error {
	if options == nil {
		options = map[string]any{}
	}
	_, err := c.do(ctx, "start the server of "+user, http.MethodPost, path("users", user, "server"), options, nil)
	var e *Error
	// A spawn that fails at once is answered here.
	if errors.As(err, &e) && e.Status >= 500 {
		return &SpawnError{User: user, Message: e.Message}
	}
	return err
}

// WaitServer waits until the user's server is ready or has failed (*SpawnError), or
// until ctx ends. observe, which may be nil, is told what the hub says meanwhile.
func (c *Client) WaitServer(ctx context.Context, user string, observe func(Progress)) (Server, error) {
	last := ""
	for {
		failed, err := c.follow(ctx, user, func(p Progress) {
			if p.Message != "" {
				last = p.Message
			}
			if observe != nil {
				observe(p)
			}
		})
		if failed != "" {
			return Server{}, &SpawnError{User: user, Message: failed}
		}
		// The stream ends early behind some proxies, and says nothing about a server
		// that has gone: the hub's own view decides.
		u, uerr := c.User(ctx, user)
		if uerr == nil {
			s, there := u.Servers[""]
			switch {
			case there && s.Ready:
				return s, nil
			case !there || s.Pending == "":
				if last == "" {
					last = "it is neither running nor starting"
				}
				return Server{}, &SpawnError{User: user, Message: last}
			}
			err = nil
		}
		if ctx.Err() != nil {
			return Server{}, fmt.Errorf("the server of %s is not ready: %w: the hub said last: %q", user, context.Cause(ctx), last)
		}
		if uerr != nil && err != nil {
			return Server{}, uerr
		}
		if err := kube.Sleep(ctx, askEvery); err != nil {
			continue // the next look says it with words
		}
	}
}

// follow reads the progress of a spawn until it ends: "" when it has not failed.
func (c *Client) follow(ctx context.Context, user string, tell func(Progress)) (failed string, err error) {
	resp, err := c.send(ctx, "follow the server of "+user, http.MethodGet, path("users", user, "server", "progress"), nil, "text/event-stream")
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	err = readProgress(resp.Body, func(p Progress) bool {
		tell(p)
		if p.Failed {
			failed = p.Message
			if failed == "" {
				failed = "the hub does not say why"
			}
		}
		return !p.Failed && !p.Ready
	})
	return failed, err
}

// stumbling is how long a hub may answer that it failed inside while a server stops.
const stumbling = 30 * time.Second

// StopServer stops a user's server and waits until the hub says that it is gone. A
// start is interrupted where the hub can do that (JupyterHub 5 and later), else
// waited for. A hub that has just started checks the servers that it knew, and fails to
// stop one meanwhile: that is waited for too, for half a minute where it does not say so.
func (c *Client) StopServer(ctx context.Context, user string) error {
	begun := time.Now()
	for {
		u, err := c.User(ctx, user)
		if IsNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		s, there := u.Servers[""]
		if !there || (!s.Ready && s.Pending == "") {
			return nil
		}
		if s.Pending != "stop" && s.Pending != "check" {
			_, err := c.do(ctx, "stop the server of "+user, http.MethodDelete, path("users", user, "server"), nil, nil)
			var e *Error
			stumbles := errors.As(err, &e) && (e.Status < 500 || e.Status == http.StatusInternalServerError && time.Since(begun) < stumbling)
			if err != nil && !stumbles {
				return err
			}
		}
		if err := kube.Sleep(ctx, askEvery); err != nil {
			return fmt.Errorf("the server of %s does not stop (%s): %w", user, kube.OneLine(s.Pending), err)
		}
	}
}
