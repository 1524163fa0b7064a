package git

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestFetchBringsARefWithItsHistory(t *testing.T) {
	from, dir := repo(t)
	ctx, cache := t.Context(), t.TempDir()
	git(t, dir, "tag", "v1")
	v1, err := from.Head(ctx)
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "images/Dockerfile", "FROM next\n")
	commit(t, dir, "ada@example.org", "next")
	fetch := func(ref string) *Repo {
		r, err := Fetch(ctx, cache, "file://"+dir, ref)
		if err != nil {
			t.Error(err)
			return from
		}
		return r
	}
	head, err := from.Head(ctx)
	if err != nil {
		t.Fatal(err)
	}
	// Several at once, of several refs: each sees its own.
	var all sync.WaitGroup
	for range 4 {
		for ref, want := range map[string]string{"main": head.ID, "v1": v1.ID, "HEAD": head.ID, v1.ID: v1.ID} {
			all.Go(func() {
				if r := fetch(ref); r.Rev != want {
					t.Errorf("%s is %s, want %s", ref, r.Rev, want)
				}
			})
		}
	}
	all.Wait()
	r := fetch("v1")
	commits, err := r.Log(ctx, "", r.Rev)
	if err != nil || len(commits) != 3 {
		t.Errorf("history: %v %v", commits, err)
	}
	tree, err := r.Tree(ctx, "images")
	if err != nil {
		t.Fatal(err)
	}
	dest := t.TempDir()
	if err := r.Export(ctx, tree, dest); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(dest, "Dockerfile")); err != nil || string(text) != "FROM scratch\n" {
		t.Errorf("Dockerfile of v1: %q %v", text, err)
	}
	// A branch that went on is fetched anew.
	write(t, dir, "images/Dockerfile", "FROM later\n")
	commit(t, dir, "ada@example.org", "later")
	if r := fetch("main"); r.Rev == head.ID {
		t.Error("the branch's newest commit was not fetched")
	}
	if _, err := Fetch(ctx, cache, "file://"+dir, "nothing"); err == nil || !strings.Contains(err.Error(), "nothing") {
		t.Errorf("a ref that is not there: %v", err)
	}
}

func TestAPublicAddressHoldsNoPassword(t *testing.T) {
	for in, want := range map[string]string{
		"https://ada:secret@git.example.org/x.git": "https://git.example.org/x.git",
		"git@git.example.org:team/x.git":           "ssh://git.example.org/team/x.git",
		"file:///home/ada/x":                       "",
		"/home/ada/x":                              "",
		"ssh://ada@git.example.org/x":              "ssh://git.example.org/x",
	} {
		if got := public(in); got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
}
