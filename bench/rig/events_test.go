package rig

import (
	"testing"
	"time"
)

func TestBetweenTakesTheStepItself(t *testing.T) {
	events := `{"time":"2026-01-02T03:04:00Z","step":"build","state":"started"}
gauntlet says something else
{"time":"2026-01-02T03:04:05Z","step":"deploy","hub":"testing","state":"started"}
{"time":"2026-01-02T03:04:06Z","step":"deploy","hub":"testing","state":"passed","item":"part"}
{"time":"2026-01-02T03:04:09Z","step":"deploy","hub":"testing","state":"passed"}
`
	if got, err := Between(events, "deploy", "started", "passed"); err != nil || got != 4*time.Second {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := Between(events, "hub", "started", "passed"); err == nil {
		t.Error("a step without events has a time")
	}
}
