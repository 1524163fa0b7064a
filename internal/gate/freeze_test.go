package gate

import (
	"strings"
	"testing"
	"time"

	"gauntlet/internal/config"
)

// frozen is the gate of compute, in production, under the windows of a policy.
func frozen(t *testing.T, windows string) *world {
	t.Helper()
	w := toProduction()
	p, err := config.ParsePolicy("policy.yaml", []byte(`apiVersion: gauntlet/v1
tiers: [bleeding-edge: {suites: [hub]}, canary: {suites: [hub]}, production: {suites: [hub]}]
people: {ada: {roles: [builder, checker, deployer, board], key: "ed25519:AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}}
freeze: `+windows))
	if err != nil {
		t.Fatal(err)
	}
	w.Policy.Freeze = p.Freeze
	return w
}

func TestAFreezeIsWaitedOut(t *testing.T) {
	for name, tt := range map[string]struct {
		windows, now string
		want         string // when it ends, "" when nothing is frozen
	}{
		"once":             {"[{from: 2030-05-01T00:00:00Z, to: 2030-05-03T06:00:00Z, reason: r}]", "2030-05-02T00:00:00Z", "2030-05-03 06:00 UTC"},
		"at its beginning": {"[{from: 2030-05-01T00:00:00Z, to: 2030-05-03T06:00:00Z, reason: r}]", "2030-05-01T00:00:00Z", "2030-05-03 06:00 UTC"},
		"at its end":       {"[{from: 2030-05-01T00:00:00Z, to: 2030-05-03T06:00:00Z, reason: r}]", "2030-05-03T06:00:00Z", ""},
		"before it":        {"[{from: 2030-05-01T00:00:00Z, to: 2030-05-03T06:00:00Z, reason: r}]", "2030-04-30T23:59:59Z", ""},
		"of the tier":      {"[{tiers: [production], from: 2030-05-01T00:00:00+02:00, to: 2030-05-03T06:00:00+02:00, reason: r}]", "2030-05-02T00:00:00Z", "2030-05-03 04:00 UTC"},
		"of the hub":       {"[{hubs: [compute], from: 2030-05-01T00:00:00Z, to: 2030-05-03T06:00:00Z, reason: r}]", "2030-05-02T00:00:00Z", "2030-05-03 06:00 UTC"},
		"of another tier":  {"[{tiers: [canary], from: 2030-05-01T00:00:00Z, to: 2030-05-03T06:00:00Z, reason: r}]", "2030-05-02T00:00:00Z", ""},
		"of another hub":   {"[{hubs: [coastal], tiers: [canary], from: 2030-05-01T00:00:00Z, to: 2030-05-03T06:00:00Z, reason: r}]", "2030-05-02T00:00:00Z", ""},
		"one after another": {"[{from: 2030-05-01T00:00:00Z, to: 2030-05-03T00:00:00Z, reason: r}, {from: 2030-05-03T00:00:00Z, to: 2030-05-04T00:00:00Z, reason: s}]",
			"2030-05-02T00:00:00Z", "2030-05-04 00:00 UTC"},
		// 3 May 2030 is a Friday; Berlin is two hours ahead of UTC in summer.
		"Friday afternoon":         {`[{weekdays: [Fri], after: "15:00", timezone: Europe/Berlin, reason: r}]`, "2030-05-03T13:00:00Z", "2030-05-03 22:00 UTC"},
		"Friday before":            {`[{weekdays: [Fri], after: "15:00", timezone: Europe/Berlin, reason: r}]`, "2030-05-03T12:59:59Z", ""},
		"Saturday there already":   {`[{weekdays: [Fri], after: "15:00", timezone: Europe/Berlin, reason: r}]`, "2030-05-03T22:00:00Z", ""},
		"in winter":                {`[{weekdays: [Fri], after: "15:00", timezone: Europe/Berlin, reason: r}]`, "2030-11-29T13:59:59Z", ""},
		"in winter, an hour later": {`[{weekdays: [Fri], after: "15:00", timezone: Europe/Berlin, reason: r}]`, "2030-11-29T14:00:00Z", "2030-11-29 23:00 UTC"},
		"in UTC when unsaid":       {`[{weekdays: [Fri], before: "15:00", reason: r}]`, "2030-05-03T00:00:00Z", "2030-05-03 15:00 UTC"},
		"over the weekend": {`[{weekdays: [Fri], after: "15:00", timezone: Europe/Berlin, reason: r}, {weekdays: [Sat, Sun], timezone: Europe/Berlin, reason: r}]`,
			"2030-05-03T13:30:00Z", "2030-05-05 22:00 UTC"},
		"over a change of clocks": {`[{weekdays: [Sat, Sun], timezone: Europe/Berlin, reason: r}]`, "2030-03-30T12:00:00Z", "2030-03-31 22:00 UTC"},
		"for ever":                {`[{weekdays: [Mon, Tue, Wed, Thu, Fri, Sat, Sun], reason: r}]`, "2030-05-03T00:00:00Z", "for more than a year"},
	} {
		w := frozen(t, tt.windows)
		now, err := time.Parse(time.RFC3339, tt.now)
		if err != nil {
			t.Fatal(err)
		}
		w.Now = now
		r := requirement(t, Evaluate(w.Input), "no-freeze")
		if tt.want == "" {
			if r.Decision != Allow {
				t.Errorf("%s: %s", name, r.Reason)
			}
			continue
		}
		if r.Decision != Wait || !strings.Contains(r.Reason, tt.want) {
			t.Errorf("%s: %s %s, want to wait until %s", name, r.Decision, r.Reason, tt.want)
		}
		if want := "gauntlet override production " + w.ID.Short(); !strings.HasPrefix(r.Command, want) {
			t.Errorf("%s: the command is %q", name, r.Command)
		}
	}
}

func TestATierWaitsForItsFrozenHubUnlessAnyWillDo(t *testing.T) {
	w := frozen(t, "[{hubs: [coastal], from: 2000-01-01T00:00:00Z, to: 2100-01-01T00:00:00Z, reason: r}]")
	w.Hub = ""
	says(t, w, "no-freeze", Wait, "for more than a year: r")
	w = frozen(t, "[{hubs: [testing], from: 2000-01-01T00:00:00Z, to: 2100-01-01T00:00:00Z, reason: r}]")
	w.Tier, w.Hub = "bleeding-edge", ""
	says(t, w, "no-freeze", Allow)
}

func TestWindowsThatAreOpenOrComeSoonAreAnnounced(t *testing.T) {
	w := frozen(t, `[
  {reason: over, from: 2030-04-01T00:00:00Z, to: 2030-05-01T00:00:00Z},
  {reason: later, from: 2030-06-01T00:00:00Z, to: 2030-06-02T00:00:00Z},
  {reason: weekend, tiers: [production], hubs: [testing], weekdays: [Sat, Sun]},
  {reason: open, from: 2030-05-02T00:00:00Z, to: 2030-05-03T00:00:00Z}]`)
	now := time.Date(2030, 5, 2, 12, 0, 0, 0, time.UTC)
	got := Freezes(w.Policy, now)
	if len(got) != 2 || got[0].Reason != "open" || !got[0].To.Equal(now.Add(12*time.Hour)) || !got[0].From.IsZero() {
		t.Fatalf("%+v", got)
	}
	if got[1].Reason != "weekend" || !got[1].From.Equal(now.Add(36*time.Hour)) || got[1].Of() != "tier production and hub testing" {
		t.Errorf("%+v", got[1])
	}
	if got[0].Of() != "everything" {
		t.Errorf("%q", got[0].Of())
	}
}

func TestLadderShowsAFreeze(t *testing.T) {
	w := frozen(t, "[{from: 2000-01-01T00:00:00Z, to: 2100-01-01T00:00:00Z, reason: r}]")
	if s := Ladder(w.Input)[4]; s.State != Waiting || !strings.HasPrefix(s.Command, "gauntlet override") {
		t.Errorf("%+v", s)
	}
}
