package deploy

import (
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestRevisionsAreReadFromLabelsTheNewestFirst(t *testing.T) {
	record := func(revision int, status string, own map[string]string) metav1.PartialObjectMetadata {
		l := map[string]string{"version": strconv.Itoa(revision), "status": status}
		for k, v := range own {
			l[k] = v
		}
		return metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Labels: l}}
	}
	ours := func(of, revision, back string) map[string]string {
		return map[string]string{labelDeployable: of, labelAccess: "x", labelRelease: "r" + of, labelRevision: revision, labelRollback: back}
	}
	got := revisionsOf([]metav1.PartialObjectMetadata{
		record(2, "superseded", ours("b", "2", "")),
		record(10, "deployed", ours("a", "10", "10-from-9-to-2")),
		record(9, "failed", ours("a", "8", "")), // copied by Helm: another tool's
		record(3, "superseded", ours("b", "3", "2-from-1-to-1")),
		record(1, "superseded", map[string]string{labelAdopted: "1"}),
	})
	want := []Revision{
		{Revision: 10, Status: "deployed", Deployable: "a", Access: "x", Release: "ra", Back: 2},
		{Revision: 9, Status: "failed"},
		{Revision: 3, Status: "superseded", Deployable: "b", Access: "x", Release: "rb"},
		{Revision: 2, Status: "superseded", Deployable: "b", Access: "x", Release: "rb"},
		{Revision: 1, Status: "superseded", Adopted: true},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if !got[2].Same(got[3]) || got[0].Same(got[2]) || got[1].Same(got[1]) {
		t.Error("what is the same is judged wrongly")
	}
	if got[1].Ran() || !got[2].Ran() || !got[0].Deployed() || got[2].Deployed() {
		t.Error("what ran is judged wrongly")
	}
}
