package suites

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"gauntlet/internal/check"
	"gauntlet/internal/evidence"
	"gauntlet/internal/kube"
)

// NodesName is the suite that follows nodes, ScalingName the one that brings them.
const (
	NodesName   = evidence.NodesSuite
	ScalingName = "scaling"
)

// nodesForm says what the suite does; it changes when that changes.
const nodesForm = "nodes v1"

// A NodeWatch is what the suite "nodes" follows: everything that it must know after a
// restart, which the ledger holds.
type NodeWatch struct {
	Ran   bool            // the suite scaling has run on what the hub runs
	Nodes []evidence.Node // that came for it
	Since time.Time       // its end: from then on nobody needs them
	Warn  time.Duration
	Fail  time.Duration
}

// Nodes is the suite "nodes": the nodes that came for the workers of the suite "scaling"
// are taken away again. It looks once and does not wait: while a node is there and its
// time is not over, the suite is pending.
func Nodes(t HubTarget) check.Suite {
	w := t.Watch
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%s", nodesForm, w.Warn, w.Fail))
	return check.Suite{Name: NodesName, Digest: hex.EncodeToString(sum[:]), Checks: []check.Check{
		{Name: "nodes that came for workers are gone", Timeout: 2 * time.Minute, Run: func(ctx context.Context) (string, error) {
			return w.look(ctx, t.Client)
		}},
	}}
}

// look says which nodes are gone, and why the others stay.
func (w NodeWatch) look(ctx context.Context, c *kube.Client) (string, error) {
	if !w.Ran {
		return "", errors.New("the suite scaling has not run on what the hub runs, so no nodes are known to follow: the policy must ask for scaling before nodes")
	}
	if len(w.Nodes) == 0 {
		return "", check.Warning{Message: "no node came for workers, so none has to go: whether nodes spin down here is not known"}
	}
	now, err := c.ServerTime(ctx)
	if err != nil {
		return "", err
	}
	var stay []string
	for _, n := range w.Nodes {
		node, err := c.CoreV1().Nodes().Get(ctx, n.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) || err == nil && string(node.UID) != n.UID {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("read node %s: %w", n.Name, err)
		}
		why, err := c.WhyNodeStays(ctx, n.Name, now)
		switch {
		case apierrors.IsNotFound(err):
			continue
		case err != nil:
			why = []string{"why is not known: " + err.Error()}
		case len(why) == 0:
			why = []string{"nothing is seen that would keep it"}
		}
		stay = append(stay, n.Name+": "+strings.Join(why, ", "))
	}
	return w.verdict(len(w.Nodes)-len(stay), stay, now.Sub(w.Since))
}

// verdict judges by how long ago the suite scaling has ended.
func (w NodeWatch) verdict(gone int, stay []string, age time.Duration) (string, error) {
	age = age.Round(time.Second)
	said := kube.OneLine(strings.Join(stay, "; "))
	switch late := age > w.Warn; {
	case len(stay) == 0 && late:
		return "", check.Warning{Message: fmt.Sprintf("%s found gone only after %s (expected by %s)", plural(gone, "node"), age, w.Warn)}
	case len(stay) == 0:
		return fmt.Sprintf("%s gone, within %s", plural(gone, "node"), age), nil
	case age > w.Fail:
		return "", fmt.Errorf("%s there %s after the last worker: %s", plural(len(stay), "node")+" still", age, said)
	case late:
		return "", check.Pending{Message: fmt.Sprintf("warning: %s there after %s, and must go within %s: %s", plural(len(stay), "node")+" still", age, w.Fail, said)}
	}
	return "", check.Pending{Message: fmt.Sprintf("%s there after %s: %s", plural(len(stay), "node")+" still", age, said)}
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
