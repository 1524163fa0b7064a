package main

import (
	"fmt"

	"gauntlet/bench/rig"
)

// goals are what the ratios should be at most, row by row; of the last row seconds.
var goals = []string{"0.7", "0.5", "2 s"}

// report is the whole of RESULTS.md.
func report(m rig.Machine, rounds int, rows []*rig.Row, checks int) string {
	held := ""
	for i, r := range rows {
		got := fmt.Sprintf("%.2f of the runbook's time", rig.Median(r.Ratios()))
		if i == len(rows)-1 {
			got = fmt.Sprintf("%.2f s", rig.Median(r.Gauntlet))
		}
		held += fmt.Sprintf("- Row %d: at most %s wanted, %s measured.\n", i+1, goals[i], got)
	}
	return fmt.Sprintf(`# From a commit to the verdict on a pair

Made by %[1]s; it is written over by

    make demo     # once: the lab and the images
    bench/run pairing -n ROUNDS

The machine: %[2]d cores, %[3]s of memory, %[4]s; load average %[5]s before it began
and %[6]s when all was measured. Three Kubernetes clusters, the registry and the builder
run on the same cores. Medians of %[7]d rounds (least–most); both sides run in turn in
every round, and the ratio is the median of the rounds' own ratios: below 1, gauntlet is
faster.

%[8]s
%[9]s
## What to know when reading it

- Gauntlet's time is that of the whole command `+"`gauntlet build`"+`: it builds both images,
  writes the worker's digest into the notebook, tests both images and the pair side by side
  (%[10]d checks), records both verdicts and cleans up. The runbook's way makes 2 checks, and
  its cleaning up is not counted.
- Both sides build with the same options on the same builder and push to the same registry.
  What a round changes differs from side to side, so that neither builds what the other has
  built. Packages come from the builder's cache mounts on both sides: no network is measured.
- Row 3: gauntlet finds in the ledger that these sources are built, tested and paired, and
  sees that the registry still holds the images.
`, "`bench/run pairing`", m.Cores, m.Memory, m.System, m.Before, m.After, rounds, rig.Table(rows), held, checks)
}
