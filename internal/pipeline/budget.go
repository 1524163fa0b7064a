package pipeline

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gauntlet/internal/check/suites"
	"gauntlet/internal/config"
	"gauntlet/internal/evidence"
)

// withinBudget refuses suites of a tier that may cost a hub more than the policy allows.
func (w *Workspace) withinBudget(t config.Tier) error {
	spawns, nodes := 0, 0
	var names []string
	for _, name := range t.Suites {
		s, n, err := w.costs(name)
		if err != nil {
			return err
		}
		spawns, nodes = spawns+s, max(nodes, n)
		names = append(names, fmt.Sprintf("%s %s", name, costWords(s, n)))
	}
	switch {
	case spawns > t.Budget.Spawns:
		return fmt.Errorf("the suites of tier %s start %s on a hub (%s), and its budget is %d: ask for fewer suites, or write budget: {spawns: %d} into the tier",
			t.Name, count(spawns, "server", "servers"), strings.Join(names, "; "), t.Budget.Spawns, spawns)
	case nodes > t.Budget.Nodes:
		return fmt.Errorf("the suites of tier %s may add %s to a cluster (%s), and its budget is %d: ask for fewer suites, or write budget: {nodes: %d} into the tier",
			t.Name, count(nodes, "node", "nodes"), strings.Join(names, "; "), t.Budget.Nodes, nodes)
	}
	return nil
}

// costs are what a suite costs a hub: servers that it starts, nodes that it may add.
func (w *Workspace) costs(name string) (spawns, nodes int, err error) {
	if m, ok := suites.Named(name); ok {
		spawns, nodes = m(suites.HubTarget{Storage: w.Platform.Storage}).Cost()
		return spawns, nodes, nil
	}
	if _, ok := w.Platform.Suites[name]; !ok {
		return 0, 0, inputf("there is no suite %q: the suites are %s", name, strings.Join(w.SuiteNames(), ", "))
	}
	return 1, 0, nil // as all that probe a hub with a user of their own
}

// costWords are costs for people.
func costWords(spawns, nodes int) string {
	switch {
	case nodes > 0:
		return fmt.Sprintf("starts %s and may add %s", count(spawns, "server", "servers"), count(nodes, "node", "nodes"))
	case spawns > 0:
		return "starts " + count(spawns, "server", "servers")
	}
	return "reads"
}

// estimate tells before suites run what they cost, and how long each took on the hub the
// last time.
func (w *Workspace) estimate(s *sight, t config.Tier, hubName string) {
	var words []string
	for _, name := range t.Suites {
		spawns, nodes, err := w.costs(name)
		if err != nil {
			return // told when the policy was read
		}
		said := fmt.Sprintf("%s %s", name, costWords(spawns, nodes))
		if d := s.lastTook(name, hubName); d > 0 {
			said += fmt.Sprintf(", about %s", d.Round(time.Second))
		}
		words = append(words, said)
	}
	w.tell("suites", hubName, Progress, "", fmt.Sprintf("%s; at most %s in all", strings.Join(words, "; "), t.Budget.Time))
}

// lastTook is how long a suite took on a hub the last time, 0 when it never ran there.
func (s *sight) lastTook(suite, hubName string) time.Duration {
	for _, r := range slices.Backward(s.view.Records) {
		if r.Type != evidence.TestResultType {
			continue
		}
		if t, err := evidence.Decode[evidence.TestResult](r); err == nil && t.Suite == suite && t.Hub == hubName {
			return t.Finished.Sub(t.Started)
		}
	}
	return 0
}
