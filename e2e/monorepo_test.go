//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// services is how many services the repository of TestMonorepo has.
const services = 20

// TestMonorepo: a commit in one of twenty services is no reason to deploy another one.
func TestMonorepo(t *testing.T) {
	t.Parallel()
	root := newTinyProject(t)
	var all []*project
	for i := range services {
		s := *root
		name := fmt.Sprintf("service-%02d", i)
		s.dir, s.home = filepath.Join(root.dir, name), filepath.Join(root.dir, name, ".slipway")
		s.must(os.CopyFS(s.dir, os.DirFS("testdata/small")))
		s.edit("slipway.yaml", "service: small", "service: "+name)
		s.edit("slipway.yaml", "E2E_BASE: none", "E2E_BASE: "+s.base)
		all = append(all, &s)
	}
	root.commit("twenty services")
	deployed := map[string]string{}
	for _, s := range all {
		t.Cleanup(func() { s.slipway("down", "--all").wantExit(0) })
		deployed[s.dir] = s.run().wantRun(0, "deployed").report.Release
	}
	all[7].edit("main.go", `"size": "small"`, `"size": "large"`)
	root.commit("one service")
	var slowest time.Duration
	for i, s := range all {
		begun := time.Now()
		r := s.run()
		took := time.Since(begun)
		if i == 7 {
			if r.wantRun(0, "deployed"); r.report.Release == deployed[s.dir] {
				t.Errorf("%s = %s as before, want another release", s.dir, r.report.Release)
			}
			continue
		}
		slowest = max(slowest, took)
		if r.wantRun(0, "skipped"); len(r.report.Steps) > 0 || r.report.Release != deployed[s.dir] {
			t.Errorf("%s: release %s with steps %v, want %s and none", s.dir, r.report.Release, r.report.Steps, deployed[s.dir])
		}
	}
	t.Logf("%d runs skipped, the slowest in %s", services-1, slowest.Round(time.Millisecond))
}

// TestMonorepo_SharedFolder: a change in a folder that a service names in source.also
// runs its tests again, in a checkout with both; a change elsewhere does not.
func TestMonorepo_SharedFolder(t *testing.T) {
	t.Parallel()
	root := newTinyProject(t)
	s := *root
	s.dir, s.home = filepath.Join(root.dir, "services", "api"), filepath.Join(root.dir, "services", "api", ".slipway")
	s.must(os.CopyFS(s.dir, os.DirFS("testdata/small")))
	s.edit("slipway.yaml", "E2E_BASE: none", "E2E_BASE: "+s.base)
	s.edit("slipway.yaml", "service: small", "service: shared\nsource: {also: [\"../../lib/*\"]}\ntest: [{name: word, run: cat ../../lib/word}]")
	s.write("../../lib/word", "one\n")
	s.write("../other/word", "one\n")
	t.Cleanup(func() { s.slipway("down", "--all").wantExit(0) })
	root.commit("a service and what it shares")
	s.run().wantRun(0, "deployed")
	s.write("../other/word", "two\n")
	root.commit("another service")
	if r := s.run().wantRun(0, "skipped"); len(r.report.Steps) > 0 {
		t.Errorf("a change elsewhere: steps %v, want none", r.report.Steps)
	}
	s.write("../../lib/word", "two\n")
	root.commit("what is shared")
	ran := false
	for _, step := range s.run().report.Steps {
		ran = ran || step.Name == "test.word" && !step.Cached
	}
	if !ran {
		t.Error("a change in the shared folder: the test did not run")
	}
	s.write("../../lib/word", "three\n")
	if got := s.slipway("run", "--env", "prod"); got.code == 0 {
		t.Error("uncommitted changes in the shared folder were not refused")
	}
}
