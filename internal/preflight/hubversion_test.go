package preflight

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestHubVersionsAreThoseThatChartAndValuesTell(t *testing.T) {
	values := func(image map[string]any) map[string]any {
		return map[string]any{"hub": map[string]any{"image": image}, "singleuser": map[string]any{}}
	}
	own := map[string]any{"name": "quay.io/jupyterhub/k8s-hub", "tag": "4.3.1"}
	for name, tt := range map[string]struct {
		charts []Chart
		values map[string]any
		want   []string
	}{
		"zero-to-jupyterhub's own image": {[]Chart{{Name: z2jh, Version: "4.3.1", App: "5.4.2"}}, values(own), []string{"5.4.2"}},
		"as a subchart": {
			[]Chart{{Name: "platform", Version: "1.0.0"}, {Path: "jupyterhub", Name: z2jh, Version: "4.3.1", App: "5.4.2"}},
			map[string]any{"jupyterhub": values(own)}, []string{"5.4.2"},
		},
		"an image of one's own":        {[]Chart{{Name: "platform"}}, values(map[string]any{"name": "hub", "tag": "6.1.1-1"}), nil},
		"a tag that tells nothing":     {[]Chart{{Name: "platform"}}, values(map[string]any{"name": "hub", "tag": "2f3a9c"}), nil},
		"values of something else":     {[]Chart{{Name: "platform"}}, map[string]any{"replicas": 1}, nil},
		"its own image by another tag": {[]Chart{{Name: z2jh, Version: "4.3.1", App: "5.4.2"}}, values(map[string]any{"name": "team/hub", "tag": "5.2.1"}), nil},
	} {
		var got []string
		for _, v := range HubVersions(tt.charts, tt.values) {
			got = append(got, v.String())
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}
