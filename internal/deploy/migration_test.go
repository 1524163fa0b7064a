package deploy

import (
	"fmt"
	"strings"
	"testing"

	"gauntlet/internal/hubdb"
)

func TestMigrationsAreThoseThatNoRollbackHasUndone(t *testing.T) {
	for name, tt := range map[string]struct {
		history []string          // as of told
		notes   map[string]string // "REVISION LABEL": its value
		to      int
		want    string // "REVISION:STAMP", the oldest first
	}{
		"none": {[]string{"2 deployed b", "1 superseded a"}, nil, 1, ""},
		"the newest": {[]string{"2 deployed b", "1 superseded a"},
			map[string]string{"2 backup": "2-S"}, 1, "2:S"},
		"one that failed": {[]string{"2 failed b", "1 deployed a"},
			map[string]string{"2 backup": "2-S"}, 1, "2:S"},
		"two": {[]string{"3 deployed c", "2 superseded b", "1 superseded a"},
			map[string]string{"2 backup": "2-S", "3 backup": "3-T"}, 1, "2:S 3:T"},
		"past one of two": {[]string{"3 deployed c", "2 superseded b", "1 superseded a"},
			map[string]string{"2 backup": "2-S", "3 backup": "3-T"}, 2, "3:T"},
		"that of the target itself is not undone": {[]string{"3 deployed c", "2 superseded b", "1 superseded a"},
			map[string]string{"2 backup": "2-S"}, 2, ""},
		"a label that Helm handed on is none": {[]string{"3 failed c", "2 deployed b", "1 superseded a"},
			map[string]string{"2 backup": "2-S", "3 backup": "2-S"}, 2, ""},
		"nor counts it twice": {[]string{"3 failed c", "2 deployed b", "1 superseded a"},
			map[string]string{"2 backup": "2-S", "3 backup": "2-S"}, 1, "2:S"},
		"undone, and again": {[]string{"4 deployed b", "3 superseded a 3-from-2-to-1", "2 superseded b", "1 superseded a"},
			map[string]string{"2 backup": "2-S", "3 restored": "3-S", "4 backup": "4-T"}, 1, "4:T"},
		"undone": {[]string{"3 deployed a 3-from-2-to-1", "2 superseded b", "1 superseded a"},
			map[string]string{"2 backup": "2-S", "3 restored": "3-S"}, 1, ""},
		"undone only from the second on": {[]string{"4 deployed b 4-from-3-to-2", "3 superseded c", "2 superseded b", "1 superseded a"},
			map[string]string{"2 backup": "2-S", "3 backup": "3-T", "4 restored": "4-T"}, 1, "2:S"},
		"a rollback that kept the database undid none": {[]string{"3 deployed a 3-from-2-to-1", "2 superseded b", "1 superseded a"},
			map[string]string{"2 backup": "2-S"}, 1, "2:S"},
		"a rollback that failed is done again": {[]string{"3 failed a 3-from-2-to-1", "2 superseded b", "1 superseded a"},
			map[string]string{"2 backup": "2-S", "3 restored": "3-S"}, 1, "2:S"},
		"what undoing says is not handed on": {[]string{"4 deployed b", "3 superseded a 3-from-2-to-1", "2 superseded b", "1 superseded a"},
			map[string]string{"2 backup": "2-S", "3 restored": "3-S", "4 backup": "4-T", "4 restored": "3-S"}, 1, "4:T"},
		"without a copy": {[]string{"2 deployed b", "1 superseded a"},
			map[string]string{"2 backup": "2-" + hubdb.None}, 1, "2:" + hubdb.None},
	} {
		h := told(t, tt.history...)
		for at, value := range tt.notes {
			var revision int
			var label string
			if _, err := fmt.Sscan(at, &revision, &label); err != nil {
				t.Fatal(err)
			}
			h[h[0].Revision-revision].Labels["gauntlet/"+label] = value
		}
		var got []string
		for _, m := range migrations(h, tt.to) {
			got = append(got, fmt.Sprintf("%d:%s", m.revision, m.stamp))
		}
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("%s: %q, want %q", name, s, tt.want)
		}
	}
}

func TestARollbackByHelmItselfHasMigratedNothing(t *testing.T) {
	h := told(t, "3 deployed b", "2 superseded b", "1 superseded a")
	h[0].Labels = map[string]string{labelRevision: "2", labelDeployable: "b", labelBackup: "2-S"} // it takes them along
	h[1].Labels[labelBackup] = "2-S"
	if got := migrations(h, 2); got != nil {
		t.Errorf("got %v", got)
	}
}
