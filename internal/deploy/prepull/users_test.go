package prepull

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"gauntlet/internal/config"
	"gauntlet/internal/release"
)

// chart packs a chart of these files.
func chart(t *testing.T, files map[string]string) []byte {
	t.Helper()
	in := map[string][]byte{}
	for name, text := range files {
		in[name] = []byte(text)
	}
	tgz, err := release.PackChart(in, "", "")
	if err != nil {
		t.Fatal(err)
	}
	return tgz
}

func values(t *testing.T, text string) release.Values {
	t.Helper()
	v, err := release.ParseValues("values.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

const other = "apiVersion: v2\nname: other\nversion: 1.0.0\n"

func TestThePullerOfZeroToJupyterHubIsSwitchedOffWhereverItIs(t *testing.T) {
	const hub = "apiVersion: v2\nname: jupyterhub\nversion: 4.0.0\n"
	needs := func(name, list string) string {
		return "apiVersion: v2\nname: " + name + "\nversion: 1.0.0\ndependencies:\n" + list
	}
	dep := func(name, alias string) string {
		s := "  - {name: " + name + ", version: '>0', repository: 'https://example.org'"
		if alias != "" {
			s += ", alias: " + alias
		}
		return s + "}\n"
	}
	const off = "prePuller: {hook: {enabled: false}}"
	for name, c := range map[string]struct {
		files map[string]string
		conf  config.PrePuller
		want  string
	}{
		"the chart itself": {map[string]string{"Chart.yaml": hub}, config.PrePuller{}, off},
		"a dependency": {map[string]string{"Chart.yaml": needs("base", dep("jupyterhub", "")), "charts/jupyterhub/Chart.yaml": hub},
			config.PrePuller{}, "jupyterhub: {" + off + "}"},
		"by its alias": {map[string]string{"Chart.yaml": needs("base", dep("jupyterhub", "hub")), "charts/jupyterhub/Chart.yaml": hub},
			config.PrePuller{}, "hub: {" + off + "}"},
		"two aliases": {map[string]string{"Chart.yaml": needs("base", dep("jupyterhub", "one")+dep("jupyterhub", "two")), "charts/jupyterhub/Chart.yaml": hub},
			config.PrePuller{}, "{one: {" + off + "}, two: {" + off + "}}"},
		"a dependency's dependency": {map[string]string{
			"Chart.yaml": needs("dask", dep("base", "")), "charts/base/Chart.yaml": needs("base", dep("jupyterhub", "")),
			"charts/base/charts/jupyterhub/Chart.yaml": hub}, config.PrePuller{}, "base: {jupyterhub: {" + off + "}}"},
		"not in Chart.yaml": {map[string]string{"Chart.yaml": other, "charts/jupyterhub/Chart.yaml": hub}, config.PrePuller{}, "jupyterhub: {" + off + "}"},
		"another chart":     {map[string]string{"Chart.yaml": other}, config.PrePuller{}, ""},
		"as gauntlet.yaml says": {map[string]string{"Chart.yaml": other},
			config.PrePuller{Off: map[string]any{"puller.image": nil, "puller.run": false}}, "puller: {run: false, image: null}"},
		"gauntlet.yaml says nothing is": {map[string]string{"Chart.yaml": hub}, config.PrePuller{Off: map[string]any{}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Off(c.conf, chart(t, c.files))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(values(t, c.want), got); d != "" {
				t.Error(d)
			}
		})
	}
	if _, err := Off(config.PrePuller{}, []byte("no chart")); err == nil {
		t.Error("what is no chart was read")
	}
}

func TestAPullerThatIsStillOnIsNoticed(t *testing.T) {
	off := release.Values{"a": map[string]any{"hook": map[string]any{"enabled": false}}, "b": "x"}
	for text, want := range map[string]string{
		"a: {hook: {enabled: false}}\nb: x": "",
		"a: {hook: {enabled: true}}\nb: x":  "a.hook.enabled",
		"b: x":                              "a",
		"a: 1\nb: x":                        "a",
		"a: {hook: {enabled: false}}":       "b",
	} {
		if got := StillOn(values(t, text), off); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	if got := StillOn(values(t, "a: 1"), nil); got != "" {
		t.Errorf("nothing to switch off: %q", got)
	}
}

func TestWhatValuesSayOfUsersPods(t *testing.T) {
	z2jh := map[string]string{"Chart.yaml": "apiVersion: v2\nname: jupyterhub\nversion: 4.0.0\n", "values.yaml": `
singleuser:
  startTimeout: 300
  nodeSelector: {pool: default}
  image: {name: quay.io/x/sample, tag: "4.0"}
  networkTools: {image: {name: quay.io/x/tools, tag: "1"}}
  cloudMetadata: {blockWithIptables: true}
  profileList: []
scheduling:
  userPods:
    tolerations: [{key: dedicated, operator: Equal, value: user, effect: NoSchedule}]
    nodeAffinity: {matchNodePurpose: prefer}
prePuller: {pullProfileListImages: true, extraImages: {}}
imagePullSecrets: []
`}
	user := corev1.Toleration{Key: "dedicated", Operator: corev1.TolerationOpEqual, Value: "user", Effect: corev1.TaintEffectNoSchedule}
	gpu := corev1.Toleration{Key: "gpu", Operator: corev1.TolerationOpExists}
	digest := "sha256:" + strings.Repeat("a", 64)
	for name, c := range map[string]struct {
		files  map[string]string
		conf   config.PrePuller
		values string
		want   Users
	}{
		"the chart's defaults": {files: z2jh, want: Users{
			NodeSelector: map[string]string{"pool": "default"}, Tolerations: []corev1.Toleration{user},
			Images: []string{"quay.io/x/tools:1"}, StartTimeout: 5 * time.Minute}},
		"all that users may start": {files: z2jh, values: `
singleuser:
  image: {name: r/notebook, tag: "abc@` + digest + `", pullSecrets: [mine]}
  cloudMetadata: {blockWithIptables: false}
  extraTolerations: [{key: gpu, operator: Exists}]
  nodeSelector: {pool: null, size: 4}
  startTimeout: 60
  initContainers: [{name: i, image: "r/init:1"}]
  profileList:
    - {display_name: none}
    - {kubespawner_override: {image: "r/a:1"}}
    - profile_options: {image: {choices: {b: {kubespawner_override: {image: "r/b:1"}}, c: {kubespawner_override: {mem_limit: 1G}}}}}
  extraNodeAffinity: {required: [{matchExpressions: [{key: size, operator: In, values: [big, small]}]}]}
scheduling: {userPods: {nodeAffinity: {matchNodePurpose: require}}}
prePuller: {extraImages: {x: {name: r/x, tag: "1"}}}
imagePullSecret: {create: true}
imagePullSecrets: [one, {name: two}]
`, want: Users{
			NodeSelector: map[string]string{"size": "4"}, Terms: []corev1.NodeSelectorTerm{in("hub.jupyter.org/node-purpose", "user"), in("size", "big", "small")}, Tolerations: []corev1.Toleration{user, gpu},
			PullSecrets: []string{"one", "two", "mine", "image-pull-secret"}, StartTimeout: time.Minute,
			Images: []string{"r/notebook@" + digest, "r/init:1", "r/a:1", "r/b:1", "r/x:1"}}},
		"profiles that are not pulled": {files: z2jh, values: "singleuser: {profileList: [{kubespawner_override: {image: 'r/a:1'}}], cloudMetadata: {enabled: true}}\nprePuller: {pullProfileListImages: false}", want: Users{
			NodeSelector: map[string]string{"pool": "default"}, Tolerations: []corev1.Toleration{user}, StartTimeout: 5 * time.Minute}},
		"gauntlet.yaml says it otherwise": {files: z2jh, values: "mine: {sel: {a: b}, tol: [{key: gpu, operator: Exists}], timeout: 10, secret: s}",
			conf: config.PrePuller{NodeSelector: "mine.sel", Tolerations: []string{"mine.tol", "none"}, PullSecrets: []string{"mine.secret"}, StartTimeout: "mine.timeout"},
			want: Users{NodeSelector: map[string]string{"a": "b"}, Tolerations: []corev1.Toleration{gpu}, PullSecrets: []string{"s"}, StartTimeout: 10 * time.Second,
				Images: []string{"quay.io/x/tools:1"}}},
		"another chart": {files: map[string]string{"Chart.yaml": other, "values.yaml": "sel: {a: b}\n"}, conf: config.PrePuller{NodeSelector: "sel"},
			want: Users{NodeSelector: map[string]string{"a": "b"}}},
	} {
		t.Run(name, func(t *testing.T) {
			if name != "all that users may start" { // the notebook is there in every case
				c.want.Images = append([]string{"quay.io/x/sample:4.0"}, c.want.Images...)
			}
			if name == "another chart" {
				c.want.Images = nil
			}
			got, err := ReadUsers(c.conf, chart(t, c.files), values(t, c.values))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
	for text, want := range map[string]string{
		"imagePullSecret: {create: true}":                                              "image-pull-secret",
		"imagePullSecret: {create: true}\nfullnameOverride: hubs":                      "hubs-image-pull-secret",
		"imagePullSecret: {create: true, automaticReferenceInjection: false}":          "",
		"imagePullSecret: {create: false, automaticReferenceInjection: true}":          "",
		"hub: {config: {KubeSpawner: {image_pull_secrets: [{name: of-the-spawner}]}}}": "of-the-spawner",
	} {
		got, err := ReadUsers(config.PrePuller{}, chart(t, z2jh), values(t, text))
		if err != nil || strings.Join(got.PullSecrets, ", ") != want {
			t.Errorf("%s: %q, %v", text, got.PullSecrets, err)
		}
	}
	for _, bad := range []config.PrePuller{{NodeSelector: "a"}, {Tolerations: []string{"a"}}, {PullSecrets: []string{"b"}}, {StartTimeout: "a"}} {
		if _, err := ReadUsers(bad, chart(t, map[string]string{"Chart.yaml": other}), values(t, "a: text\nb: 5")); err == nil || !strings.Contains(err.Error(), "value ") {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

func in(key string, values ...string) corev1.NodeSelectorTerm {
	return corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{{Key: key, Operator: corev1.NodeSelectorOpIn, Values: values}}}
}

func TestTermsThatAreNoneAreNamed(t *testing.T) {
	files := map[string]string{"Chart.yaml": "apiVersion: v2\nname: jupyterhub\nversion: 4.0.0\n"}
	_, err := ReadUsers(config.PrePuller{}, chart(t, files), values(t, "singleuser: {extraNodeAffinity: {required: [{matchExpression: []}]}}"))
	if err == nil || !strings.Contains(err.Error(), "value singleuser.extraNodeAffinity.required") {
		t.Error(err)
	}
}

func TestAPinnedReferenceHasNoTag(t *testing.T) {
	d := "@sha256:" + strings.Repeat("a", 64)
	for in, want := range map[string]string{
		"r.example.org:5000/x/y:1" + d: "r.example.org:5000/x/y" + d,
		"r.example.org:5000/x/y" + d:   "r.example.org:5000/x/y" + d,
		"x:1":                          "x:1",
		"":                             "",
	} {
		if got := Pinned(in); got != want {
			t.Errorf("%s: %s", in, got)
		}
	}
	for in, want := range map[string]string{
		"debian":                  "docker.io/library/debian:latest",
		"jupyter/scipy:1":         "docker.io/jupyter/scipy:1",
		"index.docker.io/a/b:1":   "docker.io/a/b:1",
		"localhost/a":             "localhost/a:latest",
		"r.example.org/a:1" + d:   "r.example.org/a" + d,
		"172.29.0.1:5000/a/b:tag": "172.29.0.1:5000/a/b:tag",
	} {
		if got := canonical(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

func FuzzCanonical(f *testing.F) {
	for _, s := range []string{"", "a", "a/b:c@sha256:1", "::", "@", "/@:", "a.b/"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, ref string) {
		if once := canonical(ref); canonical(once) != once && strings.Count(ref, "@") < 2 {
			t.Errorf("%q: %q and then %q", ref, once, canonical(once))
		}
	})
}
