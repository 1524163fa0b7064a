package deploy

import (
	"context"
	"maps"
	"slices"
	"time"

	"gauntlet/internal/kube"
)

// nodeMemory keeps what was asked of nodes, so that a wait asks little.
type nodeMemory struct {
	client  *kube.Client
	facts   map[string]kube.NodeFacts
	cluster *kube.ClusterFacts
	asked   time.Time // for single nodes
	listed  time.Time // all of them
}

const (
	askNodesEvery = 3 * time.Second  // a lease that goes stale is told soon
	listEvery     = 15 * time.Second // all nodes
	mostNodes     = 20               // asked at a time
	nodeTime      = 2 * time.Second  // for one round of questions
)

// due says whether nodes may be asked again.
func (m *nodeMemory) due() bool { return time.Since(m.asked) >= askNodesEvery }

// ask reads the nodes that are wanted, when it is time to, and says whether it knows
// anything new. now is the time by the API server. What cannot be read is left out: it is only for the words.
func (m *nodeMemory) ask(ctx context.Context, names map[string]bool, all bool, now time.Time) bool {
	delete(names, "")
	news := false
	ctx, cancel := context.WithTimeout(ctx, nodeTime)
	defer cancel()
	if len(names) > 0 && m.due() {
		m.asked = time.Now()
		facts := map[string]kube.NodeFacts{}
		for i, name := range slices.Sorted(maps.Keys(names)) {
			if i == mostNodes {
				break
			}
			if f, err := m.client.AskNode(ctx, name, now); err == nil {
				facts[name], news = f, true
			}
		}
		m.facts = facts
	}
	if all && time.Since(m.listed) >= listEvery {
		m.listed = time.Now()
		if c, err := m.client.AskCluster(ctx); err == nil {
			m.cluster, news = c, true
		}
	}
	return news
}
