package prepull

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Report is how far a pool is.
type Report struct {
	Pool   string   `json:"pool"`
	Images []string `json:"images"`          // whole references
	Bytes  int64    `json:"bytes"`           // of the images, compressed; 0: not known
	Have   int      `json:"have"`            // nodes that have the images
	Want   int      `json:"want"`            // nodes that can be had
	Need   int      `json:"need"`            // of these must have the images
	Nodes  []Node   `json:"nodes"`           // by name
	Met    bool     `json:"met"`             // the images are where they shall be
	Cause  string   `json:"cause,omitempty"` // why they never will; "" while they may
	Notes  []string `json:"notes,omitempty"` // what people should know though it is met
}

// judge says how far a pool is by its nodes. refused is why its pods may not be
// made, "" when they may. It is met when enough of the nodes that can be had have
// the images, and fails as soon as that cannot come about any more.
func (p Pool) judge(all []Node, refused string, now time.Time) Report {
	r := Report{Pool: p.Name, Nodes: all, Bytes: p.size(), Images: []string{}}
	if r.Nodes == nil {
		r.Nodes = []Node{}
	}
	for _, i := range p.Images {
		r.Images = append(r.Images, i.Ref)
	}
	slices.SortFunc(r.Nodes, func(a, b Node) int { return cmp.Compare(a.Name, b.Name) })
	cannot, mayReturn := 0, false
	for _, n := range r.Nodes {
		switch {
		case n.State == LeftOut:
			mayReturn = mayReturn || n.until.After(now)
			continue
		case n.late && !n.has():
			continue // it came meanwhile: it is served, and delays nobody
		case n.has():
			r.Have++
		case n.State == Cannot:
			cannot++
		}
		r.Want++
	}
	r.Need = max((r.Want*p.Quorum+99)/100, p.Min)
	switch {
	case len(r.Nodes) == 0 && p.Min > 0:
		r.Cause = p.noNodes()
	case r.nowhere() != nil:
		r.Cause = r.nowhere().cannot()
	case r.Have >= r.Need:
		r.Met = true
	case refused != "":
		r.Cause = refused
	case r.Want-cannot < r.Need && !mayReturn:
		r.Cause = r.outOfReach(p)
	}
	if r.Met {
		r.Notes = r.notes()
	}
	return r
}

// nowhere is a node that cannot get an image that no other node has either.
func (r Report) nowhere() *Node {
	if i := slices.IndexFunc(r.Nodes, func(n Node) bool { return n.nowhere }); i >= 0 {
		return &r.Nodes[i]
	}
	return nil
}

// cannot says what a node cannot get, and why.
func (n Node) cannot() string {
	return fmt.Sprintf("node %s cannot get %s: %s", n.Name, n.Image, n.Why)
}

// outOfReach says why too few nodes will have the images.
func (r Report) outOfReach(p Pool) string {
	var why []string
	for _, n := range r.Nodes {
		if n.State == Cannot {
			why = append(why, n.cannot())
		}
	}
	why = append(why, r.leftOut()...)
	if r.Want < p.Min {
		return fmt.Sprintf("pool %s needs %s (min) and has %d that can be had: %s", p.Name, nodes(p.Min), r.Want, strings.Join(orNone(why), "; "))
	}
	return fmt.Sprintf("%d of %s of pool %s must have the images: %s", r.Need, nodes(r.Want), p.Name, strings.Join(why, "; "))
}

func orNone(why []string) []string {
	if len(why) == 0 {
		return []string{"no other node of the cluster is in it"}
	}
	return why
}

// leftOut names the nodes that are not waited for.
func (r Report) leftOut() []string {
	var out []string
	for _, n := range r.Nodes {
		if n.State == LeftOut {
			out = append(out, fmt.Sprintf("node %s is left out: %s", n.Name, n.Why))
		}
	}
	return out
}

// notes are what is short of perfect in a pool that is met.
func (r Report) notes() []string {
	var out []string
	for _, n := range r.Nodes {
		switch {
		case n.State == LeftOut, n.late:
		case n.State == Cannot:
			out = append(out, n.cannot())
		case !n.has():
			out = append(out, fmt.Sprintf("node %s does not have them yet: %s", n.Name, n.line(0)))
		}
	}
	return append(out, r.leftOut()...)
}

// Line is how far the pool is, in one line for people.
func (r Report) Line() string {
	parts := []string{}
	waiting := 0
	for _, state := range []string{Cannot, Failing, Pulling, Queued} {
		of := []Node{}
		for _, n := range r.Nodes {
			if n.State == state && !n.late {
				of = append(of, n)
			}
		}
		waiting += len(of)
		// Those that need the longest say the most.
		slices.SortStableFunc(of, func(a, b Node) int { return cmp.Compare(b.Seconds, a.Seconds) })
		for _, n := range of {
			parts = append(parts, n.Name+" "+n.line(r.Bytes))
		}
	}
	s := fmt.Sprintf("%d of %s", r.Have, nodes(r.Want))
	if len(parts) > 0 {
		s += ", " + few(parts, 3, ", ")
	}
	if out := r.outNames(); out != "" {
		s += "; left out: " + out
	}
	return s
}

// key is what of the line is news: not the time that has passed.
func (r Report) key() string {
	var b strings.Builder
	fmt.Fprint(&b, r.Have, r.Want)
	for _, n := range r.Nodes {
		fmt.Fprint(&b, n.Name, n.State, n.Image)
	}
	return b.String()
}

func (r Report) outNames() string {
	var out []string
	for _, n := range r.Nodes {
		if n.State == LeftOut {
			out = append(out, fmt.Sprintf("%s (%s)", n.Name, n.Why))
		}
	}
	return few(out, 3, ", ")
}

// line is what a node does, for people.
func (n Node) line(size int64) string {
	since := span(time.Duration(n.Seconds * float64(time.Second)))
	switch n.State {
	case Pulling:
		s := fmt.Sprintf("pulling %s since %s", n.Image, since)
		if size > 0 {
			s += " (" + bytes(size) + ")"
		}
		return s
	case Failing:
		return fmt.Sprintf("tries again to pull %s since %s: %s", n.Image, since, n.Why)
	case Cannot:
		return fmt.Sprintf("cannot get %s: %s", n.Image, n.Why)
	case Queued:
		if n.Why != "" {
			return "queued: " + n.Why
		}
		return "queued since " + since
	}
	return n.State
}

// Summary is what a pool that is met came to.
func (r Report) Summary(names string) string {
	if r.Want == 0 {
		return "0 nodes"
	}
	s := fmt.Sprintf("%d of %s have %s", r.Have, nodes(r.Want), names)
	if r.Bytes > 0 {
		s += " (" + bytes(r.Bytes) + ")"
	}
	var slowest *Node
	pulled := 0
	for i, n := range r.Nodes {
		if n.State == Pulled {
			pulled++
			if slowest == nil || n.Seconds > slowest.Seconds {
				slowest = &r.Nodes[i]
			}
		}
	}
	switch {
	case pulled == 0:
		s += ", which were there"
	default:
		s += fmt.Sprintf(", %d pulled them, %s slowest in %.1fs", pulled, slowest.Name, slowest.Seconds)
	}
	return s
}
