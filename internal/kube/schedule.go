package kube

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A Misfit is why some nodes do not take a pod, by the scheduler's word.
type Misfit struct {
	Nodes int    // 0 when the scheduler does not count them
	Why   string // in words
	Lacks bool   // room is all that is missing: what ends or another node of the kind brings it
}

// A Placement is what the scheduler says of a pod that no node takes.
type Placement struct {
	Nodes   int // that it looked at
	Misfits []Misfit
}

// ReadPlacement reads the scheduler's message of a condition PodScheduled=False or
// an event FailedScheduling, such as "0/3 nodes are available: 1 Insufficient cpu, 2
// node(s) had untolerated taint(s). preemption: …". It is false for a message of
// another form.
func ReadPlacement(message string) (Placement, bool) {
	m := placement.FindStringSubmatch(message)
	if m == nil {
		if strings.Contains(message, "no nodes available to schedule pods") {
			return Placement{}, true
		}
		return Placement{}, false
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		return Placement{}, false
	}
	p := Placement{Nodes: n}
	// What preemption could do comes last and repeats itself.
	text, _, _ := strings.Cut(m[2], " preemption: ")
	text = strings.TrimSpace(text)
	for text != "" {
		var part string
		part, text = nextReason(text)
		if part = strings.Trim(part, " ."); part == "" {
			continue
		}
		misfit := Misfit{Why: part}
		if c := counted.FindStringSubmatch(part); c != nil {
			if misfit.Nodes, err = strconv.Atoi(c[1]); err != nil {
				misfit.Nodes = 0
			}
			misfit.Why = c[2]
		}
		misfit.Why, misfit.Lacks = misfitWords(misfit.Why)
		p.Misfits = append(p.Misfits, misfit)
	}
	return p, true
}

var (
	placement = regexp.MustCompile(`(?s)\b0/(\d{1,7}) nodes are available(?:: ?|\. ?|$)(.*)`)
	counted   = regexp.MustCompile(`(?s)^(\d{1,7}) (.+)$`)
	oldTaint  = regexp.MustCompile(`(?s)^node\(s\) had (?:untolerated )?taint \{([^}]*)\}`)
	next      = regexp.MustCompile(`, \d{1,7} `)
)

// nextReason cuts the first reason off: they are parted by ", " and begin with a
// number, and both may stand inside of one, in the braces of a taint.
func nextReason(text string) (part, rest string) {
	depth := 0
	for i := range len(text) {
		switch text[i] {
		case '{':
			depth++
		case '}':
			depth = max(depth-1, 0)
		case ',':
			if depth == 0 && next.MatchString(text[i:min(len(text), i+12)]) && next.FindStringIndex(text[i:])[0] == 0 {
				return text[:i], text[i+2:]
			}
		}
	}
	return text, ""
}

const notChosen = "not chosen by its nodeSelector or node affinity"

// misfitWords says in words what the scheduler's plugins say.
func misfitWords(why string) (words string, lacks bool) {
	if strings.HasPrefix(why, "Insufficient ") {
		return why, true
	}
	if t := oldTaint.FindStringSubmatch(why); t != nil {
		return taintWords(strings.TrimSuffix(strings.TrimSpace(t[1]), ":")), false
	}
	for _, k := range []struct {
		says, words string
		lacks       bool
	}{
		{"Too many pods", "pod limit reached (Too many pods)", true},
		{"had untolerated taint", "a taint that the pod does not tolerate", false},
		{"had taints that the pod didn't tolerate", "a taint that the pod does not tolerate", false},
		{"didn't match Pod's node affinity/selector", notChosen, false},
		{"didn't match scheduler-enforced node affinity", "not chosen by the scheduler's own node affinity", false},
		{"didn't match the requested node name", "another node is asked for", false},
		{"were unschedulable", "cordoned", false},
		{"didn't have free ports", "the host port is taken", true},
		{"volume node affinity conflict", "its volume is elsewhere", false},
		{"didn't match PersistentVolume's node affinity", "its volume is elsewhere", false},
		{"no available volume zone", "its volume is in another zone", false},
		{"didn't find available persistent volumes to bind", "no volume for its claim there", false},
		{"exceed max volume count", "no more volumes can be attached", true},
		{"enough free storage", "not enough storage left for its volume", true},
		{"ReadWriteOncePod access mode already in-use", "its volume is in use by another pod", true},
		{"didn't satisfy existing pods anti-affinity", "kept away by another pod's anti-affinity", true},
		{"didn't match pod anti-affinity", "its anti-affinity keeps it away from pods there", true},
		{"didn't match pod affinity", "no pod that its affinity asks for", true},
		{"didn't match pod topology spread", "its topology spread does not allow it there", true},
		{"unbound immediate PersistentVolumeClaims", "a volume claim of the pod is not bound", false},
	} {
		if strings.Contains(why, k.says) {
			return k.words, k.lacks
		}
	}
	return why, false
}

// taintWords names what well-known taints stand for.
func taintWords(taint string) string {
	switch key, _, _ := strings.Cut(taint, ":"); key {
	case "node.kubernetes.io/not-ready":
		return "not ready"
	case "node.kubernetes.io/unreachable":
		return "unreachable"
	case "node.kubernetes.io/disk-pressure":
		return "disk nearly full"
	case "node.kubernetes.io/memory-pressure":
		return "memory nearly used up"
	case "node.kubernetes.io/unschedulable":
		return "cordoned"
	default:
		if words, ok := leavingTaints[key]; ok {
			return "going away: " + words
		}
		return "taint " + taint + " is not tolerated"
	}
}

// Hopeless says that on no node that the scheduler looked at room is all that is
// missing: only another node, or a change of the pod or the nodes, lets it run.
func (p Placement) Hopeless() bool {
	return !slices.ContainsFunc(p.Misfits, func(m Misfit) bool { return m.Lacks })
}

func (p Placement) String() string {
	if p.Nodes == 0 && len(p.Misfits) == 0 {
		return "the cluster has no node that takes pods"
	}
	var parts []string
	for _, m := range p.Misfits {
		if m.Nodes == 0 {
			parts = append(parts, m.Why)
			continue
		}
		parts = append(parts, fmt.Sprintf("%s on %d", m.Why, m.Nodes))
	}
	s := fmt.Sprintf("none of the %d nodes takes it", p.Nodes)
	if p.Nodes == 1 {
		s = "the only node does not take it"
	}
	if len(parts) == 0 {
		return s
	}
	return s + ": " + strings.Join(parts, ", ")
}

// Unfit is the scheduler's message in words; one of another form is left as it is.
func Unfit(message string) string {
	if p, ok := ReadPlacement(message); ok {
		return OneLine(p.String())
	}
	return OneLine(message)
}
