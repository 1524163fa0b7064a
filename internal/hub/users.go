package hub

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// ProbePrefix begins the names of users that gauntlet makes to probe a hub. The
// authenticator of a hub must not issue names that begin so.
const ProbePrefix = "gauntlet-probe-"

// A User is a user as the hub knows them.
type User struct {
	Name         string            `json:"name"`
	Admin        bool              `json:"admin"`
	Created      time.Time         `json:"created"`
	LastActivity time.Time         `json:"last_activity"` // zero: never
	Servers      map[string]Server `json:"servers"`
}

// A Server is a user's server; the default one has the name "".
type Server struct {
	Name    string `json:"name"`
	Ready   bool   `json:"ready"`
	Pending string `json:"pending"` // "spawn", "stop" or ""
	URL     string `json:"url"`     // path on the hub's address

	LastActivity time.Time `json:"last_activity"` // zero: never
}

// pageSize is how many users are asked for at once; a hub may give fewer.
const pageSize = 200

// Users are all users of the hub.
func (c *Client) Users(ctx context.Context) ([]User, error) { return c.users(ctx, "") }

// Running are the users whose servers run or are starting or stopping.
func (c *Client) Running(ctx context.Context) ([]User, error) {
	// A hub older than 1.3 gives all users.
	users, err := c.users(ctx, "active")
	return slices.DeleteFunc(users, func(u User) bool { return len(u.Servers) == 0 }), err
}

func (c *Client) users(ctx context.Context, state string) ([]User, error) {
	var all []User
	for {
		page, more, err := c.page(ctx, state, len(all))
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		if !more || len(page) == 0 {
			return all, nil
		}
	}
}

// paged is the form of a list that JupyterHub gives to who accepts it.
type paged struct {
	Items      []User `json:"items"`
	Pagination struct {
		Next *struct {
			Offset int `json:"offset"`
		} `json:"next"`
	} `json:"_pagination"`
}

const pagedType = "application/jupyterhub-pagination+json"

func (c *Client) page(ctx context.Context, state string, offset int) (users []User, more bool, err error) {
	const op = "list the users"
	ctx, cancel := context.WithTimeoutCause(ctx, requestTime, fmt.Errorf("no answer in %s", requestTime))
	defer cancel()
	q := url.Values{"limit": {strconv.Itoa(pageSize)}, "offset": {strconv.Itoa(offset)}}
	if state != "" {
		q.Set("state", state)
	}
	resp, err := c.send(ctx, op, http.MethodGet, path("users")+"?"+q.Encode(), nil, pagedType)
	if err != nil {
		return nil, false, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return nil, false, fmt.Errorf("%s: %w", op, err)
	}
	// A hub older than 2.0 gives the whole list, whatever is asked.
	if text := strings.TrimSpace(string(body)); strings.HasPrefix(text, "[") {
		err = json.Unmarshal(body, &users)
	} else {
		var p paged
		err = json.Unmarshal(body, &p)
		users, more = p.Items, p.Pagination.Next != nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("%s: read the hub's answer: %w", op, err)
	}
	return users, more, nil
}

// ActiveUsers are the names of the people who used the hub since then, sorted.
// Users that gauntlet makes for its probes are not among them.
func (c *Client) ActiveUsers(ctx context.Context, since time.Time) ([]string, error) {
	users, err := c.Users(ctx)
	if err != nil {
		return nil, err
	}
	names := []string{}
	for _, u := range users {
		if !u.LastActivity.Before(since) && !u.LastActivity.IsZero() && !strings.HasPrefix(u.Name, ProbePrefix) {
			names = append(names, u.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// User is one user.
func (c *Client) User(ctx context.Context, name string) (User, error) {
	var u User
	_, err := c.do(ctx, "read user "+name, http.MethodGet, path("users", name), nil, &u)
	return u, err
}

// CreateUser makes a user.
func (c *Client) CreateUser(ctx context.Context, name string) error {
	_, err := c.do(ctx, "create user "+name, http.MethodPost, path("users", name), nil, nil)
	return err
}

// DeleteUser removes a user, with their tokens. One who is not there is no error.
// A hub refuses to remove a user whose server is starting or stopping.
func (c *Client) DeleteUser(ctx context.Context, name string) error {
	_, err := c.do(ctx, "delete user "+name, http.MethodDelete, path("users", name), nil, nil)
	if IsNotFound(err) {
		return nil
	}
	return err
}

// An APIToken is an API token of a user.
type APIToken struct {
	ID    string `json:"id"`
	Value string `json:"token"` // a secret
}

// CreateToken makes a token that acts as the user, with all they may do, until life
// is over.
func (c *Client) CreateToken(ctx context.Context, user, note string, life time.Duration) (APIToken, error) {
	in := map[string]any{"expires_in": int(life.Seconds()), "note": note}
	var t APIToken
	_, err := c.do(ctx, "make a token for user "+user, http.MethodPost, path("users", user, "tokens"), in, &t)
	if err == nil && t.Value == "" {
		err = fmt.Errorf("make a token for user %s: the hub gave none", user)
	}
	return t, err
}

// DeleteToken removes a token. One that is not there is no error.
func (c *Client) DeleteToken(ctx context.Context, user, id string) error {
	_, err := c.do(ctx, "delete a token of user "+user, http.MethodDelete, path("users", user, "tokens", id), nil, nil)
	if IsNotFound(err) {
		return nil
	}
	return err
}
