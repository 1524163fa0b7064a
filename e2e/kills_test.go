package e2e

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"gauntlet/internal/kill"
)

// killPoints are where every `make test` ends gauntlet with SIGKILL.
var killPoints = []string{
	"build:pushed",                          // the images are in the registry, no statement says so
	"pairing:notebook+worker: workers join", // pods on the workbench
	"deploy:pending",                        // between Helm's pending record and its deployed one
	"deploy:unrecorded",                     // deployed, and no statement says so
	"hub:server starts",                     // a probe user with a running server and a volume
}

func kills(t *testing.T) {
	s := newSmall(t, "kills", 30120)
	// Sources of its own, so that the images are built here.
	s.replace("images/worker/Dockerfile", "USER 1000", "ENV DRILL="+randomName()+"\nUSER 1000")
	s.begin()
	for _, point := range killPoints {
		if r := s.try([]string{kill.Env + "=" + point}, "run", "--key", "ci"); r.code != -1 {
			t.Fatalf("the run was not killed at %s: exit code %d\n%s", point, r.code, r.all())
		}
	}
	s.gauntlet(0, "run", "--key", "ci")
	s.whole()
}

// whole checks what must hold after any number of kills and one completed run.
func (s *small) whole() {
	s.t.Helper()
	st := statusOf(s.team)
	if h := st.Hubs["testing"]; h.Release != st.Release.Label() || h.Foreign || h.Problem != "" {
		s.t.Errorf("hub testing: %+v", h)
	}
	deployed, interrupted := s.revisions()
	if deployed != 1 || interrupted > 1 {
		s.t.Errorf("%d deployed and %d interrupted revisions, expected 1 and at most 1", deployed, interrupted)
	}
	count := map[string]int{}
	for _, what := range s.shown() {
		count[what]++
	}
	for _, want := range []string{"image PASSED", "pairing PASSED", "render PASSED", "hub PASSED", "deployment"} {
		// On a busy machine a check may need a second try, which is a warning.
		n := count[want]
		if flaky := strings.Replace(want, "PASSED", "WARNED", 1); flaky != want {
			n += count[flaky]
		}
		if n != 1 {
			s.t.Errorf("the ledger holds %d × %q, expected one: %v", n, want, count)
		}
	}
	if rejected := logOf(s.team).Rejected; len(rejected) > 0 {
		s.t.Errorf("rejected statements: %v", rejected)
	}
	leftNothing(s.team, s.name)
}

// revisions counts the Helm revisions of the hub that are deployed, and those that an
// interrupted run left, which must say so. Helm calls the latter failed, or superseded
// once another has followed.
func (s *small) revisions() (deployed, interrupted int) {
	s.t.Helper()
	out := s.kubectl("bleeding-edge", "-n", s.name, "get", "secrets", "-l", "owner=helm", "-o", "json")
	var list struct {
		Items []struct {
			Data struct{ Release []byte }
		}
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		s.t.Fatal(err)
	}
	for _, i := range list.Items {
		rec := readRecord(s.t, i.Data.Release)
		switch {
		case rec.Info.Status == "deployed":
			deployed++
		case strings.Contains(rec.Info.Description, "interrupted"):
			interrupted++
		default:
			s.t.Errorf("revision %d is %s: %s", rec.Version, rec.Info.Status, rec.Info.Description)
		}
	}
	return deployed, interrupted
}

// record is what we read of Helm's own: base64 over gzip over JSON.
type record struct {
	Version int
	Info    struct{ Status, Description string }
}

func readRecord(t *testing.T, data []byte) record {
	t.Helper()
	zipped, err := base64.StdEncoding.DecodeString(string(data))
	if err != nil {
		t.Fatal(err)
	}
	r, err := gzip.NewReader(bytes.NewReader(zipped))
	if err != nil {
		t.Fatal(err)
	}
	var rec record
	if err := json.NewDecoder(r).Decode(&rec); err != nil {
		t.Fatal(err)
	}
	return rec
}
