package config

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A Problem is one thing that is wrong in a file.
type Problem struct {
	File         string
	Line, Column int    // from 1; the column counts characters
	Field        string // where in the file's tree: hubs.testing.tier
	Cause        string
	Fix          string // the edit that mends it
	Warning      bool   // it does not stand in the way
}

// Error is the problem on two lines: where and why, and the edit that fixes it.
func (p Problem) Error() string {
	s := fmt.Sprintf("%s:%d:%d: ", p.File, p.Line, p.Column)
	if p.Warning {
		s += "warning: "
	}
	if p.Field != "" {
		s += plain(p.Field) + ": "
	}
	s += p.Cause
	if p.Fix != "" {
		s += "\n    fix: " + p.Fix
	}
	return s
}

// plain is s, quoted when it holds what would not print.
func plain(s string) string {
	for _, r := range s {
		if !strconv.IsPrint(r) {
			return strconv.Quote(s)
		}
	}
	return s
}

// Problems are all problems of a file or several, sorted by place.
type Problems []Problem

// Error is one problem after another.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Warnings are the problems that do not stand in the way.
func (ps Problems) Warnings() Problems { return ps.only(true) }

// Err is the problems that stand in the way as one error, nil when there are none.
func (ps Problems) Err() error {
	if bad := ps.only(false); len(bad) > 0 {
		return bad
	}
	return nil
}

func (ps Problems) only(warning bool) Problems {
	var out Problems
	for _, p := range ps {
		if p.Warning == warning {
			out = append(out, p)
		}
	}
	return out
}

func (ps Problems) sort() {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Field, b.Field))
	})
}

// oneOf is a list of names for people: a, b or c.
func oneOf(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	if len(names) == 1 {
		return names[0]
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}

// nearest is the name that somebody who wrote s most likely meant, "" when none
// is near.
func nearest(s string, names []string) string {
	best, at := "", 1+max(1, len(s)/3)
	for _, n := range names {
		if d := distance(strings.ToLower(s), strings.ToLower(n)); d < at {
			best, at = n, d
		}
	}
	return best
}

// distance is how many characters must be put in, taken out, replaced or swapped
// with their neighbour to make b of a.
func distance(a, b string) int {
	if len(a) > 100 || len(b) > 100 {
		return 100
	}
	d := make([][]int, len(a)+1)
	for i := range d {
		d[i] = make([]int, len(b)+1)
		d[i][0] = i
	}
	for j := range d[0] {
		d[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			change := 1
			if a[i-1] == b[j-1] {
				change = 0
			}
			d[i][j] = min(d[i-1][j]+1, d[i][j-1]+1, d[i-1][j-1]+change)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(a)][len(b)]
}
