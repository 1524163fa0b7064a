package gate

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gauntlet/internal/evidence"
)

// Ready is somebody's word that a release is ready for the board.
type Ready struct {
	Who   string    `json:"who"`
	Since time.Time `json:"since"`
	Known []string  `json:"known"` // problems that are known of it
}

// ReadyBy is who says that the release is ready, and what they know of it: the newest
// word of each person of the policy, in the ledger's order. No gate asks for it.
func ReadyBy(in Input) []Ready { return gather(in).readyBy() }

func (f *facts) readyBy() []Ready {
	out := []Ready{}
	for _, r := range slices.Backward(f.ready) {
		if r.who == "" || !r.About(evidence.Release, f.ID) || slices.ContainsFunc(out, func(o Ready) bool { return o.Who == r.who }) {
			continue
		}
		out = append(out, Ready{Who: r.who, Since: r.Time, Known: append([]string{}, r.what.Known...)})
	}
	slices.Reverse(out)
	return out
}

// readyWords tells the board, in one line, what it is asked to approve.
func (f *facts) readyWords() string {
	var words []string
	for _, r := range f.readyBy() {
		switch len(r.Known) {
		case 0:
			words = append(words, fmt.Sprintf("%s says that it is ready and knows of no problem", r.Who))
		default:
			words = append(words, fmt.Sprintf("%s says that it is ready, with known problems: %s", r.Who, strings.Join(r.Known, "; ")))
		}
	}
	return strings.Join(words, "; ")
}
