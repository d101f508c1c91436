//go:build e2e

package e2e

import "testing"

// TestImage_NamesNoCommit: the same program is the same image after a document, a
// change and its reverts, a squash, on another branch, and built by an empty machine
// from a shallow clone.
func TestImage_NamesNoCommit(t *testing.T) {
	t.Parallel()
	p := newTinyProject(t)
	want := imageDigest(p.run("--until", "push").wantExit(0))
	if want == "" {
		t.Fatal("the push step names no digest")
	}
	start := p.git("rev-parse", "HEAD")
	check := func(what string, on *project) {
		t.Helper()
		if got := imageDigest(on.run("--until", "push").wantExit(0)); got != want {
			t.Errorf("image of %s = %s, want %s", what, got, want)
		}
	}
	p.write("README.md", "# only a document\n")
	p.commit("a document")
	check("a document's commit", p.emptyMachine())

	p.setBehaviour("slow")
	if got := imageDigest(p.run("--until", "push").wantExit(0)); got == want {
		t.Errorf("image of another program = %s, as before", got)
	}
	p.git("revert", "--no-edit", "HEAD")
	check("a revert", p.emptyMachine())
	p.git("revert", "--no-edit", "HEAD")
	p.git("revert", "--no-edit", "HEAD")
	check("a revert of the revert's revert", p.emptyMachine())

	p.git("checkout", "-q", "-b", "squashed", start)
	p.git("merge", "-q", "--squash", "main")
	p.commit("all of it")
	check("a squash on another branch", p.emptyMachine())
	check("a cached build", p)
}
