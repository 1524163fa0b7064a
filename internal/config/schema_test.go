package config

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

func schema(t *testing.T, kind string) *jsonschema.Schema {
	t.Helper()
	data, err := Schema(kind)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func asJSON(t *testing.T, doc string) any {
	t.Helper()
	var v any
	if err := yaml.Unmarshal([]byte(doc), &v); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	x, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestSchemasAcceptWhatTheParsersAccept(t *testing.T) {
	for kind, docs := range map[string][]string{
		"platform": {goodPlatform, read(t, "../../examples/pangeo/gauntlet.yaml"), read(t, "../../examples/other-chart/gauntlet.yaml")},
		"policy":   {goodPolicy, read(t, "../../examples/pangeo/policy.yaml")},
	} {
		s := schema(t, kind)
		for _, doc := range docs {
			if err := s.Validate(asJSON(t, doc)); err != nil {
				t.Errorf("%s: %v", kind, err)
			}
			if err := s.Validate(asJSON(t, doc+"\nextra: 1\n")); err == nil {
				t.Errorf("%s: an unknown key passes", kind)
			}
		}
	}
}

func read(t testing.TB, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Every key of the types is a property of the schema, and the other way round.
func TestSchemasHaveTheKeysOfTheTypes(t *testing.T) {
	for kind, typ := range map[string]reflect.Type{"platform": reflect.TypeFor[Platform](), "policy": reflect.TypeFor[Policy]()} {
		data, err := Schema(kind)
		if err != nil {
			t.Fatal(err)
		}
		var doc map[string]any
		if err := json.Unmarshal(data, &doc); err != nil {
			t.Fatal(err)
		}
		var inSchema, inTypes []string
		properties(doc, &inSchema)
		allKeys(typ, &inTypes, map[reflect.Type]bool{})
		slices.Sort(inSchema)
		slices.Sort(inTypes)
		if a, b := strings.Join(slices.Compact(inSchema), " "), strings.Join(slices.Compact(inTypes), " "); a != b {
			t.Errorf("%s:\nschema %s\ntypes  %s", kind, a, b)
		}
	}
}

func properties(v any, out *[]string) {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			if m, ok := x.(map[string]any); ok && k == "properties" {
				for name := range m {
					*out = append(*out, name)
				}
			}
			properties(x, out)
		}
	case []any:
		for _, x := range v {
			properties(x, out)
		}
	}
}

func allKeys(t reflect.Type, out *[]string, seen map[reflect.Type]bool) {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		allKeys(t.Elem(), out, seen)
	case reflect.Struct:
		if seen[t] {
			return
		}
		seen[t] = true
		*out = append(*out, keysOf(t)...)
		for i := range t.NumField() {
			if t.Field(i).IsExported() {
				allKeys(t.Field(i).Type, out, seen)
			}
		}
	}
}
