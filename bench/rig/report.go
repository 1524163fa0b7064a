package rig

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
)

// A Machine is what the times depend on.
type Machine struct {
	Cores  int
	Memory string
	Before string // load averages of one, five and fifteen minutes, before anything began
	After  string // and when all was measured
	System string
}

// DescribeMachine describes this machine before anything begins.
func DescribeMachine() (Machine, error) {
	m := Machine{Cores: runtime.NumCPU(), System: runtime.GOOS + "/" + runtime.GOARCH + ", " + runtime.Version()}
	var err error
	if m.Before, err = Load(); err != nil {
		return m, err
	}
	mem, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return m, err
	}
	var kib int
	if _, err := fmt.Sscanf(string(mem), "MemTotal: %d kB", &kib); err != nil {
		return m, fmt.Errorf("read /proc/meminfo: %w", err)
	}
	m.Memory = fmt.Sprintf("%.0f GiB", float64(kib)/(1<<20))
	return m, nil
}

// Load is the load averages of one, five and fifteen minutes.
func Load() (string, error) {
	data, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "", err
	}
	return strings.Join(strings.Fields(string(data))[:3], " "), nil
}

// A Row is one measurement: seconds of gauntlet and of the peer, round by round.
type Row struct {
	What, Peer      string
	Gauntlet, Other []float64
}

// Median of some numbers, at least one.
func Median(x []float64) float64 {
	s := slices.Sorted(slices.Values(x))
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}

// Ratios are those of gauntlet to the peer, round by round.
func (r *Row) Ratios() []float64 {
	var out []float64
	for i := range r.Gauntlet {
		out = append(out, r.Gauntlet[i]/r.Other[i])
	}
	return out
}

// Spread is a median with the least and the most.
func Spread(x []float64, unit string) string {
	return fmt.Sprintf("%.2f%s (%.2f–%.2f)", Median(x), unit, slices.Min(x), slices.Max(x))
}

// Table is the rows in Markdown.
func Table(rows []*Row) string {
	var b strings.Builder
	b.WriteString("| | what | gauntlet | peer | gauntlet : peer | the peer is |\n|---|---|---|---|---|---|\n")
	for i, r := range rows {
		fmt.Fprintf(&b, "| %d | %s | %s | %s | %s | %s |\n", i+1, r.What,
			Spread(r.Gauntlet, " s"), Spread(r.Other, " s"), Spread(r.Ratios(), ""), r.Peer)
	}
	return b.String()
}

// Quote indents lines so that Markdown takes them as they are.
func Quote(s string) string {
	return "      " + strings.ReplaceAll(strings.TrimSpace(s), "\n", "\n      ")
}
