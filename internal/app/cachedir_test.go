package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
)

// cloneOf is a work tree whose git configuration names that origin; "": none.
func cloneOf(t *testing.T, origin string) string {
	t.Helper()
	dir := t.TempDir()
	config := "[core]\n\tbare = false\n[remote \"upstream\"]\n\turl = https://example.com/other.git\n"
	if origin != "" {
		config += "[remote \"origin\"]\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n\turl = " + origin + "\n"
	}
	write(t, filepath.Join(dir, ".git", "config"), config)
	return dir
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestCacheDir_ByRepository(t *testing.T) {
	base := t.TempDir()
	a := &App{Environ: []string{cacheVariable + "=" + base}}
	of := func(dir string, project delivery.Project) string {
		t.Helper()
		got := a.cacheDir(Workspace{Repository: dir, Home: filepath.Join(dir, ".slipway"), Project: project})
		if filepath.Dir(got) != filepath.Join(base, "projects") || len(filepath.Base(got)) != 16 {
			t.Errorf("cache folder = %s, want one of 16 digits in %s/projects", got, base)
		}
		return got
	}
	clone := cloneOf(t, "https://git.example.com/shop/retail.git")
	want := of(clone, "api")
	for _, same := range []string{
		"https://robot:hunter22@git.example.com/shop/retail", "git@git.example.com:shop/retail.git", "ssh://git@GIT.example.com/shop/retail.git/",
	} {
		if got := of(cloneOf(t, same), "api"); got != want {
			t.Errorf("cache folder of a clone of %s = %s, want %s", same, got, want)
		}
	}
	for name, got := range map[string]string{
		"another service":         of(clone, "web"),
		"another folder":          of(filepath.Join(clone, "services"), "api"),
		"another repository":      of(cloneOf(t, "https://git.example.com/eve/retail.git"), "api"),
		"another server":          of(cloneOf(t, "https://git.example.com:8443/shop/retail.git"), "api"),
		"a local path":            of(cloneOf(t, clone), "api"),
		"a repository of its own": of(cloneOf(t, ""), "api"),
		"no repository":           of(t.TempDir(), "api"),
	} {
		if got == want {
			t.Errorf("%s has the same cache folder %s", name, got)
		}
	}
	if a, b := of(cloneOf(t, ""), "api"), of(cloneOf(t, ""), "api"); a == b {
		t.Error("two repositories without an origin have the same cache folder")
	}
}

// A linked work tree and its repository are one.
func TestCacheDir_WorkTree(t *testing.T) {
	for _, origin := range []string{"", "https://git.example.com/shop/retail.git"} {
		main, linked := cloneOf(t, origin), t.TempDir()
		own := filepath.Join(main, ".git", "worktrees", "linked")
		write(t, filepath.Join(own, "commondir"), "../..\n")
		write(t, filepath.Join(linked, ".git"), "gitdir: "+own+"\n")
		a := &App{Environ: []string{cacheVariable + "=" + t.TempDir()}}
		want := a.cacheDir(Workspace{Repository: filepath.Join(main, "api"), Project: "api"})
		if got := a.cacheDir(Workspace{Repository: filepath.Join(linked, "api"), Project: "api"}); got != want {
			t.Errorf("origin %q: cache folder of the work tree = %s, want %s", origin, got, want)
		}
	}
}

func TestCacheDir_Base(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", filepath.Join(dir, "user"))
	w := Workspace{Repository: dir, Home: filepath.Join(dir, ".slipway"), Project: "api"}
	if got, want := (&App{}).cacheDir(w), filepath.Join(dir, "user", "slipway", "projects"); filepath.Dir(got) != want {
		t.Errorf("cache folder = %s, want one in %s", got, want)
	}
	t.Setenv("XDG_CACHE_HOME", "")
	t.Setenv("HOME", "")
	if got, want := (&App{}).cacheDir(w), filepath.Join(w.Home, "cache"); got != want {
		t.Errorf("cache folder without a home = %s, want %s", got, want)
	}
	if got := (&App{Environ: []string{cacheVariable + "=relative"}}).cacheDir(w); !filepath.IsAbs(got) || !strings.Contains(got, "relative") {
		t.Errorf("cache folder = %s, want an absolute one", got)
	}
}
