package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

// checkServices returns why the registry or the image builder cannot be used.
func checkServices(ctx context.Context) error {
	return errors.Join(checkRegistry(ctx), checkBuilder(ctx))
}

func checkRegistry(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+Registry+"/v2/", nil)
	if err != nil {
		return err
	}
	// The registry is on this machine: never through a proxy.
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return fmt.Errorf("the registry does not answer: %w", err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the registry answers %s", resp.Status)
	}
	return nil
}

func checkBuilder(ctx context.Context) error {
	conn, err := (&net.Dialer{Timeout: 3 * time.Second}).DialContext(ctx, "unix", buildkitSocket())
	if err != nil {
		return fmt.Errorf("the image builder does not answer: %w", err)
	}
	return conn.Close()
}

// checkCluster returns the first thing that keeps a cluster from being used, in
// the order in which they come up.
func checkCluster(ctx context.Context, c Cluster) error {
	client, err := c.client()
	if err != nil {
		return err
	}
	defer client.http.CloseIdleConnections()
	if err := client.get(ctx, "/readyz", nil); err != nil {
		return fmt.Errorf("the API server is not ready: %w", err)
	}
	ready, err := client.nodesReady(ctx)
	if err != nil {
		return err
	}
	var waiting []string
	for _, n := range c.Nodes {
		if !ready[n.Name] {
			waiting = append(waiting, n.Name)
		}
	}
	if len(waiting) > 0 {
		return fmt.Errorf("not Ready: %s", strings.Join(waiting, ", "))
	}
	dns, err := client.dnsAvailable(ctx)
	if err != nil {
		return err
	}
	if !dns {
		return errors.New("the cluster's DNS is not available yet")
	}
	for _, name := range c.unitNames() {
		if err := (unit{name: name}).checkReady(); err != nil {
			return err
		}
	}
	return nil
}

// unitNames are the control plane's and the nodes'.
func (c Cluster) unitNames() []string {
	names := []string{c.Name}
	for _, n := range c.Nodes {
		names = append(names, n.Name)
	}
	return names
}
