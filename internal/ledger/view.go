package ledger

import (
	"slices"

	"gauntlet/internal/config"
	"gauntlet/internal/evidence"
	"gauntlet/internal/gate"
	"gauntlet/internal/release"
)

// A View is the ledger as it was at one moment, every statement judged by the
// policy in force.
type View struct {
	Records  []evidence.Record // verified: causes before effects, then by time, then by id
	Rejected []gate.Rejected   // by id; they count as absent
	Heads    []release.Digest  // ids of records that no other record names, sorted

	Policy       config.Policy  // in force; empty when no policy was pinned
	PolicyDigest release.Digest // "" when no policy was pinned
	Proposals    []Proposal     // policies proposed to follow it, not accepted yet

	whole map[release.Digest]bool // ids of what is there, well-formed and unaltered, whoever signed it
	named map[release.Digest]bool // ids that verified records name as heads
}

// Missing is what somebody has seen in the ledger and what is not there any more:
// ids out of anchored (the heads a deployer once judged by) and of those that
// verified statements name. A statement that was altered in place is missing too.
// Only whoever may push to the ledger's repository can have taken it away, so a
// gate denies until it is back.
func (v View) Missing(anchored []release.Digest) []release.Digest {
	var missing []release.Digest
	for _, id := range anchored {
		if !v.whole[id] {
			missing = append(missing, id)
		}
	}
	for id := range v.named {
		if !v.whole[id] {
			missing = append(missing, id)
		}
	}
	slices.Sort(missing)
	return slices.Compact(missing)
}
