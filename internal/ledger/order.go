package ledger

import (
	"cmp"
	"container/heap"
	"maps"
	"slices"

	"gauntlet/internal/evidence"
	"gauntlet/internal/release"
)

// causal orders records so that each comes after those it names; where that leaves
// a choice, by the signers' times, then by id. So two readers of the same ledger
// see the same order.
func causal(records []evidence.Record) []evidence.Record {
	byID := map[release.Digest]evidence.Record{}
	for _, r := range records {
		byID[r.ID] = r
	}
	waits := map[release.Digest]int{}
	followers := map[release.Digest][]release.Digest{}
	var ready queue
	for _, r := range byID {
		for _, h := range unique(r.Heads) {
			if _, ok := byID[h]; ok {
				waits[r.ID]++
				followers[h] = append(followers[h], r.ID)
			}
		}
		if waits[r.ID] == 0 {
			ready = append(ready, r)
		}
	}
	heap.Init(&ready)
	var out []evidence.Record
	for len(ready) > 0 {
		r := heap.Pop(&ready).(evidence.Record)
		out = append(out, r)
		for _, f := range followers[r.ID] {
			if waits[f]--; waits[f] == 0 {
				heap.Push(&ready, byID[f])
			}
		}
	}
	// Naming an id before it exists would take a preimage of sha256, so no records
	// wait for each other in a circle and all are in out.
	return out
}

// heads are the ids that no record names, sorted.
func heads(records []evidence.Record) []release.Digest {
	open := map[release.Digest]bool{}
	for _, r := range records {
		open[r.ID] = true
	}
	for _, r := range records {
		for _, h := range r.Heads {
			delete(open, h)
		}
	}
	return slices.Sorted(maps.Keys(open))
}

func unique(ids []release.Digest) []release.Digest {
	return slices.Compact(slices.Sorted(slices.Values(ids)))
}

type queue []evidence.Record

func (q queue) Len() int      { return len(q) }
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(evidence.Record)) }
func (q queue) Less(i, j int) bool {
	return cmp.Or(q[i].Time.Compare(q[j].Time), cmp.Compare(q[i].ID, q[j].ID)) < 0
}

func (q *queue) Pop() any {
	old := *q
	last := old[len(old)-1]
	*q = old[:len(old)-1]
	return last
}
