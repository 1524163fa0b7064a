package release

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	yamlv2 "go.yaml.in/yaml/v2"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// ParseValues reads a values file as Helm does: YAML 1.1 (yes and no are
// booleans), several documents merged in order, the last of a key that stands
// twice, numbers as float64. file is for messages only.
func ParseValues(file string, data []byte) (Values, error) {
	// Helm adds the newline too: its reader may drop a last line without one.
	if len(data) > 0 && data[len(data)-1] != '\n' {
		data = append(slices.Clone(data), '\n')
	}
	out := Values{}
	docs := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(data)))
	for n := 1; ; n++ {
		doc, err := docs.Read()
		if errors.Is(err, io.EOF) {
			return normaliseValues(out)
		}
		if err == nil {
			var v map[string]any
			if v, err = parseDocument(doc); err == nil {
				out = Merge(out, v)
				continue
			}
		}
		if n > 1 {
			return nil, fmt.Errorf("read values file %s, document %d: %w", file, n, err)
		}
		return nil, fmt.Errorf("read values file %s: %w", file, err)
	}
}

func parseDocument(doc []byte) (map[string]any, error) {
	var raw any
	if err := yamlv2.Unmarshal(doc, &raw); err != nil {
		return nil, err
	}
	if _, ok := raw.(map[any]any); !ok && raw != nil {
		return nil, errors.New("values must be a map at the top: key: value")
	}
	if err := ambiguous(raw); err != nil {
		return nil, err
	}
	var v map[string]any
	if err := yaml.Unmarshal(doc, &v); err != nil {
		return nil, err
	}
	return v, nil
}

// ambiguous finds keys that differ in YAML and are equal in JSON (1 and "1"):
// which of them Helm takes is up to chance, so no digest could stand for it.
func ambiguous(v any) error {
	switch v := v.(type) {
	case map[any]any:
		seen := make(map[string]bool, len(v))
		for k, x := range v {
			s := fmt.Sprint(k)
			if f, ok := k.(float64); ok {
				s = fmt.Sprint(float32(f)) // as Helm's reader shortens it
			}
			if seen[s] {
				return fmt.Errorf("key %q stands twice, quoted and unquoted: keep one", s)
			}
			seen[s] = true
			if err := ambiguous(x); err != nil {
				return err
			}
		}
	case []any:
		for _, x := range v {
			if err := ambiguous(x); err != nil {
				return err
			}
		}
	}
	return nil
}
