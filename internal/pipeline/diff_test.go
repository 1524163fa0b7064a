package pipeline

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAnImageIsComparedWithItsLikeOrWithAnyOther(t *testing.T) {
	set := func() *side {
		return &side{called: "v1", refs: map[string]string{"notebook": "n1", "worker": "w1"}}
	}
	one := func(name, ref string) *side {
		return &side{called: ref, refs: map[string]string{name: ref}, image: name}
	}
	type refs = map[string]string
	for name, c := range map[string]struct {
		a, b         *side
		wantA, wantB refs
	}{
		"two sets":             {set(), set(), refs{"notebook": "n1", "worker": "w1"}, refs{"notebook": "n1", "worker": "w1"}},
		"a set and an image":   {set(), one("worker", "w2"), refs{"worker": "w1"}, refs{"worker": "w2"}},
		"an image and a set":   {one("worker", "w2"), set(), refs{"worker": "w2"}, refs{"worker": "w1"}},
		"two of one name":      {one("worker", "w1"), one("worker", "w2"), refs{"worker": "w1"}, refs{"worker": "w2"}},
		"two of another names": {one("notebook", "n"), one("worker", "w"), refs{"notebook → worker": "n"}, refs{"notebook → worker": "w"}},
	} {
		if err := alike(c.a, c.b); err != nil || !cmp.Equal(c.a.refs, c.wantA) || !cmp.Equal(c.b.refs, c.wantB) {
			t.Errorf("%s: %v, %v, %v", name, c.a.refs, c.b.refs, err)
		}
	}
	if err := alike(set(), one("octave", "o")); err == nil {
		t.Error("an image that the set does not have was compared")
	}
}
