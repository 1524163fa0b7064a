package helm

import (
	"encoding/base64"
	"maps"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"gauntlet/internal/release"
)

// A Running is what a revision holds beside its objects.
type Running struct {
	Chart, Version string         // of the chart
	Values         release.Values // that somebody gave: the record's config
	Deployed       time.Time      // when Helm last deployed it, by the clock of whoever ran it
	ClientSide     bool           // applied in the way of Helm 3
	Images         []string       // of its workloads, sorted
	Kept           []string       // texts that its Secrets hold, whole; never to be shown
}

// Running reads a revision.
func (r Record) Running() Running {
	out := Running{
		Values: clone(map[string]any(r.release.Config)).(map[string]any), Deployed: r.release.Info.LastDeployed,
		ClientSide: clientSide([]Record{r}),
	}
	if c := r.release.Chart; c != nil && c.Metadata != nil {
		out.Chart, out.Version = c.Metadata.Name, c.Metadata.Version
	}
	images := map[string]bool{}
	for _, text := range strings.Split("\n"+r.release.Manifest, "\n---") {
		var o map[string]any
		if yaml.Unmarshal([]byte(strings.TrimPrefix(text, "\n")), &o) != nil || o == nil {
			continue
		}
		if o["kind"] == "Secret" {
			out.Kept = append(out.Kept, texts(o)...)
			continue
		}
		imagesIn(o, images)
	}
	out.Images = slices.Sorted(maps.Keys(images))
	return out
}

// texts are what a Secret holds.
func texts(secret map[string]any) []string {
	var out []string
	for field, decode := range map[string]func(string) string{"data": fromBase64, "stringData": func(s string) string { return s }} {
		data, _ := secret[field].(map[string]any)
		for _, v := range data {
			if s, ok := v.(string); ok && decode(s) != "" {
				out = append(out, decode(s))
			}
		}
	}
	return out
}

func fromBase64(s string) string {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return ""
	}
	return string(b)
}

// imagesIn finds the images of containers, wherever they are.
func imagesIn(v any, found map[string]bool) {
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			imagesIn(x, found)
		}
	case map[string]any:
		for k, x := range v {
			if list, ok := x.([]any); ok && (k == "containers" || k == "initContainers") {
				for _, c := range list {
					ctr, _ := c.(map[string]any)
					if image, ok := ctr["image"].(string); ok && image != "" {
						found[image] = true
					}
				}
			}
			imagesIn(x, found)
		}
	}
}
