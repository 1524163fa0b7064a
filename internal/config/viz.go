package config

import (
	"fmt"
	"maps"
	"net/url"
	"path/filepath"
	"slices"
)

func (d *document) checkViz(v Viz) {
	place := func(field, at string) {
		u, err := url.Parse(at)
		if d.reported(field) || err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.Path != "" {
			return
		}
		d.bad(field, fmt.Sprintf("%q is not how an address begins", at), "write scheme, host and path, as https://cdn.example.org/maps/")
	}
	for i, at := range v.Through {
		place(item("viz.through", i), at)
	}
	for _, at := range slices.Sorted(maps.Keys(v.Serve)) {
		field := child("viz.serve", at)
		place(field, at)
		if dir := v.Serve[at]; !d.reported(field) && !filepath.IsLocal(filepath.FromSlash(dir)) {
			d.bad(field, fmt.Sprintf("%q is no folder beside this file", dir), "put the files into a folder of the repository, as assets/leaflet")
		}
	}
}
