package suites

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"gauntlet/internal/dask"
	"gauntlet/internal/kernel"
	"gauntlet/internal/kube"
)

// begin starts the kernel, unless there is one.
func (s *scaling) begin(ctx context.Context) error {
	if s.kernel != nil {
		return nil
	}
	srv, err := s.dial()
	if err == nil {
		s.kernel, err = srv.Start(ctx, "")
	}
	return err
}

// An answer is what a step of scaling.py prints.
type answer struct {
	Image   string   `json:"image"`
	Pods    []string `json:"pods"`
	Workers int      `json:"workers"`
	Tries   int      `json:"tries"`
}

// run calls a function of scaling.py. Meanwhile it looks at the pods of a part of the
// cluster, none for "", and ends with what keeps them from running.
func (s *scaling) run(ctx context.Context, part dask.Component, function string, args ...any) (answer, error) {
	var words []string
	for _, a := range args {
		if text, ok := a.(string); ok {
			words = append(words, strconv.QuoteToASCII(text))
		} else {
			words = append(words, fmt.Sprint(a))
		}
	}
	out, err := s.watched(ctx, part, func(ctx context.Context) (kernel.Output, error) {
		return s.kernel.Run(ctx, function+"("+strings.Join(words, ", ")+")\n")
	})
	if err != nil {
		return answer{}, err
	}
	var a answer
	if text := strings.TrimSpace(out.Stdout); text != "" {
		lines := strings.Split(text, "\n")
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &a); err != nil {
			return answer{}, fmt.Errorf("%s says %q: %w", function, kube.OneLine(text), err)
		}
	}
	return a, nil
}
