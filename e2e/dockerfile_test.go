//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/e2e/builder"
)

// buildSecret is a secret of the build. Its variable's name does not suggest that.
const buildSecret = "e2e-planted-in-a-build-93ab"

// shellFile is where the repository keeps /bin/sh of its image.
const shellFile = "image/sh"

const dockerfile = `FROM scratch AS tools
COPY --chmod=755 image/sh /bin/sh
ARG WORD=none
RUN --mount=type=secret,id=pip cat /run/secrets/pip && write /word ${WORD}

FROM scratch
COPY --chmod=755 image/server /server
COPY --from=tools /word /word
USER 65532:65532
ENTRYPOINT ["/server"]
`

// Delivers a service whose image is built from a Dockerfile.
func TestDockerfile_Root(t *testing.T) {
	t.Parallel()
	tools := builder.Require(t)
	p := newDockerfileProject(t)
	without := p.env
	p.env = append(p.env, "SLIPWAY_BUILDKITD="+tools.Daemon)
	first := p.run().wantRun(0, "deployed")
	p.wantDeployed(first.report.Release)
	p.run().wantRun(0, "skipped")
	if again := p.run("--until", "build").wantExit(0); !again.step("build").Cached {
		t.Errorf("build of the unchanged commit = %+v, want it cached", again.step("build"))
	}
	if !strings.Contains(p.slipway("logs", "latest", "build").wantExit(0).stdout+p.slipway("logs", first.report.Run, "build").wantExit(0).stdout, "***") {
		t.Error("the log does not have the command's output, or not masked")
	}
	if p.wantNoSecrets(buildSecret, envSecret) == 0 {
		t.Error("no layer was looked at")
	}

	p.write("Dockerfile", strings.Replace(dockerfile, "USER", "USSER", 1))
	p.commit("a slip")
	p.run().wantRun(1, "failed").wantText("Dockerfile:9", "USSER")
	p.wantDeployed(first.report.Release)
	p.write("Dockerfile", strings.Replace(dockerfile, "cat /run", "exit 7 && cat /run", 1))
	p.commit("a command that fails")
	p.run().wantRun(1, "failed").wantText("Dockerfile:4", "exit 7")

	p.checkBuilderStops()
	p.env = append(without, "PATH="+pathWithoutBuilders(t))
	p.slipway("plan", "--env", "prod").wantExit(2).wantText("a run would fail", "find a BuildKit")
	p.run().wantText("find a BuildKit", "BUILDKIT_HOST").wantRun(1, "failed")
}

// checkBuilderStops checks that `slipway down --all` stops the BuildKit that Slipway started.
func (p *project) checkBuilderStops() {
	p.t.Helper()
	p.slipway("down", "--all").wantExit(0)
	if !p.eventually(5*time.Second, func() bool { return len(p.processes("buildkit")) == 0 }) {
		p.t.Errorf("processes after slipway down --all: %v, want none", p.processes("buildkit"))
	}
}

// newDockerfileProject is the tiny service with a Dockerfile.
func newDockerfileProject(t *testing.T) *project {
	t.Helper()
	p := newTinyProject(t)
	p.env = append(p.env, "E2E_PIP="+buildSecret, "DOCKER_HOST=unix://"+p.base+"/no-docker.sock", "DOCKER_CONFIG="+p.base)
	p.write("Dockerfile", dockerfile)
	p.write(".dockerignore", ".git\n*.go\n")
	p.goBuild("image/server", p.dir, ".")
	p.goBuild(shellFile, ".", "../internal/adapter/buildkit/testdata/tool")
	p.edit("slipway.yaml", `build: {go: ., inputs: ["*.go", go.mod]}`,
		`build: {dockerfile: Dockerfile, args: {WORD: hello}, secrets: {pip: "${E2E_PIP}"}, inputs: [Dockerfile, .dockerignore, "image/*"]}`)
	p.commit("a Dockerfile")
	return p
}

func (p *project) goBuild(to, dir, pkg string) {
	p.t.Helper()
	to = filepath.Join(p.dir, to)
	p.must(os.MkdirAll(filepath.Dir(to), 0o755))
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", to, pkg)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		p.t.Fatalf("build %s: %v: %s", pkg, err, out)
	}
}

// pathWithoutBuilders is a PATH with what the service's own commands need, and no BuildKit.
func pathWithoutBuilders(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"go", "git", "sh", "cat", "echo", "mkdir", "cp", "bwrap"} {
		if full, err := exec.LookPath(name); err == nil {
			if err := os.Symlink(full, filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}
