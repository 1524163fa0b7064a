// Package hub speaks JupyterHub's REST API: users, their servers and tokens.
package hub

import (
	"context"
	"errors"
	"time"

	"gauntlet/internal/config"
	"gauntlet/internal/kube"
)

var errTodo = errors.New("not written yet")

// A Client speaks to one hub with one API token.
type Client struct{}

// New makes a client for the hub at url, the address users type ("https://hub.example.org").
func New(url, token string) *Client { return &Client{} }

// Token reads a hub's API token from the Secret that the configuration names.
func Token(ctx context.Context, c *kube.Client, namespace string, from config.SecretKey) (string, error) {
	return "", errTodo
}

// ActiveUsers are the names of the people who used the hub since then, sorted.
// Names come from the hub's authenticator and are untrusted.
func (c *Client) ActiveUsers(ctx context.Context, since time.Time) ([]string, error) {
	return nil, errTodo
}
