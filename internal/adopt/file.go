package adopt

import (
	"fmt"
	"math"
	"reflect"
	"strings"

	"sigs.k8s.io/yaml"

	"gauntlet/internal/release"
)

// File is a values file that holds exactly these values, with a comment at its head.
func File(v release.Values, comment string) ([]byte, error) {
	body, err := yaml.Marshal(whole(map[string]any(v)))
	if err != nil {
		return nil, fmt.Errorf("write values as YAML: %w", err)
	}
	var head strings.Builder
	for l := range strings.Lines(comment) {
		head.WriteString("# " + strings.TrimSuffix(l, "\n") + "\n")
	}
	out := append([]byte(head.String()), body...)
	back, err := release.ParseValues("", out)
	if err != nil || !reflect.DeepEqual(back, v) {
		return nil, fmt.Errorf("values cannot be written as YAML that Helm reads the same way: %v", Paths(v))
	}
	return out, nil
}

// whole writes numbers without a fraction as people do.
func whole(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, x := range v {
			out[k] = whole(x)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = whole(x)
		}
		return out
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return int64(v)
		}
	}
	return v
}
