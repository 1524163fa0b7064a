package pipeline

import (
	"strings"
	"testing"

	"gauntlet/internal/ledger"
)

func TestOneProposalIsMeant(t *testing.T) {
	one, two := digest("one"), digest("two")
	both := []ledger.Proposal{{Digest: one}, {Digest: two}}
	if p, err := findProposal(both, digest("policy"), one.Hex()[:8]); err != nil || p.Digest != one {
		t.Errorf("got %s, %v", p.Digest, err)
	}
	if p, err := findProposal(both, digest("policy"), string(two)); err != nil || p.Digest != two {
		t.Errorf("got %s, %v", p.Digest, err)
	}
	for _, ref := range []string{"", "sha256:", "ffff", one.Hex()[:3]} {
		if _, err := findProposal(both, digest("policy"), ref); err == nil || !strings.Contains(err.Error(), one.Short()+", "+two.Short()) {
			t.Errorf("%q: got %v", ref, err)
		}
	}
	if _, err := findProposal(nil, digest("policy"), one.Hex()); err == nil || !strings.Contains(err.Error(), "gauntlet policy propose") {
		t.Errorf("got %v", err)
	}
}
