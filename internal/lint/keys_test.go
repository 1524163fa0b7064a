package lint

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"gauntlet/internal/release"
)

// keys are those of a chart of these files.
func keys(t testing.TB, files map[string]string) *Keys {
	t.Helper()
	all := map[string][]byte{"Chart.yaml": []byte("apiVersion: v2\nname: main\nversion: 1.0.0\n")}
	for name, text := range files {
		all[name] = []byte(text)
	}
	b, err := release.PackChart(all, "", "")
	if err != nil {
		t.Fatal(err)
	}
	k, err := KeysOf(b)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func unknown(t testing.TB, k *Keys, values string) string {
	t.Helper()
	var v map[string]any
	if err := yaml.Unmarshal([]byte(values), &v); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, f := range k.Unknown(v) {
		lines = append(lines, f.Path+": "+f.Cause+": "+f.Fix)
	}
	return strings.Join(lines, "\n")
}

func TestUnknownKeys(t *testing.T) {
	loose := keys(t, map[string]string{
		"values.yaml":         "hub: {image: {name: x, tag: y}, nodeSelector: {}, resources: {limits: {cpu: 1}}, replicas: 1}\nproxy: {}\nempty:\n",
		"templates/hub.yaml":  "{{ .Values.hub.image.pullPolicy }} {{ toYaml .Values.hub.resources }} {{ .Values.hidden }}",
		"templates/_util.tpl": "",
	})
	strict := keys(t, map[string]string{
		"values.yaml":        "hub: {image: {name: x}}\n",
		"values.schema.json": `{"type": "object", "additionalProperties": false, "properties": {"hub": {"additionalProperties": false, "properties": {"image": {"properties": {"name": {}}}, "config": {"additionalProperties": true, "properties": {"a": {}}}, "env": {"patternProperties": {"^A": {}}}, "odd": {"anyOf": [{}], "additionalProperties": false}}}}}`,
	})
	const none = ": the chart has no such value: "
	const refused = ": the chart's schema has no such key: Helm will refuse it: "
	for name, c := range map[string]struct {
		k            *Keys
		values, want string
	}{
		"all known":                        {loose, "hub: {image: {tag: a}, nodeSelector: {a: b}, replicas: 2}\nproxy: {x: 1}\nempty: {y: 1}\nglobal: {a: 1}", ""},
		"a slip":                           {loose, "hub: {imgae: {tag: a}}", "hub.imgae" + none + "did you mean image?"},
		"read by a template alone":         {loose, "hub: {image: {pullPolicy: Always}}\nhidden: 1", ""},
		"passed on as a whole":             {loose, "hub: {resources: {requests: {cpu: 1}}}", ""},
		"at the top":                       {loose, "elsewhere: 1", "elsewhere" + none + "take it out"},
		"helpers at the top":               {loose, "x-common: 1\n_anchors: 1\n.y: 1", ""},
		"dropped":                          {loose, "elsewhere: null", ""},
		"closed by the schema":             {strict, "hub: {image: {name: x}, port: 1}\nhbu: 1\nglobal: 1", "hbu" + refused + "did you mean hub?\nhub.port" + refused + "take it out"},
		"open by the schema":               {strict, "hub: {config: {b: 1}, env: {B: 1}, odd: {x: 1}}", ""},
		"the schema leaves it to the rest": {strict, "hub: {image: {nam: x, other: y}}", "hub.image.nam" + none + "did you mean name?"},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, unknown(t, c.k, c.values)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestBelowWhatASchemaLeavesOpenNothingIsUnknown(t *testing.T) {
	const schema = `{"properties": {"config": {"type": "object", "additionalProperties": true}}}`
	sub := map[string]string{
		"Chart.yaml":                    "apiVersion: v2\nname: main\nversion: 1.0.0\n",
		"values.yaml":                   "sub: {config: {Authenticator: {allow_all: true}}}\n",
		"charts/sub/Chart.yaml":         "apiVersion: v2\nname: sub\nversion: 1.0.0\n",
		"charts/sub/values.yaml":        "config: {JupyterHub: {admin_access: true}}\n",
		"charts/sub/values.schema.json": schema,
	}
	if got := unknown(t, keys(t, sub), "sub: {config: {Authenticator: {allow_al: 1}, JupyterHub: {admin_acces: 1}}}"); got != "" {
		t.Error(got)
	}
}

func TestKeysOfSubcharts(t *testing.T) {
	k := keys(t, map[string]string{
		"Chart.yaml":             "apiVersion: v2\nname: main\nversion: 1.0.0\ndependencies: [{name: sub, version: 1.0.0, alias: hub, condition: hub.enabled}, {name: away, version: 1.0.0}]\n",
		"values.yaml":            "hub: {more: {a: 1}}\n",
		"charts/sub/Chart.yaml":  "apiVersion: v2\nname: sub\nversion: 1.0.0\n",
		"charts/sub/values.yaml": "image: {name: x}\n",
		"charts/old/Chart.yaml":  "apiVersion: v2\nname: old\nversion: 1.0.0\n",
		"charts/old/values.yaml": "size: 1\n",
	})
	const none = ": the chart has no such value: "
	if diff := cmp.Diff("hub.imag"+none+"did you mean image?\nold.sise"+none+"did you mean size?\nsub"+none+"did you mean hub?",
		unknown(t, k, "hub: {enabled: true, imag: 1, image: {name: y}, more: {a: 2}}\nold: {sise: 1}\nsub: {x: 1}\naway: {x: 1}\ntags: {x: true}")); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func FuzzKeys(f *testing.F) {
	f.Add(`{"properties": {"a": {"$ref": "#"}}, "additionalProperties": false}`, "a: {b: 1}\n", "a: {c: 1}\nb: 2\n")
	f.Add(`{"properties": 3}`, "- a\n", "a: [{}]\n")
	f.Fuzz(func(t *testing.T, schema, values, own string) {
		b, err := release.PackChart(map[string][]byte{
			"Chart.yaml":  []byte("apiVersion: v2\nname: main\nversion: 1.0.0\n"),
			"values.yaml": []byte(values), "values.schema.json": []byte(schema),
		}, "", "")
		if err != nil {
			return
		}
		k, err := KeysOf(b)
		if err != nil {
			return
		}
		var v map[string]any
		if yaml.Unmarshal([]byte(own), &v) == nil {
			k.Unknown(v)
		}
	})
}
