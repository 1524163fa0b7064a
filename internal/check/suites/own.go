package suites

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gauntlet/internal/check"
	"gauntlet/internal/usertest"
)

// A Maker makes a suite for a hub.
type Maker func(HubTarget) check.Suite

// builtIn are the suites that gauntlet brings, by the names that policies call them.
var builtIn = map[string]Maker{"hub": Hub, "completion": Completion, ScalingName: Scaling, NodesName: Nodes, "storage": Storage, "viz": Viz}

// Names are the names of the suites that gauntlet brings, in order.
func Names() []string { return slices.Sorted(maps.Keys(builtIn)) }

// Named is the suite of a name; false when gauntlet brings none of it.
func Named(name string) (Maker, bool) {
	m, ok := builtIn[name]
	return m, ok
}

// ownForm says what a suite of a platform's own does around its files.
const ownForm = "own v1"

// Own is a suite of the platform's own: its files run one after another in the server of
// a user made for the purpose, as that user.
func Own(name string, tests usertest.Set) Maker {
	return func(t HubTarget) check.Suite {
		p := newProbe(t)
		var inside []check.Check
		for _, f := range tests.Runs() {
			inside = append(inside, check.Check{
				Name: f.Name + " passes", Timeout: usertest.Timeout, Retries: 1,
				Run: func(ctx context.Context) (string, error) {
					return tests.Run(ctx, usertest.Pod{Client: p.t.Client, Namespace: p.t.Namespace, Name: p.pod}, f)
				},
			})
		}
		return p.suite(name, fmt.Sprintf("%s\x00%s\x00%s", ownForm, name, strings.Join(tests.Digests(), "\x00")), inside...)
	}
}
