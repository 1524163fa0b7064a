package main

import (
	"fmt"
	"strings"

	"gauntlet/bench/rig"
)

// report is the whole of RESULTS.md.
func (b *bench) report(m rig.Machine, helm string) string {
	var t strings.Builder
	waited := b.upgrades.waited
	var more []float64
	for i := range waited.Gauntlet {
		more = append(more, waited.Gauntlet[i]-waited.Other[i])
	}
	fmt.Fprintf(&t, `# Deploying, side by side with helm

Made by %[1]s; it is written over by

    make demo     # once: the lab and the images
    make bench    # or bench/run deploy -n ROUNDS

The machine: %[2]d cores, %[3]s of memory, %[4]s; load average %[5]s
before it began and %[6]s when all was measured. Three Kubernetes clusters, the
registry and the builder run on the same cores, and %[7]d simulated nodes (objects
that a program plays the kubelet for) are beside the real ones. The peer is helm %[8]s.

## A healthy upgrade

A changed value that restarts the hub; every image is on its node on both sides. Medians
of %[9]d pairs (least–most), run in turn; the ratio is the median of the pairs' own.

%[10]s
Gauntlet minus helm in the first row, pair by pair: %[11]s. The bar is at most 1 s.
`, "`bench/run deploy`", m.Cores, m.Memory, m.System, m.Before, m.After, besideNodes, helm, b.Rounds,
		rig.Table([]*rig.Row{&b.upgrades.waited, &b.upgrades.whole}), rig.Spread(more, " s"))

	w := b.watch
	fmt.Fprintf(&t, `
## Watching a pre-pull over %[1]d simulated nodes

| | |
|---|---|
| nodes that came to have the images | %[1]d |
| the whole command | %.1[2]f s |
| most memory of gauntlet (resident) | %.0[3]f MiB; %.0[4]f MiB when it only prints the status |
| requests to the API server | %[5]d in %.1[6]f s, %.1[7]f a second (%[8]s) |
`, w.nodes, w.took.Seconds(), float64(w.memory)/(1<<20), float64(w.idle)/(1<<20), w.requests(), w.over.Seconds(),
		float64(w.requests())/max(w.over.Seconds(), 1), w.text())

	if len(b.drills) == 0 {
		t.WriteString("\nThe drills were left out of this run.\n")
		return t.String()
	}
	t.WriteString("\n## Every drill\n\nSeconds of gauntlet count from when the API first showed the cause, those of helm from its\nstart (`helm upgrade --install --wait --rollback-on-failure --timeout 120s`).\n\n")
	t.WriteString(drillsTable(b.drills))
	if b.drillsFailed {
		t.WriteString("\nSome drill did not hold in this run: `make drills` says which.\n")
	}
	return t.String()
}
