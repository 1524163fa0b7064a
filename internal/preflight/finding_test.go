package preflight

import (
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"gauntlet/internal/check"
	"gauntlet/internal/lint"
	"gauntlet/internal/preflight/codes"
)

func TestAReleaseWithNothingWrongGivesNothing(t *testing.T) {
	says(t, z2jhOf(t, "4.0.0", "4.2.0", ""), "")
	says(t, &Facts{}, "")
}

func TestHelmsRecord(t *testing.T) {
	for name, c := range map[string]struct {
		r     Record
		lock  string
		adopt bool
		want  string
	}{
		"nothing is installed":   {},
		"ours and done":          {r: Record{Revision: 3, Status: "deployed", Ours: true}},
		"ours and interrupted":   {r: Record{Revision: 3, Status: "pending-upgrade", Ours: true, Pending: true}, want: "warning helm-interrupted Helm release ns/rel: revision 3 (pending-upgrade) was interrupted"},
		"ours and at work":       {r: Record{Revision: 3, Status: "pending-upgrade", Ours: true, Pending: true}, lock: "ada@laptop", want: "warning helm-busy Helm release ns/rel: ada@laptop changes this hub now"},
		"another's and at work":  {r: Record{Revision: 3, Status: "pending-upgrade", Pending: true}, want: "error helm-pending Helm release ns/rel: revision 3 is pending-upgrade, and gauntlet did not begin it: somebody works on it, or was interrupted"},
		"another's, and adopted": {r: Record{Revision: 3, Status: "deployed"}, adopt: true, want: "warning helm-foreign Helm release ns/rel: revision 3 (deployed) was not made by gauntlet and is taken over"},
		"another's":              {r: Record{Revision: 3, Status: "deployed"}, want: "error helm-foreign Helm release ns/rel: revision 3 (deployed) was not made by gauntlet"},
		"another's pending one is not adopted": {r: Record{Revision: 3, Status: "pending-install", Pending: true}, adopt: true,
			want: "error helm-pending Helm release ns/rel: revision 3 is pending-install, and gauntlet did not begin it: somebody works on it, or was interrupted"},
	} {
		t.Run(name, func(t *testing.T) {
			says(t, &Facts{Hub: "h", Namespace: "ns", Release: "rel", Helm: c.r, Lock: c.lock, Adopt: c.adopt}, c.want)
		})
	}
}

func TestWhatWouldBeUndoneOrLost(t *testing.T) {
	says(t, &Facts{Namespace: "ns", Release: "rel", Owned: "Flux owns it", Lost: "a.b is lost"},
		"error helm-owned Helm release ns/rel: Flux owns it\nerror values-lost Helm release ns/rel: a.b is lost")
}

func TestManifests(t *testing.T) {
	says(t, &Facts{Refused: "no matches for kind", NoKind: true, Deprecated: []string{"old"}}, "error api-removed no matches for kind\nwarning api-deprecated old")
	says(t, &Facts{Refused: "quota"}, "error manifest-refused quota")
}

func TestWhatIsUnseenAndWhatTheTeamWroteIsTold(t *testing.T) {
	says(t, &Facts{
		Unseen: []Unseen{{"the nodes", "forbidden"}},
		Linted: []lint.Finding{{Code: codes.SecretPlain, Path: "hub.token", Cause: "a secret"}, {Code: codes.KeyUnknown, Path: "hbu", Cause: "no such value"}},
	}, `
warning key-unknown value hbu: no such value
warning secret-plain value hub.token: a secret
warning unseen the nodes: forbidden`)
}

func TestGauntletYAMLWeighs(t *testing.T) {
	f := &Facts{Namespace: "ns", Release: "rel", Refused: "no", Deprecated: []string{"old"},
		Linted: []lint.Finding{{Code: codes.SecretPlain, Path: "a"}},
		Images: []Image{{Ref: "x", State: NotFound}}, Unseen: []Unseen{{"the nodes", "no"}}}
	got := map[string]codes.Severity{}
	for _, one := range Judge(f, map[string]codes.Severity{
		codes.APIDeprecated: codes.Error, codes.SecretPlain: codes.Error, codes.Unseen: codes.Off, codes.ImageMissing: codes.Off,
	}) {
		got[one.Code] = one.Severity
		if set := one.Code != codes.ImageMissing && one.Code != codes.ManifestRefused; one.Set != set {
			t.Errorf("%s: set is %t", one.Code, one.Set)
		}
	}
	want := map[string]codes.Severity{codes.ManifestRefused: codes.Error, codes.APIDeprecated: codes.Error, codes.SecretPlain: codes.Error, codes.ImageMissing: codes.Error}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestResultHasACheckForEveryCode(t *testing.T) {
	found := []Finding{
		{Code: codes.ImageMissing, Severity: codes.Error, Object: "x", Cause: "gone"},
		{Code: codes.ImageMissing, Severity: codes.Error, Object: "y", Cause: "gone"},
		{Code: codes.NodeFull, Severity: codes.Warning, Cause: "full"},
	}
	r := Result(found, map[string]codes.Severity{codes.Unseen: codes.Off}, now, now.Add(time.Second))
	if r.State != check.Failed || len(r.Outcomes) != len(codes.All)-1 {
		t.Errorf("%s, %d checks", r.State, len(r.Outcomes))
	}
	for _, o := range r.Outcomes {
		switch o.Name {
		case codes.ImageMissing:
			if o.State != check.Failed || o.Message != "2: x: gone" {
				t.Errorf("%+v", o)
			}
		case codes.NodeFull:
			if o.State != check.Warned || o.Message != "full" {
				t.Errorf("%+v", o)
			}
		default:
			if o.State != check.Passed {
				t.Errorf("%+v", o)
			}
		}
	}
	if r := Result(found[2:], nil, now, now); r.State != check.Warned {
		t.Errorf("only warnings: %s", r.State)
	}
	if Result(nil, nil, now, now).Digest == Result(nil, map[string]codes.Severity{codes.Unseen: codes.Off}, now, now).Digest {
		t.Error("other severities are another suite")
	}
}

func TestARefusalNamesTheFirstErrorAndCountsTheOthers(t *testing.T) {
	one := Finding{Code: codes.ImageMissing, Object: "x", Cause: "gone", Fix: "push it"}
	if got := (&RefusedError{[]Finding{one, one, one}}).Error(); got != "image-missing: x: gone\n    fix: push it\n    and 2 more; nothing was touched" {
		t.Errorf("%q", got)
	}
}

// row is a line of a table of docs/preflight.md.
var row = regexp.MustCompile("(?m)^\\| *(\\d+|`[a-z-]+`) *\\|(.*)\\|$")

func TestTheDocumentTellsEveryCodeAndEveryFailureMode(t *testing.T) {
	text, err := os.ReadFile("../../docs/preflight.md")
	if err != nil {
		t.Fatal(err)
	}
	modes, told := map[int]string{}, map[string]string{}
	for _, m := range row.FindAllStringSubmatch(string(text), -1) {
		if n, err := strconv.Atoi(m[1]); err == nil {
			modes[n] = m[2]
		} else {
			told[strings.Trim(m[1], "`")] = m[2]
		}
	}
	for n := 1; n <= 25; n++ {
		if modes[n] == "" {
			t.Errorf("failure mode %d is not told", n)
		}
	}
	for _, c := range codes.All {
		line, ok := told[c.Name]
		if !ok || !strings.Contains(line, " "+string(c.Severity)) || !strings.Contains(line, c.Means) || strings.Contains(line, "always") != c.Fixed {
			t.Errorf("%s is told as %q", c.Name, line)
		}
		delete(told, c.Name)
		for _, n := range c.Modes {
			if !strings.Contains(modes[n], "`"+c.Name+"`") {
				t.Errorf("failure mode %d does not name %s", n, c.Name)
			}
		}
	}
	for name := range told {
		t.Errorf("there is no code %s", name)
	}
	for n, line := range modes {
		for _, m := range regexp.MustCompile("`([a-z]+-[a-z-]+)`").FindAllStringSubmatch(line, -1) {
			if c, ok := codes.Find(m[1]); ok && !slices.Contains(c.Modes, n) {
				t.Errorf("%s is not for failure mode %d", m[1], n)
			}
		}
	}
}
