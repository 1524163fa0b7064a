package release

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLackingIsWhatNothingDecides(t *testing.T) {
	for name, tt := range map[string]struct {
		values, others string
		want           []string
	}{
		"nothing":                   {"", "a: 1", nil},
		"all is there":              {"a: {b: 1}", "a: {b: 2, c: 3}", nil},
		"a key":                     {"a: {b: 1, c: 2}", "a: {c: 2}", []string{"a.b"}},
		"a whole map":               {"a: {b: 1, c: {d: 2}}", "", []string{"a.b", "a.c.d"}},
		"a scalar above":            {"a: {b: 1}", "a: off", nil},
		"a null above":              {"a: {b: 1}", "a: null", nil},
		"an empty map":              {"a: {}", "", nil},
		"a null":                    {"a: null", "", []string{"a"}},
		"an empty list":             {"a: []", "", []string{"a"}},
		"a list is one value":       {"a: [1, 2]", "a: [1]", nil},
		"a key that holds a dot":    {"a.b: 1", "a: {b: 1}", []string{`a\.b`}},
		"a map where a scalar was":  {"a: 1", "a: {b: 1}", nil},
		"an empty map is no answer": {"a: {b: 1}", "a: {}", []string{"a.b"}},
	} {
		t.Run(name, func(t *testing.T) {
			v, err := ParseValues("", []byte(tt.values))
			if err != nil {
				t.Fatal(err)
			}
			o, err := ParseValues("", []byte(tt.others))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tt.want, v.LackingIn(o)); d != "" {
				t.Error(d)
			}
		})
	}
}
