package prepull

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// listed joins names as people do.
func listed(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

// few joins at most some of many.
func few(parts []string, most int, between string) string {
	if more := len(parts) - most; more > 0 {
		return strings.Join(parts[:most], between) + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(parts, between)
}

func labelList(m map[string]string) string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, k+"="+m[k])
	}
	return strings.Join(out, ", ")
}

// termList is which nodes match one of some terms.
func termList(terms []corev1.NodeSelectorTerm) string {
	var out []string
	for _, t := range terms {
		var all []string
		for _, e := range slices.Concat(t.MatchExpressions, t.MatchFields) {
			switch {
			case e.Operator == corev1.NodeSelectorOpIn && len(e.Values) == 1:
				all = append(all, e.Key+"="+e.Values[0])
			case len(e.Values) > 0:
				all = append(all, fmt.Sprintf("%s %s (%s)", e.Key, e.Operator, strings.Join(e.Values, ", ")))
			default:
				all = append(all, e.Key+" "+string(e.Operator))
			}
		}
		out = append(out, strings.Join(all, ", "))
	}
	return few(out, 3, " or ")
}

// bytes is a size for people.
func bytes(n int64) string {
	switch f := float64(n); {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", f/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.0f MiB", f/(1<<20))
	default:
		return fmt.Sprintf("%.0f KiB", f/(1<<10))
	}
}

// span is a time for people, to the second.
func span(d time.Duration) string {
	d = d.Round(time.Second)
	if d < time.Minute {
		return fmt.Sprintf("%ds", int(d.Seconds()))
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	return s
}

func nodes(n int) string {
	if n == 1 {
		return "1 node"
	}
	return fmt.Sprintf("%d nodes", n)
}

// rate is how fast a node is taken to pull and unpack what is compressed, in bytes a
// second: what a usual node of a cloud does.
const rate = 20 << 20

// pullTime is how long a node needs for so many bytes, about.
func pullTime(n int64) time.Duration {
	d := time.Duration(float64(n) / rate * float64(time.Second))
	if d > time.Minute {
		return d.Round(time.Minute)
	}
	return max(d.Round(time.Second), time.Second)
}
