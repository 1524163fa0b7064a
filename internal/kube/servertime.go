package kube

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"k8s.io/client-go/rest"
)

// ServerTime is the time by the cluster's API server, to the second. It asks no
// longer than ten seconds.
func (c *Client) ServerTime(ctx context.Context) (time.Time, error) {
	t, err := askTheTime(ctx, c.Config)
	if err != nil {
		return time.Time{}, fmt.Errorf("ask cluster %s for the time: %w", c.Context, err)
	}
	return t, nil
}

func askTheTime(ctx context.Context, cfg *rest.Config) (time.Time, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, aside, fmt.Errorf("no answer in %s", aside))
	defer cancel()
	url, _, err := rest.DefaultServerUrlFor(cfg)
	if err != nil {
		return time.Time{}, err
	}
	client, err := rest.HTTPClientFor(cfg)
	if err != nil {
		return time.Time{}, err
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, url.JoinPath("/version").String(), http.NoBody)
	if err != nil {
		return time.Time{}, err
	}
	resp, err := client.Do(q)
	if err != nil {
		return time.Time{}, cause(ctx, err)
	}
	_ = resp.Body.Close()
	return http.ParseTime(resp.Header.Get("Date"))
}
