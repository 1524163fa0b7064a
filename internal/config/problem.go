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
	Code         string // of package codes, "" for what gauntlet.yaml cannot weigh otherwise
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
	if p.Code != "" {
		s += " (" + p.Code + ")"
	}
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
