package rig

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"gauntlet/internal/pipeline"
)

// Between is the time between two states of a step, by the events of gauntlet.
func Between(events, step, from, to string) (time.Duration, error) {
	var began time.Time
	for line := range strings.Lines(events) {
		var e pipeline.Event
		if json.Unmarshal([]byte(line), &e) != nil || e.Step != step || e.Item != "" {
			continue
		}
		switch {
		case e.State == from:
			began = e.Time
		case e.State == to && !began.IsZero():
			return e.Time.Sub(began), nil
		}
	}
	return 0, fmt.Errorf("no events tell when %s went from %s to %s: %s", step, from, to, Tail(events))
}
