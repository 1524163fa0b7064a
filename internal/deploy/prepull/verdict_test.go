package prepull

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// many are nodes of states, named by their place: "n0", "n1", …
func many(states ...Node) []Node {
	for i := range states {
		states[i].Name = fmt.Sprintf("n%d", i)
	}
	return states
}

func TestWhenAPoolHasItsImages(t *testing.T) {
	had, pulled := Node{State: Had}, Node{State: Pulled, Seconds: 3}
	busy, queued := Node{State: Pulling, Image: "notebook", Seconds: 80}, Node{State: Queued}
	cannot := Node{State: Cannot, Image: "notebook", Why: "denied"}
	out := Node{State: LeftOut, Why: "cordoned"}
	soon := Node{State: LeftOut, Why: "not ready", until: start.Add(time.Minute)}
	late := Node{State: Queued, late: true}
	lateHas := Node{State: Pulled, late: true}
	nowhere := Node{State: Cannot, Image: "notebook", Why: "no such image", nowhere: true}
	for name, c := range map[string]struct {
		quorum, min int
		nodes       []Node
		refused     string
		met         bool
		cause       string
		note        string
	}{
		"all have them":                  {100, 1, many(had, pulled), "", true, "", ""},
		"one is busy":                    {100, 1, many(had, busy), "", false, "", ""},
		"enough have them":               {50, 1, many(had, busy), "", true, "", "node n1 does not have them yet: pulling notebook since 1m20s"},
		"rounded up":                     {90, 1, many(had, had, had, had, had, had, had, had, busy, busy), "", false, "", ""},
		"one of ten may lack them":       {90, 1, many(had, had, had, had, had, had, had, had, had, cannot), "", true, "", "node n9 cannot get notebook: denied"},
		"left out is not waited for":     {100, 1, many(had, out), "", true, "", "node n1 is left out: cordoned"},
		"one cannot":                     {100, 1, many(had, cannot), "", false, "2 of 2 nodes of pool users must have the images: node n1 cannot get notebook: denied", ""},
		"one cannot, the rest is busy":   {100, 1, many(busy, busy, cannot), "", false, "node n2 cannot get notebook", ""},
		"one cannot, but enough may":     {50, 1, many(busy, cannot), "", false, "", ""},
		"an image is nowhere":            {50, 1, many(busy, nowhere, queued), "", false, "node n1 cannot get notebook: no such image", ""},
		"all are left out":               {100, 1, many(out, out), "", false, "needs 1 node (min) and has 0 that can be had: node n0 is left out: cordoned; node n1", ""},
		"all but one that may come back": {100, 1, many(out, soon), "", false, "", ""},
		"fewer than there must be":       {100, 3, many(had, had), "", false, "needs 3 nodes (min) and has 2 that can be had", ""},
		"fewer, and one may come back":   {100, 3, many(had, had, soon), "", false, "", ""},
		"min is more than the quorum":    {50, 2, many(had, busy), "", false, "", ""},
		"late ones delay nobody":         {100, 1, many(had, late), "", true, "", ""},
		"late ones count when they have": {100, 2, many(had, lateHas), "", true, "", ""},
		"no node and none needed":        {100, 0, nil, "", true, "", ""},
		"all left out and none needed":   {100, 0, many(out), "", true, "", "node n0 is left out"},
		"no node":                        {100, 1, nil, "", false, "pool users has no node", ""},
		"refused":                        {100, 1, many(queued), "quota", false, "quota", ""},
		"refused when all are there":     {100, 1, many(had), "quota", true, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := Pool{Name: "users", Quorum: c.quorum, Min: c.min, From: "x"}.judge(c.nodes, c.refused, start)
			if r.Met != c.met || (r.Cause == "") != (c.cause == "") || !strings.Contains(r.Cause, c.cause) || !strings.Contains(strings.Join(r.Notes, "; "), c.note) || (c.note == "") != (len(r.Notes) == 0) {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestAPoolWithoutNodesSaysWhatToWrite(t *testing.T) {
	r := Pool{Name: "users", Quorum: 100, Min: 1, NodeSelector: map[string]string{"size": "big"}, From: "hubs.compute.pools"}.judge(nil, "", start)
	for _, words := range []string{"no node of the cluster has size=big", "hubs.compute.pools", "pools: [{name: users, nodeSelector: {size: big}, min: 0}]"} {
		if !strings.Contains(r.Cause, words) {
			t.Errorf("%q is not in: %s", words, r.Cause)
		}
	}
}

func TestAPoolInOneLine(t *testing.T) {
	p := Pool{Name: "users", Quorum: 100, Min: 1, Images: []Image{{Ref: digestRef("notebook"), Size: 2 << 30}}}
	busy := Node{State: Pulling, Image: "notebook", Seconds: 80}
	for want, nodes := range map[string][]Node{
		"2 of 2 nodes": many(Node{State: Had}, Node{State: Pulled}),
		"3 of 5 nodes, n3 pulling notebook since 1m20s (2.0 GiB), n4 queued since 5s": many(
			Node{State: Had}, Node{State: Had}, Node{State: Had}, busy, Node{State: Queued, Seconds: 5}),
		"0 of 1 node, n0 tries again to pull notebook since 7s: 503; left out: n1 (cordoned)": many(
			Node{State: Failing, Image: "notebook", Seconds: 7, Why: "503"}, Node{State: LeftOut, Why: "cordoned"}),
		"0 of 5 nodes, n3 pulling notebook since 1m30s (2.0 GiB), n0 pulling notebook since 1m20s (2.0 GiB), n1 pulling notebook since 1m20s (2.0 GiB) and 2 more": many(
			busy, busy, busy, Node{State: Pulling, Image: "notebook", Seconds: 90}, busy),
	} {
		if got := p.judge(nodes, "", start).Line(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	done := p.judge(many(Node{State: Had}, Node{State: Pulled, Seconds: 3}, Node{State: Pulled, Seconds: 80}), "", start)
	if got, want := done.Summary("notebook"), "3 of 3 nodes have notebook (2.0 GiB), 2 pulled them, n2 slowest in 80.0s"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestWhatTheSchedulerSaysOfOneNode(t *testing.T) {
	for in, want := range map[string]string{
		"0/8 nodes are available: 1 Insufficient memory, 7 node(s) didn't match Pod's node affinity/selector.": "it has no room: Insufficient memory",
		"0/1 nodes are available: 1 Too many pods, 1 Insufficient cpu. preemption: none":                       "it has no room: Too many pods, Insufficient cpu",
		"something else entirely": "something else entirely",
		"":                        "",
	} {
		if got := noRoom(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}

func TestWordsForPeople(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "0s", 59 * time.Second: "59s", time.Minute: "1m", 80 * time.Second: "1m20s", time.Hour: "1h0m", 90 * time.Minute: "1h30m"} {
		if got := span(d); got != want {
			t.Errorf("%s: %s", d, got)
		}
	}
	for n, want := range map[int64]string{2 << 30: "2.0 GiB", 300 << 20: "300 MiB", 512: "0 KiB"} {
		if got := bytes(n); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
	if got := pullTime(1); got != time.Second {
		t.Error(got)
	}
}
