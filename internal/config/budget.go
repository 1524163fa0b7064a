package config

import (
	"fmt"
	"time"
)

// Defaults of what suites may cost, and of how long their nodes may stay.
const (
	defaultSpawns   = 10
	defaultNodes    = 10
	defaultTime     = time.Hour
	defaultNodeWarn = 45 * time.Minute
	defaultNodeFail = 2 * time.Hour
)

func (d *document) checkNodes(field string, n *NodeLimits) {
	d.some(child(field, "warn"), &n.Warn, defaultNodeWarn)
	d.some(child(field, "fail"), &n.Fail, max(defaultNodeFail, n.Warn))
	if n.Fail < n.Warn && !d.reported(child(field, "fail")) {
		d.bad(child(field, "fail"), fmt.Sprintf("it is over before the warning, which comes after %s", n.Warn), "write a longer time, or a shorter warn")
	}
}

func (d *document) checkBudget(field string, b *Budget, last bool) {
	spawns, nodes := defaultSpawns, defaultNodes
	if last {
		spawns, nodes = 1, 0
	}
	for _, f := range []struct {
		name  string
		value *int
		other int // default
		least int
	}{{"spawns", &b.Spawns, spawns, 1}, {"nodes", &b.Nodes, nodes, 0}} {
		at := child(field, f.name)
		if _, written := d.at[at]; !written {
			*f.value = f.other
		} else if *f.value < f.least && !d.reported(at) {
			d.bad(at, fmt.Sprintf("it is less than %d: no suite could ever run", f.least), fmt.Sprintf("write %d or more, or take it out", f.least))
		}
	}
	d.some(child(field, "time"), &b.Time, defaultTime)
}

// some checks a time that must not be zero, and is other when it is not written.
func (d *document) some(field string, value *time.Duration, other time.Duration) {
	if _, written := d.at[field]; !written {
		*value = other
	} else if *value <= 0 && !d.reported(field) {
		d.bad(field, "it is over at once", "write a time, as in 45m or 2h, or take it out")
	}
}
