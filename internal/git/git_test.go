package git

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"gauntlet/internal/evidence"
)

// repo makes a repository with two commits: images/ by ada, then chart/ by grace
// with linus.
func repo(t *testing.T) (*Repo, string) {
	t.Helper()
	dir := t.TempDir()
	git(t, dir, "init", "-q", "-b", "main")
	write(t, dir, "images/Dockerfile", "FROM scratch\n")
	write(t, dir, "images/run.sh", "#!/bin/sh\n")
	if err := os.Chmod(filepath.Join(dir, "images/run.sh"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, dir, ".gitignore", "*.cache\n")
	commit(t, dir, "Ada@Example.org", "images")
	write(t, dir, "chart/values.yaml", "a: 1\n")
	commit(t, dir, "grace@example.org", "chart\n\nCo-authored-by: Linus <linus@example.org>")
	r, err := Open(context.Background(), filepath.Join(dir, "images"))
	if err != nil {
		t.Fatal(err)
	}
	return r, dir
}

func git(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=x", "-c", "user.email=x@example.org"}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	p := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func commit(t *testing.T, dir, email, message string) {
	t.Helper()
	git(t, dir, "add", "-A")
	git(t, dir, "commit", "-q", "--author=Somebody <"+email+">", "-m", message)
}

func TestLastCommitIsTheNewestThatTouchedThePath(t *testing.T) {
	r, dir := repo(t)
	ctx := context.Background()
	head, err := r.Head(ctx)
	if err != nil {
		t.Fatal(err)
	}
	images, err := r.LastCommit(ctx, filepath.Join(dir, "images"))
	if err != nil {
		t.Fatal(err)
	}
	chart, err := r.LastCommit(ctx, "chart")
	if err != nil {
		t.Fatal(err)
	}
	if images.ID == head.ID || chart.ID != head.ID {
		t.Errorf("images %s chart %s head %s", images.ID, chart.ID, head.ID)
	}
	if len(images.Label()) != 7 || images.Time.IsZero() {
		t.Errorf("label %q time %s", images.Label(), images.Time)
	}
	if _, err := r.LastCommit(ctx, "nothing"); !errors.Is(err, ErrNoCommit) {
		t.Errorf("a path in no commit: %v", err)
	}
}

func TestTreeChangesWithItsFilesOnly(t *testing.T) {
	r, dir := repo(t)
	ctx := context.Background()
	tree := func(path string) string {
		t.Helper()
		id, err := r.Tree(ctx, path)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	before, all := tree("images"), tree(".")
	write(t, dir, "chart/values.yaml", "a: 2\n")
	commit(t, dir, "x@example.org", "chart")
	if tree("images") != before {
		t.Error("a change elsewhere changed the tree of images")
	}
	if tree(".") == all {
		t.Error("a change did not change the whole tree")
	}
	if _, err := r.Tree(ctx, "images/Dockerfile"); err == nil {
		t.Error("a file passed for a folder")
	}
	if _, err := r.Tree(ctx, "nothing"); !errors.Is(err, ErrNoCommit) {
		t.Errorf("a folder in no commit: %v", err)
	}
}

func TestDirtyListsChangedAndNewButNotIgnored(t *testing.T) {
	r, dir := repo(t)
	ctx := context.Background()
	if files, err := r.Dirty(ctx, "images"); err != nil || len(files) != 0 {
		t.Fatalf("clean: %v %v", files, err)
	}
	write(t, dir, "images/Dockerfile", "FROM x\n")
	write(t, dir, "images/a file\nwith a line", "")
	write(t, dir, "images/x.cache", "")
	write(t, dir, "other", "")
	files, err := r.Dirty(ctx, "images")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"images/Dockerfile", "images/a file\nwith a line"}, files); d != "" {
		t.Error(d)
	}
}

func TestLogHoldsEveryAuthorOnceInLowerCase(t *testing.T) {
	r, _ := repo(t)
	ctx := context.Background()
	head, _ := r.Head(ctx)
	first, _ := r.LastCommit(ctx, "images")
	all, err := r.Log(ctx, "", head.ID)
	if err != nil {
		t.Fatal(err)
	}
	want := []evidence.Commit{
		{ID: head.ID, Author: "grace@example.org"},
		{ID: head.ID, Author: "linus@example.org"},
		{ID: first.ID, Author: "ada@example.org"},
	}
	if d := cmp.Diff(want, all); d != "" {
		t.Error(d)
	}
	since, err := r.Log(ctx, first.ID, head.ID)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want[:2], since); d != "" {
		t.Error(d)
	}
	none, err := r.Log(ctx, head.ID, head.ID)
	if err != nil || len(none) != 0 {
		t.Errorf("from a commit to itself: %v %v", none, err)
	}
	if _, err := r.Log(ctx, "1111111111111111111111111111111111111111", head.ID); !errors.Is(err, ErrNoCommit) {
		t.Errorf("an unknown base: %v", err)
	}
}

func TestNothingIsReadAsAnOption(t *testing.T) {
	r, dir := repo(t)
	ctx := context.Background()
	trap := filepath.Join(dir, "trap")
	for _, evil := range []string{"--output=" + trap, "-h", "--upload-pack=touch " + trap, ":(glob)**", ":/"} {
		_, _ = r.LastCommit(ctx, evil)
		_, _ = r.Tree(ctx, evil)
		_, _ = r.Dirty(ctx, evil)
		if _, err := r.Log(ctx, "", evil); err == nil {
			t.Errorf("Log took %q for a revision", evil)
		}
	}
	if _, err := os.Stat(trap); err == nil {
		t.Error("git obeyed an option inside an argument")
	}
	if _, err := r.Tree(ctx, "../"); err == nil {
		t.Error("a path outside the repository was taken")
	}
}

func TestExportWritesWhatIsCommitted(t *testing.T) {
	r, dir := repo(t)
	write(t, dir, "images/Dockerfile", "FROM changed\n")
	write(t, dir, "images/new", "")
	dest := filepath.Join(t.TempDir(), "out")
	tree, err := r.Tree(context.Background(), filepath.Join(dir, "images"))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Export(context.Background(), tree, dest); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(dest, "Dockerfile"))
	if err != nil || string(got) != "FROM scratch\n" {
		t.Errorf("Dockerfile: %q %v", got, err)
	}
	if info, err := os.Stat(filepath.Join(dest, "run.sh")); err != nil || info.Mode()&0o100 == 0 {
		t.Errorf("run.sh lost its executable bit: %v %v", info, err)
	}
	if _, err := os.Stat(filepath.Join(dest, "new")); err == nil {
		t.Error("a file that is in no commit was written")
	}
	// The user's own index still knows of the change and nothing else.
	files, err := r.Dirty(context.Background(), ".")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"images/Dockerfile", "images/new"}, files); d != "" {
		t.Error(d)
	}
}

func TestAFolderOutsideAnyRepositoryIsRefused(t *testing.T) {
	if _, err := Open(context.Background(), t.TempDir()); err == nil {
		t.Error("no error")
	}
}

func TestBranchCommitsFilesAndLeavesAllElseAlone(t *testing.T) {
	r, dir := repo(t)
	write(t, dir, "a.yml", "tag: one\n")
	write(t, dir, "sub/b.yml", "tag: one\n")
	write(t, dir, "run.sh", "#!/bin/sh\n")
	if err := os.Chmod(filepath.Join(dir, "run.sh"), 0o755); err != nil {
		t.Fatal(err)
	}
	commit(t, dir, "ada@example.org", "Begin")
	write(t, dir, "a.yml", "tag: mine\n")
	write(t, dir, "new.txt", "mine\n")
	git(t, dir, "add", "new.txt")
	before := status(t, dir)

	made, err := r.Branch(t.Context(), "bump-two", "Ask for two", map[string][]byte{
		filepath.Join(dir, "a.yml"): []byte("tag: two\n"), "sub/b.yml": []byte("tag: two\r\n"), "run.sh": []byte("#!/bin/sh\ntrue\n"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if after := status(t, dir); after != before {
		t.Errorf("working tree or branch changed:\n%s\n%s", before, after)
	}
	got, err := run(t.Context(), dir, nil, "show", "--format=%s", "--name-status", "bump-two")
	if err != nil || got != "Ask for two\n\nM\ta.yml\nM\trun.sh\nM\tsub/b.yml\n" {
		t.Errorf("%q, %v", got, err)
	}
	for spec, want := range map[string]string{"bump-two:a.yml": "tag: two\n", "bump-two:sub/b.yml": "tag: two\r\n"} {
		if got, err := run(t.Context(), dir, nil, "show", spec); err != nil || got != want {
			t.Errorf("%s: %q, %v", spec, got, err)
		}
	}
	if mode, err := run(t.Context(), dir, nil, "ls-tree", made.ID, "run.sh"); err != nil || !strings.HasPrefix(mode, "100755") {
		t.Errorf("run.sh: %q, %v", mode, err)
	}
	if _, err := r.Branch(t.Context(), "bump-two", "Again", map[string][]byte{"a.yml": nil}); !errors.Is(err, ErrBranch) {
		t.Errorf("a branch that exists: %v", err)
	}
	for _, name := range []string{"", "-x", "a..b", "a b"} {
		if _, err := r.Branch(t.Context(), name, "No", map[string][]byte{"a.yml": nil}); err == nil {
			t.Errorf("branch %q was made", name)
		}
	}
	if _, err := r.Branch(t.Context(), "other", "No", map[string][]byte{"nowhere.yml": nil}); !errors.Is(err, ErrNoCommit) {
		t.Errorf("a file of no commit: %v", err)
	}
	if branches, err := run(t.Context(), dir, nil, "branch", "--list", "other"); err != nil || branches != "" {
		t.Errorf("left behind: %q, %v", branches, err)
	}
}

// status is the branch and what is not committed.
func status(t *testing.T, dir string) string {
	t.Helper()
	out, err := run(t.Context(), dir, nil, "status", "--porcelain", "--branch")
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestTheWorkingTreeHoldsWhatNoCommitDoes(t *testing.T) {
	r, dir := repo(t)
	ctx := context.Background()
	images := filepath.Join(dir, "images")
	working := func() string {
		t.Helper()
		id, err := r.WorkingTree(ctx, images)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	committed, err := r.Tree(ctx, images)
	if err != nil {
		t.Fatal(err)
	}
	if working() != committed {
		t.Error("without changes the working tree is another one than the commit's")
	}
	write(t, dir, "images/new", "text\n")
	write(t, dir, "images/x.cache", "ignored")
	write(t, dir, "chart/values.yaml", "a: 3\n")
	if err := os.Remove(filepath.Join(images, "run.sh")); err != nil {
		t.Fatal(err)
	}
	dest := t.TempDir()
	if err := r.Export(ctx, working(), dest); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dest)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if d := cmp.Diff([]string{"Dockerfile", "new"}, names); d != "" {
		t.Error(d)
	}
	dirty, err := r.Dirty(ctx, ".")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(dirty)
	if d := cmp.Diff([]string{"chart/values.yaml", "images/new", "images/run.sh"}, dirty); d != "" {
		t.Errorf("the user's index changed: %s", d)
	}
}
