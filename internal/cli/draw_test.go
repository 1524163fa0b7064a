package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gauntlet/internal/evidence"
	"gauntlet/internal/gate"
	"gauntlet/internal/pipeline"
	"gauntlet/internal/release"
)

// day is when everything in these tests happens.
var day = time.Date(2030, 5, 1, 9, 0, 0, 0, time.UTC)

func digest(s string) release.Digest { return release.DigestOf([]byte(s)) }

// golden compares what was drawn with a file of testdata/golden; UPDATE_GOLDEN
// writes it anew.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "golden", name+".txt")
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Error(d)
	}
	for i, line := range strings.Split(got, "\n") {
		if strings.TrimRight(line, " ") != line {
			t.Errorf("line %d ends with spaces", i+1)
		}
	}
}

// halfway is a release that canary's users are trying.
func halfway() *pipeline.Status {
	return &pipeline.Status{
		Release: digest("R"), Label: "1a2b3c4", Policy: digest("policy"),
		Images: map[string]release.Digest{"notebook": digest("notebook"), "worker": digest("worker")},
		Tiers:  []string{"bleeding-edge", "canary", "production"},
		TierOf: map[string]string{"testing": "bleeding-edge", "test2": "bleeding-edge", "compute-test": "canary", "coastal": "production", "compute": "production"},
		Steps: []gate.Step{
			{Name: "image build test", State: gate.Done, Since: day.Add(-50 * time.Hour), Evidence: []release.Digest{digest("build"), digest("image")}},
			{Name: "image pairing test", State: gate.Done, Since: day.Add(-49 * time.Hour), Evidence: []release.Digest{digest("pairing")}},
			{Name: "bleeding-edge", Tier: "bleeding-edge", State: gate.Done, Since: day.Add(-3 * time.Hour),
				Evidence: []release.Digest{digest("1"), digest("2"), digest("3"), digest("4"), digest("5")},
				Hubs:     map[string]string{"testing": "on hub testing since 2030-05-01 06:00 UTC; suite hub passed", "test2": "not deployed on hub test2 yet"}},
			{Name: "canary", Tier: "canary", State: gate.Waiting, Command: "gauntlet signoff " + digest("R").Short(),
				Reasons: []string{"linus has not signed off what runs in canary", "soaks until 2030-05-04 06:00 UTC"},
				Hubs:    map[string]string{"compute-test": "on hub compute-test since 2030-05-01 06:00 UTC"}},
			{Name: "production", Tier: "production", State: gate.Todo, Reasons: []string{"comes after canary"},
				Hubs: map[string]string{"coastal": "not deployed on hub coastal yet", "compute": "not deployed on hub compute yet"}},
		},
		Hubs: map[string]gate.HubState{
			"testing":      {Deployable: digest("on testing").Label(), Release: digest("R").Label(), Revision: 12},
			"test2":        {},
			"compute-test": {Deployable: digest("on compute-test").Label(), Release: digest("R").Label(), Revision: 7},
			"coastal":      {Revision: 4, Foreign: true},
			"compute":      {Problem: "Helm release compute/compute of cluster production cannot be read: no answer in 10s"},
		},
	}
}

func TestTheLadderShowsEveryStepAndWhatMovesIt(t *testing.T) {
	var b bytes.Buffer
	drawLadder(&b, halfway(), day)
	drawHubs(&b, halfway())
	golden(t, "halfway", b.String())
}

func TestTheLadderOfAReleaseThatStands(t *testing.T) {
	st := halfway()
	st.Version = "v1.4.0"
	st.Steps = st.Steps[:3]
	st.Steps[1] = gate.Step{Name: "image pairing test", State: gate.Failed, Command: "gauntlet run",
		Reasons: []string{"the pairing suite failed: workers join (no worker in 90s)"}}
	st.Steps[2] = gate.Step{Name: "bleeding-edge", State: gate.Blocked, Command: "gauntlet veto R --lift",
		Reasons: []string{"linus vetoed it on 2030-05-01 08:00 UTC: \x1b[2Jgeopandas\ndraws nothing"}}
	var b bytes.Buffer
	drawLadder(&b, st, day)
	golden(t, "blocked", b.String())
}

func answer(d gate.Decision, hub string) pipeline.Answer {
	return pipeline.Answer{Release: digest("R"), Tier: "production", Hub: hub, Verdict: gate.Verdict{Decision: d, Requirements: []gate.Requirement{
		{Name: "image-test", Decision: gate.Allow, Reason: "the image suite passed 14 checks"},
		{Name: "no-veto", Decision: d, Reason: "linus vetoed it on 2030-05-01 08:00 UTC: slow; only who gave a veto can lift it", Command: "gauntlet veto " + digest("R").Short() + " --lift"},
		{Name: "version", Decision: gate.Wait, Reason: "it bears no version yet", Command: "gauntlet release tag v1.0.0 " + digest("R").Short()},
		{Name: "order:coastal", Decision: gate.Wait, Reason: "hub coastal comes first"},
	}}}
}

func TestAnAnswerShowsWhatIsMissingAndHowToGiveIt(t *testing.T) {
	var b bytes.Buffer
	drawAnswer(&b, answer(gate.Deny, "compute"))
	drawAnswer(&b, answer(gate.Wait, ""))
	b.WriteString("all of it:\n")
	drawRequirements(&b, answer(gate.Deny, "compute").Requirements)
	golden(t, "answer", b.String())
}

func TestAgesAreInOneUnit(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 119 * time.Second: "119s", 2 * time.Minute: "2m", 119 * time.Minute: "119m",
		2 * time.Hour: "2h", 47 * time.Hour: "47h", 48 * time.Hour: "2d", 100 * 24 * time.Hour: "100d",
		-30 * time.Second: "0s", // by a clock that is ahead of ours
	} {
		if got := ago(d); got != want {
			t.Errorf("%s is %q, expected %q", d, got, want)
		}
	}
}

func TestEvidenceIsShownInShort(t *testing.T) {
	ids := []release.Digest{digest("1"), digest("2"), digest("3"), digest("4"), digest("5")}
	if got, want := evidenceOf(ids), ids[0].Short()+" "+ids[1].Short()+" "+ids[2].Short()+" +2"; got != want {
		t.Errorf("got %q, expected %q", got, want)
	}
	if got, want := evidenceOf(ids[:3]), ids[0].Short()+" "+ids[1].Short()+" "+ids[2].Short(); got != want {
		t.Errorf("got %q, expected %q", got, want)
	}
	if got := evidenceOf(nil); got != "" {
		t.Errorf("nothing is %q", got)
	}
	if ids[3] != digest("4") {
		t.Error("the caller's list was changed")
	}
}

func TestProgressIsALineAnEvent(t *testing.T) {
	var b bytes.Buffer
	a := &app{err: &b, format: "text"}
	p := a.progress()
	p.start = day
	at := func(s int, e pipeline.Event) {
		e.Time = day.Add(time.Duration(s) * time.Second)
		p.Event(e)
	}
	at(0, pipeline.Event{Step: "build", State: pipeline.Started, Text: "building notebook and worker"})
	at(1, pipeline.Event{Step: "build", State: pipeline.Progress, Item: "notebook", Text: "step 1 of 9"})
	at(1, pipeline.Event{Step: "build", State: pipeline.Progress, Item: "worker", Text: "step 1 of 7"})
	at(1, pipeline.Event{Step: "build", State: pipeline.Progress, Item: "notebook", Text: "told too soon after"})
	at(2, pipeline.Event{Step: "build", State: pipeline.Progress, Item: "notebook", Text: "downloading \x1b[31m\r99%"})
	at(61, pipeline.Event{Step: "build", State: pipeline.Passed, Text: "image set 0123456789ab"})
	at(62, pipeline.Event{Step: "image", State: pipeline.Reused, Text: "passed on 1 May"})
	at(63, pipeline.Event{Step: "config", State: pipeline.Warned, Text: "values.yml:3:1: warning: the key stands twice\n    fix: keep one"})
	at(3600, pipeline.Event{Step: "hub", Hub: "testing", State: pipeline.Failed, Item: "spawn"})
	golden(t, "progress", b.String())
}

func TestProgressForProgramsIsAnObjectALine(t *testing.T) {
	var b bytes.Buffer
	p := (&app{err: &b, format: "json"}).progress()
	p.Event(pipeline.Event{Time: day, Step: "build", State: pipeline.Progress, Text: "a <b> \x1b[2J\u202e\u009b"})
	const want = `{"time":"2030-05-01T09:00:00Z","step":"build","state":"progress","text":"a \u003cb\u003e \u001b[2J\u202e\u009b"}` + "\n"
	if b.String() != want {
		t.Errorf("got  %swant %s", b.String(), want)
	}
}

func TestLogLinesNameWhatTheyAreAbout(t *testing.T) {
	e := pipeline.Entry{ID: digest("id"), Time: day, Who: "linus", Text: "signed",
		Subjects: []evidence.Subject{{Kind: evidence.Deployable, Digest: digest("R on compute-test")}}}
	if got, want := subjectOf(e), "deployable "+digest("R on compute-test").Short(); got != want {
		t.Errorf("got %q, expected %q", got, want)
	}
	if got := subjectOf(pipeline.Entry{}); got != "" {
		t.Errorf("got %q", got)
	}
}
