package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"
)

// FreezeNode stops the kubelet of a spare or simulated node without ending it: the
// node is called Ready for another 40 to 50 seconds while its lease goes stale,
// and pods bound to it neither start nor end.
func FreezeNode(ctx context.Context, cluster, node string) error {
	return setFrozen(ctx, cluster, node, true)
}

// ThawNode lets a frozen node go on.
func ThawNode(ctx context.Context, cluster, node string) error {
	return setFrozen(ctx, cluster, node, false)
}

func setFrozen(ctx context.Context, cluster, node string, frozen bool) error {
	c, err := clusterNamed(cluster)
	if err != nil {
		return err
	}
	if _, ok := c.spare(node); ok {
		signal := syscall.SIGCONT
		if frozen {
			signal = syscall.SIGSTOP
		}
		return c.signalDaemon(node, "kubelet", signal)
	}
	return withClient(cluster, func(client *apiClient) error {
		nodes, err := client.nodes(ctx)
		if err != nil {
			return err
		}
		for _, n := range nodes {
			if n.name != node || !n.simulated {
				continue
			}
			var heart any = "simulated"
			if frozen {
				heart = nil // the simulator lets go of it
			}
			return client.patch(ctx, "/api/v1/nodes/"+node, map[string]any{
				"metadata": map[string]any{"labels": map[string]any{heartbeatKey: heart}}})
		}
		return fmt.Errorf("%s has no spare or simulated node %s; the lab's own nodes are everybody's and are not frozen", cluster, node)
	})
}

// RestartAPIServer kills a cluster's API server, which then is started again, and
// returns when it is ready.
func RestartAPIServer(ctx context.Context, out io.Writer, cluster string) error {
	c, err := clusterNamed(cluster)
	if err != nil {
		return err
	}
	before, err := c.daemon(c.Name, "kube-apiserver")
	if err != nil {
		return err
	}
	began := time.Now()
	if err := c.signalDaemon(c.Name, "kube-apiserver", syscall.SIGKILL); err != nil {
		return err
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	defer client.http.CloseIdleConnections()
	err = until(ctx, recoveryLimit, func() error {
		now, err := c.daemon(c.Name, "kube-apiserver")
		if err != nil {
			return err
		}
		if now == before {
			return errors.New("the killed API server is still there")
		}
		return client.get(ctx, "/readyz", nil)
	})
	if err != nil {
		return fmt.Errorf("wait for the API server of %s: %w", cluster, err)
	}
	newProgress(out).say("%s: the API server is ready again after %.1f s", cluster, time.Since(began).Seconds())
	return nil
}

func (c Cluster) signalDaemon(unit, daemon string, signal syscall.Signal) error {
	pid, err := c.daemon(unit, daemon)
	if err != nil {
		return err
	}
	if err := syscall.Kill(pid, signal); err != nil {
		return fmt.Errorf("signal the %s of %s: %w", daemon, unit, err)
	}
	return nil
}

// daemon is the process of a daemon of a unit.
func (c Cluster) daemon(unit, name string) (pid int, err error) {
	u, ok, err := c.running(unit)
	if err != nil {
		return 0, err
	}
	if !ok {
		return 0, fmt.Errorf("%s does not run", unit)
	}
	children, err := processChildren()
	if err != nil {
		return 0, err
	}
	for _, child := range children[u.pid] {
		cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", child)) // it may just have ended
		if strings.HasPrefix(string(cmdline), program(name)+"\x00") {
			return child, nil
		}
	}
	return 0, fmt.Errorf("%s runs no %s at the moment", unit, name)
}
