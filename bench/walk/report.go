package main

import (
	"fmt"

	"gauntlet/bench/rig"
)

// report is the whole of RESULTS.md.
func report(m rig.Machine, rounds int, rows []*rig.Row, f facts) string {
	return fmt.Sprintf(`# Side by side with what people use today

Made by %[1]s; it is written over by

    make demo     # once: the lab and the images
    make bench    # or bench/run walk -n ROUNDS

The machine: %[2]d cores, %[3]s of memory, %[4]s; load average %[5]s
before it began and %[15]s when all was measured. Three Kubernetes clusters, the
registry and the builder run on the same cores. The peers are helm %[6]s and buildctl. Medians of %[7]d rounds (least–most); both sides run in turn in
every round, and the ratio is the median of the rounds' own ratios: below 1, gauntlet is
faster.

%[8]s
## What to know when reading it

- Chart, values, images and node are the same on both sides. Helm's times are those of its
  whole command. So are gauntlet's, but in row 1: there it is the step `+"`deploy`"+` of a
  `+"`gauntlet run`"+`, with the hub's lock, the waiting and the signed record of it. Row 2 is the
  whole run: before the step it makes the release, dry-runs every hub and asks the gate;
  after it, a probe user starts a server through the hub, runs code in it and leaves. The
  peer has none of that, and does not say whether anybody can work on the hub. Both apply
  through the same Helm library, so row 1 can be little more than a tie.
- Row 3: with nothing changed gauntlet made %[9]d revisions in %[7]d rounds and helm %[10]d.
  Gauntlet reads the whole ledger, verifies every signature and asks the gate each time.
- Row 4: helm's time is the timeout it was given, here 60 s; by default it is 5 minutes.
  Gauntlet's error named the image in %[11]d of %[7]d rounds, helm's output in %[12]d. Gauntlet:

%[13]s

  and helm:

%[14]s

  Neither rolls back: the hub stays down until somebody mends it, and whom helm told
  nothing goes on with kubectl describe and kubectl get events.
- Row 5: gauntlet finds in the ledger that these sources are built and tested, sees that
  the registry still holds the images, and asks BuildKit nothing. That buildctl has to look
  at every step again is not its fault: nobody keeps the verdict for it.
- Row 6 is the same work on both sides. Gauntlet also reads the ledger, exports the sources
  from the commit, so that nothing else gets in, and writes the worker's digest into the
  notebook; the images' test, which follows, is not measured. In both rows everything is
  warm: what is left are tenths of a second, which nobody waits for.
`, "`bench/run walk`", m.Cores, m.Memory, m.System, m.Before, f.helm, rounds, rig.Table(rows),
		f.gauntletMade, f.helmMade, f.gauntletNamed, f.helmSaid, rig.Quote(f.gauntletLine), rig.Quote(f.helmLine), m.After)
}
