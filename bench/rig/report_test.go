package rig

import (
	"strings"
	"testing"
)

func TestRatioIsOfRoundsNotOfMedians(t *testing.T) {
	r := &Row{Gauntlet: []float64{1, 2, 9}, Other: []float64{2, 8, 3}}
	if got := Median(r.Ratios()); got != 0.5 {
		t.Errorf("the median ratio is %v, not that of the first round, 0.5", got)
	}
	if got := Median([]float64{4, 1, 3, 2}); got != 2.5 {
		t.Errorf("the median of an even number is %v", got)
	}
	if got := Table([]*Row{r}); !strings.Contains(got, "| 2.00 s (1.00–9.00) | 3.00 s (2.00–8.00) | 0.50 (0.25–3.00) |") {
		t.Errorf("the table is\n%s", got)
	}
}
