package config

import (
	"fmt"
	"net/url"
	"path"
	"strings"
)

// checkStorage checks what the suite "storage" is to check.
func (d *document) checkStorage(stores []Store) {
	seen := map[string]bool{}
	for i, s := range stores {
		field := item("storage", i)
		if d.reported(field) {
			continue
		}
		switch at, err := url.Parse(s.URL); {
		case s.Mount == "" && s.URL == "":
			d.bad(field, "it names no place", "write {mount: /PATH} for a file system, or {url: s3://BUCKET/FOLDER} for object storage")
		case s.Mount != "" && s.URL != "":
			d.bad(field, "it is a mount and a bucket at once", "make two entries of it")
		case s.Mount != "" && (!path.IsAbs(s.Mount) || path.Clean(s.Mount) != s.Mount || s.Mount == "/"):
			d.bad(child(field, "mount"), fmt.Sprintf("%q is no path of a mount", s.Mount), "write the whole path, as df shows it: /gcs/data")
		case s.URL != "" && (err != nil || at.Scheme == "" || at.Host == ""):
			d.bad(child(field, "url"), fmt.Sprintf("%q is no address of a bucket", s.URL), "write PROTOCOL://BUCKET/FOLDER as fsspec reads it, as s3://climate/scratch")
		case s.URL != "" && at.User != nil:
			d.bad(child(field, "url"), "it holds credentials", "leave them out: they belong into the environment of users' servers")
		case seen[s.Name()]:
			d.bad(field, s.Name()+" stands twice", "keep one of the two")
		}
		seen[s.Name()] = true
		if s.Only != "" {
			d.choice(child(field, "only"), &stores[i].Only, "notebook")
		}
		if len(s.Options) > 0 && s.URL == "" {
			d.bad(child(field, "options"), "a mount has no options of fsspec", "take them out")
		}
		for key := range s.Options {
			if low := strings.ToLower(key); strings.Contains(low, "secret") || strings.Contains(low, "password") || low == "key" || low == "token" && s.Options[key] != "anon" {
				d.bad(child(child(field, "options"), key), "it looks like a secret", "leave it out: what servers need to log in belongs into their environment")
			}
		}
	}
}
