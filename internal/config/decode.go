package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	yamlv2 "go.yaml.in/yaml/v2"
	"go.yaml.in/yaml/v3"

	"gauntlet/internal/lint"
)

var (
	durationType = reflect.TypeFor[time.Duration]()
	timeType     = reflect.TypeFor[time.Time]()
	tiersType    = reflect.TypeFor[[]Tier]()
	percentType  = reflect.TypeFor[Percent]()
)

// decode fills v with a node and reports all that does not fit. A null counts as
// not written.
func (d *document) decode(n *yaml.Node, field string, v reflect.Value) {
	at := markOf(n)
	n, ok := d.enter(n, field)
	if !ok {
		return
	}
	d.at[field] = at
	if n.ShortTag() == "!!null" {
		return
	}
	switch {
	case v.Type() == durationType:
		d.decodeDuration(n, field, v)
	case v.Type() == timeType:
		d.decodeTime(n, field, v)
	case v.Type() == percentType:
		d.decodePercent(n, field, v)
	case v.Type() == tiersType:
		d.decodeTiers(n, field, v)
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.decode(n, field, v.Elem())
	case v.Kind() == reflect.Interface:
		if x := d.anything(n, field); x != nil {
			v.Set(reflect.ValueOf(x))
		}
	case v.Kind() == reflect.String:
		if d.want(n, field, yaml.ScalarNode, "a text") {
			if n.ShortTag() != "!!str" {
				d.unreadable(field, fmt.Sprintf("%s is %s where a text is needed", n.Value, kindOf(n)), "write it in quotes: "+strconv.Quote(n.Value))
				return
			}
			v.SetString(n.Value)
		}
	case v.Kind() == reflect.Int:
		if d.want(n, field, yaml.ScalarNode, "a whole number") {
			var i int
			if n.ShortTag() != "!!int" || n.Decode(&i) != nil {
				d.unreadable(field, fmt.Sprintf("%q is no whole number", n.Value), "write a number without quotes")
				return
			}
			v.SetInt(int64(i))
		}
	case v.Kind() == reflect.Slice:
		if d.want(n, field, yaml.SequenceNode, "a list") {
			v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
			for i, x := range n.Content {
				d.decode(x, item(field, i), v.Index(i))
			}
		}
	case v.Kind() == reflect.Map:
		if d.want(n, field, yaml.MappingNode, "a map") {
			v.Set(reflect.MakeMap(v.Type()))
			for _, p := range d.pairs(n, field) {
				x := reflect.New(v.Type().Elem()).Elem()
				d.decodeKey(p, field, x)
				v.SetMapIndex(reflect.ValueOf(p.key.Value), x)
			}
		}
	case v.Kind() == reflect.Struct:
		if d.want(n, field, yaml.MappingNode, "a map") {
			d.decodeStruct(n, field, v)
		}
	default:
		panic("config: no decoder for " + v.Type().String())
	}
}

// enter follows an alias, and stops where aliases lead round in a circle or would
// blow the file up.
func (d *document) enter(n *yaml.Node, field string) (*yaml.Node, bool) {
	d.visited++
	if d.visited > maxNodes || strings.Count(field, ".")+strings.Count(field, "[") > 200 {
		if !d.tooBig {
			d.tooBig = true
			d.add(markOf(n), "", "its aliases make it far larger than it is written", "write out what the aliases stand for")
		}
		return nil, false
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n, true
}

func (d *document) want(n *yaml.Node, field string, kind yaml.Kind, what string) bool {
	if n.Kind == kind {
		return true
	}
	fix := "write one word or quoted text"
	switch kind {
	case yaml.MappingNode:
		fix = "write KEY: VALUE, each on a line of its own, or {KEY: VALUE}"
	case yaml.SequenceNode:
		fix = "write each on a line of its own after a dash, or [ONE, TWO]"
	}
	d.unreadable(field, fmt.Sprintf("it is %s where %s is needed", kindOf(n), what), fix)
	return false
}

func (d *document) unreadable(field, cause, fix string) {
	d.bad(field, cause, fix)
	d.unread[field] = true
}

func (d *document) decodeStruct(n *yaml.Node, field string, v reflect.Value) {
	known := keysOf(v.Type())
	for _, p := range d.pairs(n, field) {
		name := p.key.Value
		i := -1
		for j := range v.NumField() {
			if key := v.Type().Field(j).Tag.Get("yaml"); key == name && key != "-" && key != "" {
				i = j
			}
		}
		if i < 0 {
			fix := "take it out; the keys here are " + strings.Join(known, ", ")
			if near := lint.Nearest(name, known); near != "" {
				fix = "did you mean " + near + "?"
				d.unread[child(field, near)] = true
			}
			d.add(markOf(p.key), child(field, name), "there is no such key", fix)
			continue
		}
		d.decodeKey(p, field, v.Field(i))
	}
}

// decodeKey decodes the value of a key. What is wrong inside a map or list, or
// missing from it, is best shown at its key.
func (d *document) decodeKey(p pair, field string, v reflect.Value) {
	field = child(field, p.key.Value)
	d.decode(p.value, field, v)
	if p.value.Kind != yaml.ScalarNode || p.value.ShortTag() == "!!null" {
		d.at[field] = markOf(p.key)
	}
}

// keysOf are the keys that a struct is written with.
func keysOf(t reflect.Type) []string {
	var keys []string
	for i := range t.NumField() {
		if key := t.Field(i).Tag.Get("yaml"); key != "" && key != "-" {
			keys = append(keys, key)
		}
	}
	return keys
}

// decodeTiers reads the ordered form of tiers: a list of maps with one key each.
func (d *document) decodeTiers(n *yaml.Node, field string, v reflect.Value) {
	const form = "write a list, each tier as - NAME: {suites: [hub]}"
	if n.Kind != yaml.SequenceNode {
		d.unreadable(field, fmt.Sprintf("it is %s where a list is needed, since tiers have an order", kindOf(n)), form)
		return
	}
	var tiers []Tier
	seen := map[string]int{}
	for i, x := range n.Content {
		x, ok := d.enter(x, item(field, i))
		if !ok {
			return
		}
		if x.Kind != yaml.MappingNode || len(x.Content) != 2 || x.Content[0].Kind != yaml.ScalarNode {
			d.add(markOf(n.Content[i]), item(field, i), "a tier is a map with its name as the only key", form)
			d.unread[field] = true
			continue
		}
		key := x.Content[0]
		if line, ok := seen[key.Value]; ok {
			d.add(markOf(key), child(field, key.Value), fmt.Sprintf("the tier stands twice, first on line %d", line), "keep one of the two")
			d.unread[field] = true
			continue
		}
		seen[key.Value] = key.Line
		t := Tier{Name: key.Value}
		d.decode(x.Content[1], child(field, t.Name), reflect.ValueOf(&t).Elem())
		d.at[child(field, t.Name)] = markOf(key)
		tiers = append(tiers, t)
	}
	v.Set(reflect.ValueOf(tiers))
}

func (d *document) decodeDuration(n *yaml.Node, field string, v reflect.Value) {
	if !d.want(n, field, yaml.ScalarNode, "a time") {
		return
	}
	t, err := ParseDuration(n.Value)
	if err != nil {
		d.unreadable(field, err.Error(), "write 72h, 30d or 1d12h")
		return
	}
	v.SetInt(int64(t))
}

// decodeTime reads a moment. One without a zone would be another elsewhere.
func (d *document) decodeTime(n *yaml.Node, field string, v reflect.Value) {
	if !d.want(n, field, yaml.ScalarNode, "a moment") {
		return
	}
	t, err := time.Parse(time.RFC3339, n.Value)
	if err != nil || t.Year() < 1970 {
		d.unreadable(field, fmt.Sprintf("%q is no moment with a time zone", n.Value), "write 2026-12-20T18:00:00Z, or 2026-12-20T18:00:00+01:00")
		return
	}
	v.Set(reflect.ValueOf(t))
}

func (d *document) decodePercent(n *yaml.Node, field string, v reflect.Value) {
	if !d.want(n, field, yaml.ScalarNode, "a share") {
		return
	}
	digits, sign := strings.CutSuffix(n.Value, "%")
	i, err := strconv.ParseUint(digits, 10, 8)
	if !sign || err != nil || i < 1 || i > 100 {
		d.unreadable(field, fmt.Sprintf("%q is no share", n.Value), "write a whole number from 1% to 100%")
		return
	}
	v.SetInt(int64(i))
}

// maxDuration keeps sums of two times far from overflow.
const maxDuration = 100 * 366 * 24 * time.Hour

// ParseDuration reads a time as Go writes it, with days in front: 90s, 72h, 30d,
// 1d12h. A day is 24 hours.
func ParseDuration(s string) (time.Duration, error) {
	var days time.Duration
	rest := s
	if head, tail, ok := strings.Cut(s, "d"); ok {
		n, err := strconv.ParseUint(head, 10, 16)
		if err != nil {
			return 0, fmt.Errorf("%q is no time", s)
		}
		if days, rest = time.Duration(n)*24*time.Hour, tail; rest == "" {
			rest = "0s"
		}
	}
	t, err := time.ParseDuration(rest)
	if err != nil || strings.ContainsAny(rest, "+-") {
		return 0, fmt.Errorf("%q is no time", s)
	}
	if days > maxDuration || t > maxDuration {
		return 0, fmt.Errorf("%q is more than a hundred years", s)
	}
	return days + t, nil
}

// anything reads a value of no fixed form, as JSON knows them. What YAML 1.1, which
// Helm reads, and YAML 1.2 understand differently is a problem: nobody should have
// to know which of the two a file is read by.
func (d *document) anything(n *yaml.Node, field string) any {
	at := markOf(n)
	n, ok := d.enter(n, field)
	if !ok {
		return nil
	}
	d.at[field] = at
	switch n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		for _, p := range d.pairs(n, field) {
			m[p.key.Value] = d.anything(p.value, child(field, p.key.Value))
		}
		return m
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, x := range n.Content {
			list[i] = d.anything(x, item(field, i))
		}
		return list
	}
	var x any
	if err := n.Decode(&x); err != nil {
		d.bad(field, strings.TrimPrefix(err.Error(), "yaml: "), "")
		return nil
	}
	if n.Style == 0 {
		var old any
		if err := yamlv2.Unmarshal([]byte(n.Value), &old); err == nil && !same(old, x) {
			d.bad(field, fmt.Sprintf("Helm would read %s as %v", plain(n.Value), old), fmt.Sprintf("write %v, or quote it: %q", old, n.Value))
		}
	}
	if t, ok := x.(time.Time); ok {
		return t.Format(time.RFC3339)
	}
	return x
}

// same compares two scalars; numbers by their value.
func same(a, b any) bool {
	_, s := a.(string)
	_, t := b.(string)
	return s == t && fmt.Sprint(a) == fmt.Sprint(b)
}
