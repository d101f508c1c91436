//go:build e2e

package e2e

import (
	"io"
	"log"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/slipway-cd/slipway/e2e/builder"
)

// TestDockerfileInputs_Root: a Dockerfile whose command gives something else each
// time makes one image on two empty machines with a registry in common, and two
// without; the plan says which, and why.
func TestDockerfileInputs_Root(t *testing.T) {
	t.Parallel()
	tools := builder.Require(t)
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	for name, c := range map[string]struct {
		repository string
		shared     bool
	}{
		"shared registry":   {strings.TrimPrefix(server.URL, "http://") + "/team/tiny", true},
		"registries of own": {"tiny", false},
	} {
		t.Run(name, func(t *testing.T) {
			p := newDockerfileProject(t)
			p.env = append(p.env, "SLIPWAY_BUILDKITD="+tools.Daemon)
			p.edit("Dockerfile", "write /word ${WORD}", "copy /proc/sys/kernel/random/uuid /word")
			p.edit("slipway.yaml", "repository: tiny", "repository: "+c.repository)
			p.commit("another image in every build")
			first := p.run("--until", "push").wantExit(0)

			other := p.emptyMachine()
			planned := other.slipway("plan", "--env", "prod").wantExit(0)
			second := other.run("--until", "push").wantExit(0)
			if same := imageDigest(first) == imageDigest(second); same != c.shared {
				t.Errorf("images %s and %s, want the same = %v", imageDigest(first), imageDigest(second), c.shared)
			}
			if !c.shared {
				planned.wantText("no image of these inputs in the registry")
				return
			}
			planned.wantText("built before from the same inputs: sha256:")
			if s := second.step("build").Summary; !strings.Contains(s, "built before from the same inputs") {
				t.Errorf("summary of the build = %q", s)
			}
			other.write("README.md", "# only a document\n")
			other.commit("a document")
			if again := other.run("--until", "push").wantExit(0); imageDigest(again) != imageDigest(first) {
				t.Errorf("image of a document's commit = %s, want %s", imageDigest(again), imageDigest(first))
			}
			other.slipway("plan", "--env", "prod", "--rebuild").wantExit(0).wantText("--rebuild")
			rebuilt := other.run("--until", "push", "--rebuild").wantExit(0)
			if imageDigest(rebuilt) == imageDigest(first) {
				t.Errorf("image after --rebuild = %s, as before", imageDigest(rebuilt))
			}
			third := p.emptyMachine().run("--until", "push").wantExit(0)
			if imageDigest(third) != imageDigest(rebuilt) {
				t.Errorf("image of a third machine = %s, want the one that was built again: %s", imageDigest(third), imageDigest(rebuilt))
			}
		})
	}
}

// emptyMachine is a shallow clone of the repository on a machine without state.
func (p *project) emptyMachine() *project {
	p.t.Helper()
	other := newProject(p.t)
	other.env = append(p.env[:len(p.env):len(p.env)], "E2E_SIDE="+other.trainingLog)
	other.must(os.Remove(other.dir))
	p.git("clone", "-q", "--depth", "1", "file://"+p.dir, other.dir)
	return other
}

// imageDigest is the digest of the image that a run pushed.
func imageDigest(r result) string {
	_, digest, _ := strings.Cut(r.step("push").Summary, "@")
	return digest
}
