package plan

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// obj reads an object as the API server would give it: whole numbers are int64.
func obj(t *testing.T, text string) Object {
	t.Helper()
	if text == "" {
		return nil
	}
	var o Object
	if err := yaml.Unmarshal([]byte(text), &o); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return whole(o).(Object)
}

func whole(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			v[k] = whole(x)
		}
	case []any:
		for i, x := range v {
			v[i] = whole(x)
		}
	case float64:
		return int64(v)
	}
	return v
}

// told is what a comparison says, a line each.
func told(groups []Group) string {
	var b strings.Builder
	for _, g := range groups {
		for _, it := range g.Items {
			fmt.Fprintf(&b, "%s | %s %s", g.Name, it.Action, it.Object)
			if it.Effect != "" {
				fmt.Fprintf(&b, " | %s", it.Effect)
			}
			b.WriteString("\n")
			for _, l := range it.Lines {
				fmt.Fprintf(&b, "  %s\n", l)
			}
			if it.More > 0 {
				fmt.Fprintf(&b, "  +%d\n", it.More)
			}
		}
	}
	return b.String()
}

const (
	proxy = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: proxy, uid: u, generation: 3, resourceVersion: "7", managedFields: [{manager: helm}], annotations: {deployment.kubernetes.io/revision: "3"}}
spec:
  replicas: 1
  template:
    metadata: {labels: {app: hub, component: proxy}}
    spec: {containers: [{name: chp, image: "r/hub:6", args: [--log=warn], env: [{name: AUTH_TOKEN, value: one}, {name: COLOUR, value: blue}]}]}
status: {readyReplicas: 1}
`
	nodePort = "{apiVersion: v1, kind: Service, metadata: {name: public}, spec: {type: NodePort, selector: {component: proxy}, ports: [{name: http, port: 80}]}}"
	inside   = "{apiVersion: v1, kind: Service, metadata: {name: public}, spec: {type: ClusterIP, selector: {component: proxy}, ports: [{name: http, port: 80}]}}"
	route    = "{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: in}, spec: {rules: [{backendRefs: [{name: public, port: 80}]}]}}"
	ingress  = "{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: in}, spec: {rules: [{http: {paths: [{backend: {service: {name: public}}}]}}]}}"
)

func TestWhatAChangeMeans(t *testing.T) {
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	secret := func(kv ...string) string {
		s := "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata:\n"
		for i := 0; i < len(kv); i += 2 {
			s += "  " + kv[i] + ": " + b64(kv[i+1]) + "\n"
		}
		return s
	}
	config := func(values string) string {
		return "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n  v.yaml: |\n    " + strings.ReplaceAll(values, "\n", "\n    ")
	}
	template := strings.NewReplacer("--log=warn", "--log=info", "value: one", "value: two", "blue", "green")
	for name, tt := range map[string]struct {
		live, next string
		doors      []string
		once, two  string
		want       string
	}{
		"what the server and the tools write is no change": {
			live: proxy, next: strings.NewReplacer("uid: u", "uid: v", "generation: 3", "generation: 4", `revision: "3"`, `revision: "4"`, "readyReplicas: 1", "readyReplicas: 0", "manager: helm", "manager: x").Replace(proxy),
		},
		"pods behind a NodePort restart": {
			live: proxy, next: template.Replace(proxy), doors: []string{nodePort},
			want: `users cut off | changed Deployment/proxy | its pods restart, and users are cut off meanwhile
  containers[chp].args: −--log=warn +--log=info
  containers[chp].env[AUTH_TOKEN].value: another value
  containers[chp].env[COLOUR].value: blue → green
`},
		"pods behind an Ingress restart": {
			live: proxy, next: strings.Replace(proxy, "blue", "green", 1), doors: []string{inside, ingress},
			want: `users cut off | changed Deployment/proxy | its pods restart, and users are cut off meanwhile
  containers[chp].env[COLOUR].value: blue → green
`},
		"pods behind an HTTPRoute restart": {
			live: proxy, next: strings.Replace(proxy, "blue", "green", 1), doors: []string{inside, route},
			want: `users cut off | changed Deployment/proxy | its pods restart, and users are cut off meanwhile
  containers[chp].env[COLOUR].value: blue → green
`},
		"an HTTPRoute goes": {
			live: route,
			want: `users cut off | removed HTTPRoute/in | the way in for users goes away
`},
		"pods that nobody reaches from outside restart, with their image": {
			live: proxy, next: strings.Replace(proxy, "hub:6", "hub:7", 1), doors: []string{inside},
			want: `restarts | changed Deployment/proxy | its pods restart
  containers[chp].image: r/hub:6 → r/hub:7
images | changed r/hub | of Deployment/proxy
  6 → 7
`},
		"more pods restart none": {
			live: proxy, next: strings.Replace(proxy, "replicas: 1", "replicas: 2", 1), doors: []string{nodePort},
			want: `others | changed Deployment/proxy | no pod restarts
  spec.replicas: 1 → 2
`},
		"no pods left behind a NodePort": {
			live: proxy, next: strings.Replace(proxy, "replicas: 1", "replicas: 0", 1), doors: []string{nodePort},
			want: `users cut off | changed Deployment/proxy | its pods end, and users are cut off meanwhile
  spec.replicas: 1 → 0
`},
		"pods that restart when they are deleted": {
			live: "{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: d}, spec: {updateStrategy: {type: OnDelete}, template: {spec: {priority: 1}}}}",
			next: "{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: d}, spec: {updateStrategy: {type: OnDelete}, template: {spec: {priority: 2}}}}",
			want: `others | changed DaemonSet/d | its pods restart only when somebody deletes them (updateStrategy OnDelete)
  priority: 1 → 2
`},
		"the users' way in moves": {
			live: nodePort, next: strings.Replace(nodePort, "port: 80", "port: 81", 1),
			want: `users cut off | changed Service/public | users come in through it: open connections may end, and its address or ports may differ
  spec.ports[http].port: 80 → 81
`},
		"a workload is removed": {live: proxy, doors: []string{inside}, want: "restarts | removed Deployment/proxy | its pods end\n"},
		"users' servers apart from the rest": {
			live: config("auth: {users: [ada, linus], token: abc}\nsingleuser: {image: {name: r/notebook, tag: \"1@sha256:" + strings.Repeat("a", 64) + "\"}, memory: 1G}\nnotes: x"),
			next: config("auth: {users: [ada, grace], token: abd}\nsingleuser: {image: {name: r/notebook, tag: \"2@sha256:" + strings.Repeat("b", 64) + "\"}, memory: 2G}\nnotes: z"),
			want: `user servers | changed ConfigMap/c | for servers that start from then on; running ones keep what they have
  data[v.yaml].singleuser.image.tag: 1@sha256:aaaaaaaaaaaa → 2@sha256:bbbbbbbbbbbb
  data[v.yaml].singleuser.memory: 1G → 2G
configuration | changed ConfigMap/c
  data[v.yaml].auth.token: another value
  data[v.yaml].auth.users: −linus +grace
  data[v.yaml].notes: x → z
images | changed r/notebook | of ConfigMap/c
  1@sha256:aaaaaaaaaaaa → 2@sha256:bbbbbbbbbbbb
`},
		"a program that sets the spawner": {
			live: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a.py: \"x = 1\\ny = 2\\n\", b.py: \"x = 1\\n\"}",
			next: "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a.py: \"x = 1\\nc.KubeSpawner.uid = 2\\n\", b.py: \"x = 2\\n\"}",
			want: `user servers | changed ConfigMap/c | for servers that start from then on; running ones keep what they have
  data[a.py]: a text, 1 lines out, 1 lines in
configuration | changed ConfigMap/c
  data[b.py]: a text, 1 lines out, 1 lines in
`},
		"keys of a Secret and no value": {
			live: secret("password", "hunter2", "token", "one", "old", "x", "values.yaml", "singleuser: {memory: 1G}"),
			next: secret("password", "hunter3", "token", "one", "new", "y", "values.yaml", "singleuser: {memory: 2G}"),
			want: `user servers | changed Secret/s | for servers that start from then on; running ones keep what they have
secrets | changed Secret/s
  key new: added
  key old: removed
  key password: another value
  key values.yaml: another value
`},
		"keys that every rendering makes anew": {
			live: secret("token", "one", "salt", "a"), next: secret("token", "two", "salt", "b"),
			once: secret("token", "two", "salt", "b"), two: secret("token", "three", "salt", "b"),
			want: `secrets | changed Secret/s | new at every deploy: token
  key salt: another value
  key token: another value
`},
		"a new Secret": {next: secret("token", "one", "salt", "a"), want: "secrets | added Secret/s | keys salt, token\n"},
		"a claim grows": {
			live: "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: db}, spec: {resources: {requests: {storage: 1Gi}}, volumeName: v}}",
			next: "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: db}, spec: {resources: {requests: {storage: 2Gi}}, volumeName: v}}",
			want: "volumes | changed PersistentVolumeClaim/db | its volume grows from 1Gi to 2Gi, and never back\n  spec.resources.requests.storage: 1Gi → 2Gi\n",
		},
		"a claim goes": {
			live: "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: db}, spec: {}}",
			want: "volumes | removed PersistentVolumeClaim/db | the claim goes, and with it its volume's data unless the volume's reclaim policy keeps them\n",
		},
		"a claim is kept": {
			live: "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: db, annotations: {helm.sh/resource-policy: keep}}, spec: {}}",
			want: "others | kept PersistentVolumeClaim/db | no longer part of the release; its resource-policy keeps it\n",
		},
		"rights": {
			live: "{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: r}, rules: [{verbs: [get]}]}",
			next: "{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: r}, rules: [{verbs: [get, list]}]}",
			want: "access and rights | changed Role/r\n  rules[0].verbs: +list\n",
		},
		"a network policy": {
			next: "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: shut}, spec: {}}",
			want: "network | added NetworkPolicy/shut\n",
		},
		"many lines are bounded": {
			live: "{apiVersion: x/v1, kind: X, metadata: {name: x}, spec: {}}",
			next: "{apiVersion: x/v1, kind: X, metadata: {name: x}, spec: {a: 1, b: 1, c: 1, d: 1, e: 1, f: 1, g: 1, h: 1, i: 1, j: 1, k: 1, l: 1, m: 1, o: 1}}",
			want: "others | changed X/x\n  spec.a: (none) → 1\n  spec.b: (none) → 1\n  spec.c: (none) → 1\n  spec.d: (none) → 1\n  spec.e: (none) → 1\n  spec.f: (none) → 1\n  spec.g: (none) → 1\n  spec.h: (none) → 1\n  spec.i: (none) → 1\n  spec.j: (none) → 1\n  spec.k: (none) → 1\n  spec.l: (none) → 1\n  +2\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			in := Input{Pairs: []Pair{{Live: obj(t, tt.live), New: obj(t, tt.next), Once: obj(t, tt.once), Again: obj(t, tt.two)}}}
			for _, d := range tt.doors {
				in.Doors = append(in.Doors, obj(t, d))
			}
			if diff := cmp.Diff(tt.want, told(Compare(in))); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestHooksRunWithoutAChange(t *testing.T) {
	hooks := []Hook{{Object: "Job/migrate", On: []string{"pre-upgrade"}}}
	same := obj(t, nodePort)
	for _, tt := range []struct {
		pair Pair
		want string
		same bool
	}{
		{Pair{Live: same, New: same}, "hooks | runs Job/migrate | pre-upgrade\n", true},
		{Pair{New: same}, "network | added Service/public\nhooks | runs Job/migrate | pre-upgrade\n", false},
	} {
		groups := Compare(Input{Pairs: []Pair{tt.pair}, Hooks: hooks})
		if got := told(groups); got != tt.want || Unchanged(groups) != tt.same {
			t.Errorf("got %s, unchanged %t", got, Unchanged(groups))
		}
	}
}

func TestSecretsAreHidden(t *testing.T) {
	key := func(names ...string) (p []step) {
		for _, n := range names {
			p = append(p, step{strings.Trim(n, "[]"), strings.HasPrefix(n, "[")})
		}
		return p
	}
	for _, tt := range []struct {
		path  []step
		value any
		want  string
	}{
		{key("env", "[DB_PASSWORD]", "value"), "x", hidden},
		{key("env", "[AWS_KEY]", "value"), "x", hidden},
		{key("env", "[PLAIN]", "value"), "x", "x"},
		{key("extraEnv", "[API_TOKEN]", "value"), "x", hidden},
		{key("containers", "[token-helper]", "image"), "x", "x"},
		{key("serviceKey"), "x", hidden},
		{key("auth", "secret"), "x", hidden},
		{key("dsn"), "https://abc@sentry/1", hidden},
		{key("env", "[T]", "valueFrom", "secretKeyRef", "name"), "hub", "hub"},
		{key("env", "[A_TOKEN]", "valueFrom", "secretKeyRef", "key"), "proxy-token", "proxy-token"},
		{key("volumes", "[secret]", "secret", "secretName"), "hub", "hub"},
		{key("auth", "client_secret"), "x", hidden},
		{key("metadata", "annotations", "checksum/password"), "x", hidden},
		{key("automountServiceAccountToken"), true, "true"},
		{key("args"), "--token=abc", hidden},
		{key("url"), "postgres://hub:abc@db/hub", hidden},
		{key("pem"), "-----BEGIN KEY-----", hidden},
		{key("topologyKey"), "zone", "zone"},
		{key("checksum/config"), strings.Repeat("0a", 32), "0a0a0a0a0a0a"},
		{key("empty"), "", `""`},
		{key("gone"), nil, "(none)"},
	} {
		if got := shown(tt.path, tt.value); got != tt.want {
			t.Errorf("%s %v: %s, want %s", written(tt.path), tt.value, got, tt.want)
		}
	}
	twice := func(v string) []any {
		return []any{map[string]any{"name": "A_TOKEN", "value": v}, map[string]any{"name": "A_TOKEN", "value": v}}
	}
	for _, c := range diff(key("env"), twice("abc"), twice("abd")) {
		if strings.Contains(c.text, "abc") || strings.Contains(c.text, "abd") {
			t.Errorf("a variable that is there twice: %s", c.text)
		}
	}
	c := elements(key("args"), []any{"run", "--token", "abc"}, []any{"run", "--token", "abd"})
	if strings.Contains(c.text, "ab") {
		t.Errorf("the word after an option: %s", c.text)
	}
}
