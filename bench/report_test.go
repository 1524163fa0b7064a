package main

import (
	"strings"
	"testing"
	"time"
)

func TestRatioIsOfRoundsNotOfMedians(t *testing.T) {
	r := &row{gauntlet: []float64{1, 2, 9}, other: []float64{2, 8, 3}}
	if got := median(r.ratios()); got != 0.5 {
		t.Errorf("the median ratio is %v, not that of the first round, 0.5", got)
	}
	if got := median([]float64{4, 1, 3, 2}); got != 2.5 {
		t.Errorf("the median of an even number is %v", got)
	}
	if got := table([]*row{r}); !strings.Contains(got, "| 2.00 s (1.00–9.00) | 3.00 s (2.00–8.00) | 0.50 (0.25–3.00) |") {
		t.Errorf("the table is\n%s", got)
	}
}

func TestBetweenTakesTheStepItself(t *testing.T) {
	events := `{"time":"2026-01-02T03:04:00Z","step":"build","state":"started"}
gauntlet says something else
{"time":"2026-01-02T03:04:05Z","step":"deploy","hub":"testing","state":"started"}
{"time":"2026-01-02T03:04:06Z","step":"deploy","hub":"testing","state":"passed","item":"part"}
{"time":"2026-01-02T03:04:09Z","step":"deploy","hub":"testing","state":"passed"}
`
	if got, err := between(events, "deploy", "started", "passed"); err != nil || got != 4*time.Second {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := between(events, "hub", "started", "passed"); err == nil {
		t.Error("a step without events has a time")
	}
}
