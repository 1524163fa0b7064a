package ledger

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gauntlet/internal/evidence"
	"gauntlet/internal/release"
)

func TestWhatIsAppendedIsRead(t *testing.T) {
	onStores(t, func(t *testing.T, s Store) {
		p := newPlatform(t, s, 1)
		d := p.put(artifact("R"))
		first := p.read()
		if len(first.Records) != 1 || len(first.Records[0].Heads) != 0 {
			t.Errorf("the first statement names nothing: %+v", first.Records)
		}
		var want []evidence.Record
		want = append(want, first.Records...)
		for i := range 4 {
			want = append(want, p.veto("ada", d, fmt.Sprint(i)))
		}
		v := p.read()
		if diff := cmp.Diff(want, v.Records); diff != "" {
			t.Errorf("records (-want +got):\n%s", diff)
		}
		for i := 1; i < len(v.Records); i++ {
			if !slices.Equal(v.Records[i].Heads, []release.Digest{v.Records[i-1].ID}) {
				t.Errorf("record %d names %v, want the one before", i, v.Records[i].Heads)
			}
		}
		if !slices.Equal(v.Heads, []release.Digest{want[4].ID}) {
			t.Errorf("heads %v", v.Heads)
		}
		if len(v.Rejected) != 0 || len(v.Missing(v.Heads)) != 0 || v.PolicyDigest != p.pinned {
			t.Errorf("rejected %v, missing %v, policy %s", v.Rejected, v.Missing(v.Heads), v.PolicyDigest)
		}
		got, err := evidence.Decode[evidence.Veto](v.Records[4])
		if err != nil || got.Reason != "3" {
			t.Errorf("reads %+v, %v", got, err)
		}
		if a, err := p.Artifact(t.Context(), d); err != nil || a.Digest() != d {
			t.Errorf("artifact: %v", err)
		}
	})
}

func TestConcurrentWritersLoseNothing(t *testing.T) {
	const writers, each = 20, 1
	onStores(t, func(t *testing.T, s Store) {
		p := newPlatform(t, s, 1)
		d := p.put(artifact("R"))
		p.read()
		var (
			wg  sync.WaitGroup
			mu  sync.Mutex
			ids []release.Digest
		)
		for w := range writers {
			wg.Go(func() {
				l := Open(s) // a machine of its own
				for i := range each {
					if _, err := l.Read(t.Context(), p.pinned); err != nil {
						t.Errorf("writer %d: %v", w, err)
						return
					}
					r, err := l.Append(t.Context(), p.keys["ada"], vetoOf(d, fmt.Sprint(w, "/", i)))
					if err != nil {
						t.Errorf("writer %d: %v", w, err)
						return
					}
					mu.Lock()
					ids = append(ids, r.ID)
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		v := p.read()
		for _, id := range ids {
			if !slices.Contains(recordIDs(v), id) {
				t.Errorf("statement %s is lost", id.Short())
			}
		}
		if len(v.Records) != 1+writers*each || len(v.Rejected) != 0 {
			t.Errorf("%d records, %d rejected, want %d and none", len(v.Records), len(v.Rejected), 1+writers*each)
		}
		if m := v.Missing(ids); len(m) != 0 {
			t.Errorf("missing %v", m)
		}
		at := map[release.Digest]int{}
		for i, r := range v.Records {
			at[r.ID] = i
			for _, h := range r.Heads {
				if j, ok := at[h]; !ok || j >= i {
					t.Errorf("record %d comes before one it names", i)
				}
			}
		}
		for range 3 {
			if diff := cmp.Diff(recordIDs(v), recordIDs(p.read())); diff != "" {
				t.Errorf("another reader sees another order:\n%s", diff)
			}
		}
	})
}

func TestSubjectMustBeInTheLedger(t *testing.T) {
	onStores(t, func(t *testing.T, s Store) {
		p := newPlatform(t, s, 1)
		_, err := p.Append(t.Context(), p.keys["ada"], vetoOf(artifact("nowhere").Digest(), "why"))
		if err == nil || !strings.Contains(err.Error(), "does not hold") {
			t.Errorf("a statement about nothing: %v", err)
		}
	})
}

func TestBadStatementsAreNotSigned(t *testing.T) {
	p := newPlatform(t, NewMemoryForTests(), 1)
	d := p.put(artifact("R"))
	sub := []evidence.Subject{{Kind: evidence.Release, Digest: d}}
	for name, s := range map[string]Statement{
		"no subject":      {Type: evidence.VetoType, Predicate: evidence.Veto{}},
		"no type":         {Subjects: sub, Predicate: evidence.Veto{}},
		"no predicate":    {Type: evidence.VetoType, Subjects: sub},
		"no object":       {Type: evidence.VetoType, Subjects: sub, Predicate: "veto"},
		"a bad digest":    {Type: evidence.VetoType, Subjects: []evidence.Subject{{Kind: evidence.Release, Digest: "sha256:12"}}, Predicate: evidence.Veto{}},
		"an empty digest": {Type: evidence.VetoType, Subjects: []evidence.Subject{{Kind: evidence.Release}}, Predicate: evidence.Veto{}},
		"no kind":         {Type: evidence.VetoType, Subjects: []evidence.Subject{{Digest: d}}, Predicate: evidence.Veto{}},
		"too long":        {Type: evidence.VetoType, Subjects: sub, Predicate: evidence.Veto{Reason: strings.Repeat("x", maxEnvelope)}},
	} {
		if _, err := p.Append(t.Context(), p.keys["ada"], s); err == nil {
			t.Errorf("%s: signed", name)
		}
	}
}

func TestUnknownKeyCountsForNothing(t *testing.T) {
	p := newPlatform(t, NewMemoryForTests(), 1)
	d := p.put(artifact("R"))
	r := p.veto("mallory", d, "forged")
	v := p.read()
	if slices.Contains(recordIDs(v), r.ID) || slices.Contains(v.Heads, r.ID) {
		t.Error("a statement by an unknown key counts")
	}
	got := rejected(v)[r.ID]
	if !strings.Contains(got.Reason, "unknown key") || got.Type != evidence.VetoType || !got.About(evidence.Release, d) || got.Signer != p.keys["mallory"].ID() {
		t.Errorf("rejected as %+v", got)
	}
}

func TestWithoutAPinnedPolicyNobodyIsTrusted(t *testing.T) {
	p := newPlatform(t, NewMemoryForTests(), 1)
	v, err := p.Read(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if len(v.Records) != 0 || len(v.Rejected) != 1 || v.PolicyDigest != "" {
		t.Errorf("%+v", v)
	}
	if _, err := p.Read(t.Context(), release.DigestOf([]byte("another"))); err == nil || !strings.Contains(err.Error(), "pinned policy") {
		t.Errorf("a pinned policy that is not there: %v", err)
	}
}

func TestDeletedStatementsAreMissed(t *testing.T) {
	m := NewMemoryForTests().(*memory)
	p := newPlatform(t, m, 1)
	d := p.put(artifact("R"))
	var all []release.Digest
	for i := range 3 {
		all = append(all, p.veto("ada", d, fmt.Sprint(i)).ID)
	}
	anchored := p.read().Heads
	// One that another names is missed without any anchor.
	delete(m.items, all[1])
	if got := p.read().Missing(nil); !slices.Equal(got, all[1:2]) {
		t.Errorf("missing %v, want %v", got, all[1:2])
	}
	// The last one is missed by who has anchored it.
	delete(m.items, all[2])
	if got := p.read().Missing(nil); len(got) != 0 {
		t.Errorf("missing %v, which nothing names", got)
	}
	if got := p.read().Missing(anchored); !slices.Equal(got, all[2:]) {
		t.Errorf("missing %v, want %v", got, all[2:])
	}
}

// A writer names what it saw; a list read page by page may hold the one and not yet
// the other.
func TestStatementsThatTheListLacksAreFetchedByName(t *testing.T) {
	p := newPlatform(t, NewMemoryForTests(), 1)
	d := p.put(artifact("R"))
	a, b := p.veto("ada", d, "a"), p.veto("ada", d, "b")
	v, err := Open(hiding{p.store, a.ID}).Read(t.Context(), p.pinned)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(recordIDs(v)[1:], []release.Digest{a.ID, b.ID}) || len(v.Missing(nil)) != 0 {
		t.Errorf("records %v, missing %v", recordIDs(v), v.Missing(nil))
	}
}

func TestCausesComeBeforeEffects(t *testing.T) {
	p := newPlatform(t, NewMemoryForTests(), 1)
	d := p.put(artifact("R"))
	first := p.read().Heads
	// b names a, although its writer's clock says that it is older.
	a := p.sealed("ada", vetoOf(d, "a"), first...)
	late, err := seal(t.Context(), p.keys["grace"], vetoOf(d, "b"), meta{Time: p.now().AddDate(-1, 0, 0), Heads: []release.Digest{a.ID}})
	if err != nil {
		t.Fatal(err)
	}
	for _, it := range []Item{late, a} {
		if err := p.store.Append(t.Context(), it); err != nil {
			t.Fatal(err)
		}
	}
	if got := recordIDs(p.read())[1:]; !slices.Equal(got, []release.Digest{a.ID, late.ID}) {
		t.Errorf("order %v, want %v", got, []release.Digest{a.ID, late.ID})
	}
}

// One that counts for nothing is not named: nobody must miss it when it goes.
func TestWritersNameWhatTheySaw(t *testing.T) {
	p := newPlatform(t, NewMemoryForTests(), 1)
	d := p.put(artifact("R"))
	first := p.read().Heads
	other := Open(p.store)
	if _, err := other.Read(t.Context(), p.pinned); err != nil {
		t.Fatal(err)
	}
	a := p.veto("ada", d, "a")
	b, err := other.Append(t.Context(), p.keys["grace"], vetoOf(d, "b"))
	if err != nil {
		t.Fatal(err)
	}
	c := p.veto("mallory", d, "c")
	e := p.veto("ada", d, "e")
	for _, r := range []struct {
		name string
		got  evidence.Record
		want []release.Digest
	}{{"a", a, first}, {"b", b, first}, {"c", c, []release.Digest{a.ID}}, {"e", e, []release.Digest{a.ID}}} {
		if !slices.Equal(r.got.Heads, r.want) {
			t.Errorf("%s names %v, want %v", r.name, r.got.Heads, r.want)
		}
	}
	p.read()
	both := []release.Digest{b.ID, e.ID}
	slices.Sort(both)
	if f := p.veto("ada", d, "f"); !slices.Equal(f.Heads, both) {
		t.Errorf("after reading again: names %v, want %v", f.Heads, both)
	}
}
