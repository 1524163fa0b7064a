package suites

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gauntlet/internal/check"
	"gauntlet/internal/kube"
)

// slowest is the least that each of geopandas' operations must gain over a plain loop.
// Vectorised by shapely 2 they gain 1.6 to 12 times; a loop of Python inside gains nothing.
const slowest = 1.25

// speed compares operations of geopandas with the plain loop, in one run on one machine.
func (v *viz) speed(ctx context.Context) (string, error) {
	if !v.have["geopandas"] {
		return "the image has no geopandas", nil
	}
	gains, err := v.numbers(ctx, "speed")
	if err != nil {
		return "", err
	}
	var words, slow []string
	for _, name := range slices.Sorted(maps.Keys(gains)) {
		said := fmt.Sprintf("%s %.1f times the loop's speed", name, gains[name])
		words = append(words, said)
		if gains[name] < slowest {
			slow = append(slow, said)
		}
		v.measure("times faster: "+name, gains[name])
	}
	if len(slow) > 0 {
		return "", errors.New("geopandas is not vectorised: " + kube.OneLine(strings.Join(slow, ", ")))
	}
	return kube.OneLine(strings.Join(words, ", ")), nil
}

// imports compares how long heavy libraries take to be imported with the release before.
func (v *viz) imports(ctx context.Context) (string, error) {
	took, err := v.numbers(ctx, "imports")
	if err != nil {
		return "", err
	}
	before := v.t.Measured["viz"]
	var words, slow []string
	for _, name := range slices.Sorted(maps.Keys(took)) {
		words = append(words, fmt.Sprintf("%s %.1f s", name, took[name]))
		v.measure("import "+name, took[name])
		// A busy node explains twice the time, not three times and seconds more.
		if was, known := before["import "+name]; known && took[name] > 3*was+1 {
			slow = append(slow, fmt.Sprintf("%s %.1f s, with the release before %.1f s", name, took[name], was))
		}
	}
	if len(slow) > 0 {
		return "", check.Warning{Message: "slower to import: " + kube.OneLine(strings.Join(slow, ", "))}
	}
	return kube.OneLine(strings.Join(words, ", ")), nil
}

// numbers runs code that prints numbers by name.
func (v *viz) numbers(ctx context.Context, code string) (map[string]float64, error) {
	out, err := v.kernel.Run(ctx, cellOf(code))
	if err != nil {
		return nil, err
	}
	got := map[string]float64{}
	if err := json.NewDecoder(bytes.NewBufferString(out.Stdout)).Decode(&got); err != nil || len(got) == 0 {
		return nil, fmt.Errorf("it says %q, which is no measure (%w)", kube.OneLine(out.Stdout), err)
	}
	return got, nil
}

func (v *viz) measure(name string, value float64) {
	if v.measures == nil {
		v.measures = map[string]float64{}
	}
	v.measures[name] = value
}
