package deploy

import (
	"strconv"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestWhatCameLastIsKnownAlsoAfterAWayBack(t *testing.T) {
	for name, tt := range map[string]struct {
		history  []string
		release  string
		revision int
	}{
		"deployed":            {[]string{"2 deployed B", "1 superseded A"}, "release-B", 2},
		"failed":              {[]string{"2 failed B", "1 deployed A"}, "release-B", 2},
		"gone back":           {[]string{"3 deployed A 3-from-2-to-1", "2 superseded B", "1 superseded A"}, "release-B", 2},
		"gone back twice":     {[]string{"4 deployed A 4-from-3-to-1", "3 failed A 3-from-2-to-1", "2 superseded B", "1 superseded A"}, "release-B", 2},
		"deployed since":      {[]string{"4 deployed C", "3 superseded A 3-from-2-to-1", "2 superseded B", "1 superseded A"}, "release-C", 4},
		"another tool's":      {[]string{"3 deployed", "2 superseded B"}, "", 3},
		"nothing":             {nil, "", 0},
		"what left is pruned": {[]string{"12 deployed A 12-from-2-to-11", "11 superseded A"}, "", 2},
	} {
		var records []metav1.PartialObjectMetadata
		for _, r := range told(t, tt.history...) {
			m := metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Labels: r.Labels, CreationTimestamp: metav1.NewTime(time.Unix(int64(r.Revision), 0))}}
			m.Labels["version"], m.Labels["status"] = strconv.Itoa(r.Revision), r.Status
			records = append([]metav1.PartialObjectMetadata{m}, records...)
		}
		got := comingOf(records)
		if got.Release != tt.release || got.Revision != tt.revision {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
