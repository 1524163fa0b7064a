package pipeline

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"gauntlet/internal/config"
	"gauntlet/internal/deploy"
	"gauntlet/internal/hub"
)

// Connected is who uses a hub now.
type Connected struct {
	Users   int    `json:"users"`   // people whose servers run
	Servers int    `json:"servers"` // of theirs
	Active  int    `json:"active"`  // servers that were used in the last ten minutes, as the hub knows
	Problem string `json:"problem,omitempty"`

	Kernels        int    `json:"kernels"` // in those servers that could be asked
	KernelsProblem string `json:"kernelsProblem,omitempty"`

	Dask        deploy.Dask `json:"dask"` // in the hub's namespace
	DaskProblem string      `json:"daskProblem,omitempty"`
}

// Bounds of what is asked of users' servers.
const (
	lately     = 10 * time.Minute
	maxServers = 300
	atOnce     = 16
	kernelTime = 5 * time.Second // for each
)

// connected asks a hub who uses it, with how many kernels and Dask clusters.
func (w *Workspace) connected(ctx context.Context, hubName string) Connected {
	h := w.Platform.Hubs[hubName]
	defer w.waiting("plan", hubName, "asking the hub who is connected")()
	ctx, cancel := bounded(ctx, stateTimeout)
	defer cancel()
	var n Connected
	var both errgroup.Group
	both.Go(func() error { w.askUsers(ctx, h, &n); return nil })
	both.Go(func() error {
		c, err := w.clients.get(h.Cluster)
		if err == nil {
			n.Dask, err = deploy.DaskIn(ctx, c, h.Namespace)
		}
		if err != nil {
			n.DaskProblem = because(ctx, err).Error()
		}
		return nil
	})
	_ = both.Wait()
	return n
}

// askUsers asks the hub for its users, and their servers for kernels.
func (w *Workspace) askUsers(ctx context.Context, h config.Hub, n *Connected) {
	c, err := w.clients.get(h.Cluster)
	var api *hub.Client
	var users []hub.User
	if err == nil {
		var token string
		if token, err = hub.Token(ctx, c, h.Namespace, h.APITokenFrom); err == nil {
			api = hub.New(h.URL, token)
			users, err = api.Users(ctx)
		}
	}
	if err != nil {
		n.Problem = because(ctx, err).Error()
		n.KernelsProblem = "the hub could not be asked"
		return
	}
	var ready []hub.Server
	for _, u := range users {
		if len(u.Servers) == 0 || strings.HasPrefix(u.Name, hub.ProbePrefix) {
			continue
		}
		n.Users++
		for _, s := range u.Servers {
			n.Servers++
			if w.opts.Now().Sub(s.LastActivity) < lately {
				n.Active++
			}
			if s.Ready {
				ready = append(ready, s)
			}
		}
	}
	n.Kernels, n.KernelsProblem = kernelsOf(ctx, ready, api.Kernels)
}

// kernelsOf counts the kernels of servers, and says why the number is not whole. The
// first refusal for want of rights ends the asking: all would be refused.
func kernelsOf(ctx context.Context, servers []hub.Server, ask func(context.Context, hub.Server) (int, error)) (int, string) {
	left := len(servers) - maxServers
	if left > 0 {
		servers = servers[:maxServers]
	}
	counts, errs := make([]int, len(servers)), make([]error, len(servers))
	one := func(ctx context.Context, i int) {
		ctx, cancel := bounded(ctx, kernelTime)
		defer cancel()
		counts[i], errs[i] = ask(ctx, servers[i])
	}
	if len(servers) > 0 {
		if one(ctx, 0); errors.Is(errs[0], hub.ErrNoAccess) {
			return 0, hub.ErrNoAccess.Error() + " (scope access:servers)"
		}
	}
	var all errgroup.Group
	all.SetLimit(atOnce)
	for i := 1; i < len(servers); i++ {
		all.Go(func() error { one(ctx, i); return nil })
	}
	_ = all.Wait()
	sum, failed := 0, 0
	for i, n := range counts {
		sum += n
		if errs[i] != nil {
			failed++
		}
	}
	switch {
	case failed > 0:
		return sum, fmt.Sprintf("%d of %d servers could not be asked", failed+max(left, 0), len(servers)+max(left, 0))
	case left > 0:
		return sum, fmt.Sprintf("%d servers were not asked", left)
	}
	return sum, ""
}
