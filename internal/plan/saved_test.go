package plan

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gauntlet/internal/release"
)

var salt = bytes.Repeat([]byte{7}, saltBytes)

func head() Saved {
	d := release.DigestOf([]byte("x"))
	return Saved{
		Made:     time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC),
		Place:    Place{Hub: "compute", Cluster: "production", ClusterUID: "c1", Namespace: "ns", NamespaceUID: "n1", HelmRelease: "compute"},
		Revision: 4, Release: d, Deployable: d, Access: d, Policy: d,
	}
}

// web is a Deployment, live and to come.
func web(replicas int, image, checksum string) Object {
	return Object{
		"apiVersion": "apps/v1", "kind": "Deployment",
		"metadata": map[string]any{"name": "web", "namespace": "ns", "resourceVersion": "77", "annotations": map[string]any{"deployment.kubernetes.io/revision": "3"}},
		"spec":     map[string]any{"replicas": int64(replicas), "template": map[string]any{"metadata": map[string]any{"annotations": map[string]any{"checksum": checksum}}, "spec": map[string]any{"image": image}}},
		"status":   map[string]any{"readyReplicas": int64(replicas)},
	}
}

func secretOf(value string) Object {
	return Object{"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": "hub", "namespace": "ns"}, "data": map[string]any{"password": value}}
}

func input() Input {
	return Input{
		Pairs: []Pair{
			{Live: web(1, "a", "1"), New: web(1, "b", "2"), Once: web(1, "b", "2"), Again: web(1, "b", "3")},
			{Live: secretOf("b3Blbg=="), New: secretOf("b3Blbg=="), Once: secretOf("b3Blbg=="), Again: secretOf("b3Blbg==")},
		},
		Hooks: []Hook{{Object: "Job/migrate", On: []string{"pre-upgrade"}, Manifest: Object{"kind": "Job"}}},
	}
}

func saved(t testing.TB, s Saved, in Input) Saved {
	t.Helper()
	out, err := Save(s, salt, in)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestASavedPlanHoldsAsLongAsNothingMoves(t *testing.T) {
	was := saved(t, head(), input())
	for name, tt := range map[string]struct {
		change func(*Saved, *Input)
		want   []string
	}{
		"nothing":  {func(*Saved, *Input) {}, nil},
		"the time": {func(s *Saved, _ *Input) { s.Made = s.Made.Add(time.Hour) }, nil},
		"what servers and tools note": {func(_ *Saved, in *Input) {
			in.Pairs[0].Live["metadata"].(map[string]any)["resourceVersion"] = "78"
			in.Pairs[0].Live["metadata"].(map[string]any)["annotations"] = map[string]any{"deployment.kubernetes.io/revision": "4"}
			in.Pairs[0].Live["status"] = nil
		}, nil},
		"what is new at every deploy": {func(_ *Saved, in *Input) { in.Pairs[0].Once, in.Pairs[0].Again = web(1, "b", "8"), web(1, "b", "9") }, nil},
		"what the dry run says":       {func(_ *Saved, in *Input) { in.Pairs[0].New = web(1, "b", "8") }, nil},
		"somebody scaled the hub":     {func(_ *Saved, in *Input) { in.Pairs[0].Live = web(0, "a", "1") }, []string{"apps/v1 Deployment ns/web was changed"}},
		"an object was deleted":       {func(_ *Saved, in *Input) { in.Pairs[0].Live = nil }, []string{"apps/v1 Deployment ns/web was there and is gone"}},
		"an object came": {func(_ *Saved, in *Input) {
			in.Pairs = append(in.Pairs, Pair{Live: Object{"apiVersion": "v1", "kind": "Service", "metadata": map[string]any{"name": "new"}}})
		}, []string{"v1 Service new was not there"}},
		"a secret was changed":      {func(_ *Saved, in *Input) { in.Pairs[1].Live = secretOf("c2VzYW1l") }, []string{"v1 Secret ns/hub was changed"}},
		"another rendering":         {func(_ *Saved, in *Input) { in.Pairs[0].Once, in.Pairs[0].Again = web(1, "c", "1"), web(1, "c", "1") }, []string{"apps/v1 Deployment ns/web is rendered otherwise"}},
		"an object is not rendered": {func(_ *Saved, in *Input) { in.Pairs[0].New, in.Pairs[0].Once, in.Pairs[0].Again = nil, nil, nil }, []string{"apps/v1 Deployment ns/web is rendered otherwise"}},
		"another hook":              {func(_ *Saved, in *Input) { in.Hooks[0].Manifest = Object{"kind": "Job", "spec": 1} }, []string{"the hooks are others"}},
		"no hook":                   {func(_ *Saved, in *Input) { in.Hooks = nil }, []string{"the hooks are others"}},
		"another revision":          {func(s *Saved, _ *Input) { s.Revision = 5 }, []string{"the hub is at revision 5, and was at 4"}},
		"a cluster made anew":       {func(s *Saved, _ *Input) { s.ClusterUID, s.NamespaceUID = "c2", "n2" }, []string{"the cluster is another one"}},
		"a namespace made anew":     {func(s *Saved, _ *Input) { s.NamespaceUID = "n2" }, []string{"the namespace was made anew"}},
		"another release":           {func(s *Saved, _ *Input) { s.Release = release.DigestOf([]byte("y")) }, []string{"the plan is of release " + head().Release.Short()}},
		"another policy":            {func(s *Saved, _ *Input) { s.Policy = release.DigestOf([]byte("y")) }, []string{"policy " + head().Policy.Short() + " was in force, and " + release.DigestOf([]byte("y")).Short() + " is now"}},
		"another hub":               {func(s *Saved, _ *Input) { s.Hub = "coastal" }, []string{`the plan is of hub "compute", Helm release ns/compute`}},
	} {
		t.Run(name, func(t *testing.T) {
			s, in := head(), input()
			tt.change(&s, &in)
			if d := cmp.Diff(tt.want, was.Moved(saved(t, s, in))); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestASavedPlanShowsNothingOfWhatItHashes(t *testing.T) {
	b, err := saved(t, head(), input()).Encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"password", "b3Blbg==", "open", "replicas", "image"} {
		if strings.Contains(string(b), s) {
			t.Errorf("it holds %q", s)
		}
	}
	other, err := Save(head(), bytes.Repeat([]byte{8}, saltBytes), input())
	if err != nil {
		t.Fatal(err)
	}
	for i, o := range saved(t, head(), input()).Objects {
		if o.Live == other.Objects[i].Live || o.Next == other.Objects[i].Next {
			t.Errorf("%s has the same hash with another salt", o.Object)
		}
	}
	if _, err := Save(head(), []byte("short"), input()); err == nil {
		t.Error("a short salt is taken")
	}
}

func TestAFileIsReadAsItWasWrittenAndNothingElseIs(t *testing.T) {
	was := saved(t, head(), input())
	b, err := was.Encode()
	if err != nil {
		t.Fatal(err)
	}
	is, err := ParseSaved(b)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(was, is); d != "" {
		t.Error(d)
	}
	if !slices.Equal(is.SaltBytes(), salt) {
		t.Error("the salt is another")
	}
	swap := func(from, to string) []byte {
		if !bytes.Contains(b, []byte(from)) {
			t.Fatalf("no %q", from)
		}
		return bytes.Replace(b, []byte(from), []byte(to), 1)
	}
	for name, tt := range map[string]struct {
		data []byte
		want string
	}{
		"nothing":           {nil, "no plan"},
		"another thing":     {[]byte("release: x"), "no plan"},
		"a later format":    {swap("plan/v1", "plan/v2"), "make the plan again"},
		"an unknown field":  {swap(`"made"`, `"mode": 1, "made"`), "mode"},
		"two of them":       {append(slices.Clone(b), b...), "no plan"},
		"a digest of none":  {swap(string(head().Release), "sha256:12"), "digests"},
		"a salt of none":    {swap(`"salt": "07`, `"salt": "`), "salt"},
		"objects unordered": {swap("apps/v1 Deployment", "v2 Deployment"), "in order"},
		"far too large":     {bytes.Repeat([]byte(" "), maxSaved+1), "MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := ParseSaved(tt.data); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func FuzzParseSaved(f *testing.F) {
	b, err := saved(f, head(), Input{Pairs: input().Pairs[:1], Hooks: input().Hooks}).Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"format":"gauntlet/plan/v1","objects":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := ParseSaved(data)
		if err != nil {
			return
		}
		if moved := s.Moved(s); moved != nil {
			t.Errorf("it differs from itself: %v", moved)
		}
		again, err := s.Encode()
		if err != nil || !json.Valid(again) {
			t.Errorf("%v", err)
		}
		if _, err := ParseSaved(again); err != nil {
			t.Errorf("what it writes it does not read: %v", err)
		}
	})
}
