package deploy

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"gauntlet/internal/deploy/helm"
)

// told is a history in a few words, the newest first: "3 deployed A" is a revision of
// gauntlet with deployable A, "2 superseded" one of another tool, and
// "4 failed A 4-from-3-to-1" one that goes back.
func told(t *testing.T, revisions ...string) []helm.Record {
	t.Helper()
	var h []helm.Record
	for _, s := range revisions {
		w := strings.Fields(s)
		n, err := strconv.Atoi(w[0])
		if err != nil {
			t.Fatal(err)
		}
		r := helm.Record{Revision: n, Status: w[1], Labels: map[string]string{}, Description: "gauntlet release r deployable d"}
		if w[1] == "overrun" {
			r.Status, r.Description = helm.Failed, overrun+"3 came; marked failed by ci@host"
		}
		if len(w) > 2 {
			r.Labels = map[string]string{labelRevision: w[0], labelDeployable: w[2], labelAccess: "all", labelRelease: "release-" + w[2]}
		}
		if len(w) > 3 {
			r.Labels[labelRollback] = w[3]
		}
		h = append(h, r)
	}
	return h
}

func TestTheWayBackLeadsToWhatRanBefore(t *testing.T) {
	for name, tt := range map[string]struct {
		history []string
		to      int
		want    string // "FROM to TO by TARGET", and "there"; else a part of the error
	}{
		"to the one before":            {[]string{"2 deployed B", "1 superseded A"}, 0, "2 to 1 by 1"},
		"over what never ran":          {[]string{"4 deployed C", "3 failed B", "2 superseded B", "1 superseded A"}, 0, "4 to 2 by 2"},
		"over the same":                {[]string{"3 deployed B", "2 superseded B", "1 superseded A"}, 0, "3 to 1 by 1"},
		"over another tool's":          {[]string{"3 deployed C", "2 superseded", "1 superseded A"}, 0, "3 to 1 by 1"},
		"from another tool's":          {[]string{"3 deployed", "2 superseded B", "1 superseded A"}, 0, "3 to 2 by 2"},
		"from a failure":               {[]string{"2 failed B", "1 deployed A"}, 0, "2 to 1 by 1"},
		"from a failure with no other": {[]string{"1 failed A"}, 0, "no earlier revision"},
		"from the first":               {[]string{"1 deployed A"}, 0, "no earlier revision"},
		"from nothing":                 {nil, 0, "no such Helm release"},
		"from what was uninstalled":    {[]string{"2 uninstalled B", "1 superseded A"}, 0, "no such Helm release"},
		"back already":                 {[]string{"3 deployed A 3-from-2-to-1", "2 superseded B", "1 superseded A"}, 0, "2 to 1 by 3 there"},
		"back already, by name":        {[]string{"3 deployed A 3-from-2-to-1", "2 superseded B", "1 superseded A"}, 1, "2 to 1 by 3 there"},
		"interrupted on the way":       {[]string{"3 failed A 3-from-2-to-1", "2 deployed B", "1 superseded A"}, 0, "2 to 1 by 1"},
		"interrupted at the end":       {[]string{"3 failed A 3-from-2-to-1", "2 superseded B", "1 superseded A"}, 0, "2 to 1 by 1"},
		"interrupted, now elsewhere":   {[]string{"4 failed B 4-from-3-to-2", "3 deployed C", "2 superseded B", "1 superseded A"}, 1, "3 to 1 by 1"},
		"deployed after a way back":    {[]string{"4 deployed C 3-from-2-to-1", "3 superseded A 3-from-2-to-1", "2 superseded B"}, 0, "4 to 3 by 3"},
		"by name":                      {[]string{"3 deployed C", "2 superseded B", "1 superseded A"}, 1, "3 to 1 by 1"},
		"forward again, by name":       {[]string{"3 deployed A 3-from-2-to-1", "2 superseded B", "1 superseded A"}, 2, "3 to 2 by 2"},
		"where it is":                  {[]string{"2 deployed B", "1 superseded A"}, 2, "2 to 2 by 2 there"},
		"to what is not there":         {[]string{"2 deployed B", "1 superseded A"}, 7, "no revision 7: name one of 2 (release release-B), 1 (release release-A)"},
		"to what failed":               {[]string{"3 deployed C", "2 failed B", "1 superseded A"}, 2, "revision 2 never ran: it is failed: name one of 3"},
		"to another tool's":            {[]string{"2 deployed B", "1 superseded"}, 1, "revision 1 was not made by gauntlet"},
	} {
		w, err := wayBack(told(t, tt.history...), tt.to)
		if err != nil {
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: %v, want %s", name, err, tt.want)
			}
			continue
		}
		got := fmt.Sprintf("%d to %d by %d", w.from, w.to, w.target.Revision)
		if w.there {
			got += " there"
		}
		if got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

func TestLeftoversAreLookedForSinceWhatRan(t *testing.T) {
	for want, history := range map[string][]string{
		"":    {"2 deployed B", "1 superseded A"},
		"32":  {"3 failed A", "2 deployed B", "1 superseded A"},
		"432": {"4 failed A", "3 failed A", "2 superseded B", "1 superseded A"},
		"1":   {"1 failed A"},
		"2":   {"3 deployed", "2 overrun", "1 superseded A"},
	} {
		got := ""
		for _, r := range since(told(t, history...)) {
			got += strconv.Itoa(r.Revision)
		}
		if got != want {
			t.Errorf("%v: %s, want %s", history, got, want)
		}
	}
}

func TestHelmsHistorySaysWhyAHubWentBack(t *testing.T) {
	w := back{from: 2, to: 1, target: told(t, "1 superseded A")[0]}
	d := backDescription(w, "plots\nare blank")
	if d != "gauntlet release r deployable d; back from revision 2 to 1: plots are blank" {
		t.Error(d)
	}
	w.target.Description = d
	if d = backDescription(w, strings.Repeat("ä", 300)); len([]rune(d)) != 256 || strings.Contains(d, "plots") {
		t.Error(d)
	}
}
