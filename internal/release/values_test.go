package release

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
)

func TestParsePath(t *testing.T) {
	for in, want := range map[string]Path{
		"a":                                {"a"},
		"a.b.c":                            {"a", "b", "c"},
		`a.b\.c`:                           {"a", "b.c"},
		`nodeSelector.kubernetes\.io/name`: {"nodeSelector", "kubernetes.io/name"},
		`a\\.b`:                            {`a\`, "b"},
		`a\[0]`:                            {"a[0]"},
	} {
		got, err := ParsePath(in)
		if err != nil || !cmp.Equal(got, want) {
			t.Errorf("ParsePath(%q) = %q, %v; want %q", in, got, err, want)
		}
		if got.String() != in {
			t.Errorf("String of %q = %q", in, got.String())
		}
	}
	for _, in := range []string{"", ".", "a.", ".a", "a..b", `a\`, "a[0].b"} {
		if got, err := ParsePath(in); err == nil {
			t.Errorf("ParsePath(%q) = %q, want an error", in, got)
		}
	}
}

// documents are read by both readers in TestParseValuesReadsWhatHelmReads and seed
// its fuzz test.
var documents = []string{
	"",
	"a: 1",
	"a: {b: 1}\na: {c: 2}\n",
	"storage: {capacity: 10Gi}\nother: 1\nstorage: {extra: x}\n",
	"a: yes\nb: on\nc: 'no'\nd: ~\ne: 0o7\nf: 017\ng: 1_000\n",
	"a: {b: 1}\n---\na: {c: 2}\n---\n",
	"---\n# nothing\n---\na: null\n",
	"x: &x {a: 1}\ny: {<<: *x, b: 2}\n",
	"1: a\ntrue: b\n1.5: c\n",
	"big: 9007199254740993\nexp: 1e3\n",
	"text: |\n  a\n  ---\n  b\n",
	"- a\n",
	"just text\n",
	"a: [1, {b: 2}, null]\n",
	"a: .inf\n",
	"a: 2020-01-02\nb: !!binary gIGC\n",
	"a:\n\tb: 1\n",
}

func TestParseValuesReadsWhatHelmReads(t *testing.T) {
	for _, doc := range documents {
		sameAsHelm(t, []byte(doc))
	}
}

func sameAsHelm(t *testing.T, doc []byte) {
	t.Helper()
	got, err := ParseValues("values.yaml", doc)
	want, helmErr := loader.LoadValues(bytes.NewReader(doc))
	if err != nil {
		// Stricter than Helm in one place only.
		if helmErr == nil && !strings.Contains(err.Error(), "quoted and unquoted") {
			t.Errorf("ParseValues(%q): %v; Helm reads %v", doc, err, want)
		}
		return
	}
	if helmErr != nil {
		t.Errorf("ParseValues(%q) = %v; Helm says %v", doc, got, helmErr)
		return
	}
	if diff := cmp.Diff(want, map[string]any(got)); diff != "" {
		t.Errorf("ParseValues(%q) differs from Helm (-helm +got):\n%s", doc, diff)
	}
}

func FuzzParseValues(f *testing.F) {
	for _, doc := range documents {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, doc []byte) { sameAsHelm(t, doc) })
}

func TestParseValuesRefusesWhatHelmReadsByChance(t *testing.T) {
	for _, doc := range []string{"1: a\n\"1\": b\n", "a: [{yes: 1, \"true\": 2}]\n", "1.5: a\n'1.5': b\n"} {
		if v, err := ParseValues("values.yaml", []byte(doc)); err == nil {
			t.Errorf("ParseValues(%q) = %v, want an error", doc, v)
		}
	}
}

func TestMergeIsHelms(t *testing.T) {
	for _, c := range [][2]string{
		{"a: {b: 1, c: 2}", "a: {c: 3, d: 4}"},
		{"a: {b: 1}", "a: null"},
		{"a: null", "a: {b: 1}"},
		{"a: {b: 1}", "a: 3"},
		{"a: 3", "a: {b: null}"},
		{"a: [1, 2]", "a: [3]"},
		{"a: {b: {c: {d: 1}}}", "a: {b: {c: {d: null, e: 2}}}"},
	} {
		base, over := mustValues(t, c[0]), mustValues(t, c[1])
		want := loader.MergeMaps(base, over)
		if diff := cmp.Diff(want, map[string]any(Merge(base, over))); diff != "" {
			t.Errorf("%s and %s (-helm +got):\n%s", c[0], c[1], diff)
		}
		if !cmp.Equal(base, mustValues(t, c[0])) || !cmp.Equal(over, mustValues(t, c[1])) {
			t.Errorf("Merge changed its input: %v, %v", base, over)
		}
	}
}

func mustValues(t testing.TB, doc string) Values {
	t.Helper()
	v, err := ParseValues("values.yaml", []byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestSetAndDeleteLeaveTheirInput(t *testing.T) {
	const doc = "a: {b: {c: 1, d.e: 2}, z: null}\nl: [1]\n"
	v := mustValues(t, doc)
	for path, want := range map[string]string{
		"a.b.c":    "a: {b: {c: 9, d.e: 2}, z: null}\nl: [1]\n",
		`a.b.d\.e`: "a: {b: {c: 1, d.e: 9}, z: null}\nl: [1]\n",
		"a.z.x":    "a: {b: {c: 1, d.e: 2}, z: {x: 9}}\nl: [1]\n",
		"new.x.w":  "a: {b: {c: 1, d.e: 2}, z: null}\nl: [1]\nnew: {x: {w: 9}}\n",
	} {
		got, err := v.Set(path, 9)
		if err != nil {
			t.Errorf("Set(%s): %v", path, err)
		}
		if diff := cmp.Diff(mustValues(t, want), got); diff != "" {
			t.Errorf("Set(%s) (-want +got):\n%s", path, diff)
		}
		if x, ok := got.Get(path); !ok || x != 9.0 {
			t.Errorf("Get(%s) = %v, %v after Set", path, x, ok)
		}
		if got, err = got.Delete(path); err != nil {
			t.Errorf("Delete(%s): %v", path, err)
		}
		if x, ok := got.Get(path); ok {
			t.Errorf("Get(%s) = %v after Delete", path, x)
		}
	}
	for _, path := range []string{"a.b.c.x", "l.x", "a..b"} {
		if got, err := v.Set(path, 9); err == nil {
			t.Errorf("Set(%s) = %v, want an error", path, got)
		}
	}
	if got, err := v.Delete("l.x.y"); err != nil || !cmp.Equal(got, v) {
		t.Errorf("Delete of nothing = %v, %v", got, err)
	}
	if !cmp.Equal(v, mustValues(t, doc)) {
		t.Errorf("input changed to %v", v)
	}
}

func TestDeleteKeepsMapsItEmpties(t *testing.T) {
	got, err := mustValues(t, "a: {b: {c: 1}}").Delete("a.b.c")
	if want := mustValues(t, "a: {b: {}}"); err != nil || !cmp.Equal(got, want) {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
}

func TestFromSet(t *testing.T) {
	got, err := FromSet(map[string]any{
		"a.port":     30080,
		"a.selector": map[string]any{"kubernetes.io/hostname": "n1"},
		`b.x\.y`:     []any{"one"},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := mustValues(t, "a: {port: 30080, selector: {kubernetes.io/hostname: n1}}\nb: {x.y: [one]}\n")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, set := range []map[string]any{
		{"a": map[string]any{"b": 1}, "a.b": 2},
		{"a": 1, "a.b": 2},
		{"a..b": 1},
		{"a": map[any]any{1: 2}},
	} {
		if got, err := FromSet(set); err == nil {
			t.Errorf("FromSet(%v) = %v, want an error", set, got)
		}
	}
}
