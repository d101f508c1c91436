package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/slipway-cd/slipway/bench/measure"
	"github.com/slipway-cd/slipway/e2e/builder"
)

// The image: a layer of dependencies of 60 MB (30 MB compressed), and one file on
// top.
const benchDockerfile = `FROM scratch
COPY --chmod=755 sh /bin/sh
WORKDIR /app
COPY dependencies.txt .
RUN fill /app/dependencies 60 /app/dependencies.txt
COPY app.txt .
`

const benchProject = `version: 1
service: packed
image: {build: {dockerfile: Dockerfile}, repository: packed}
environments: {dev: {target: {local: {}}}}
`

// dockerfileBench is a repository with a Dockerfile, and a copy of it for buildctl.
// Both are built by the same BuildKit, which Slipway starts.
type dockerfileBench struct {
	*bench
	tools                   builder.Tools
	slipwayDir, buildctlDir string // folders
	line                    int
}

// measureDockerfiles measures the overhead over BuildKit alone.
func (b *bench) measureDockerfiles(ctx context.Context) error {
	tools, err := builder.Ensure(ctx, b.log)
	if errors.Is(err, builder.ErrUnsupported) {
		b.Note("Dockerfiles compared with buildctl", err.Error())
		return nil
	}
	if err != nil {
		return err
	}
	p := &dockerfileBench{bench: b, tools: tools, slipwayDir: filepath.Join(b.work, "packed"), buildctlDir: filepath.Join(b.work, "packed-plain")}
	if err := p.prepare(ctx); err != nil {
		return err
	}
	defer p.down()
	for _, c := range []struct {
		what  string
		file  string // that changes; "": nothing does
		times int
	}{
		{"nothing changed", "", rounds}, {"one line changed", "app.txt", rounds}, {"one dependency changed", "dependencies.txt", 3},
	} {
		if err := p.compare(ctx, c.what, c.file, c.times); err != nil {
			return fmt.Errorf("%s: %w", c.what, err)
		}
	}
	return nil
}

func (p *dockerfileBench) prepare(ctx context.Context) error {
	for _, dir := range []string{p.slipwayDir, p.buildctlDir} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
		build := measure.Command(ctx, p.root, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", filepath.Join(dir, "sh"), "./internal/adapter/buildkit/testdata/tool")
		build.Env = append(build.Env, "CGO_ENABLED=0")
		if _, err := measure.ExecCmd(build, 0); err != nil {
			return err
		}
		for name, text := range map[string]string{"Dockerfile": benchDockerfile, "slipway.yaml": benchProject, ".gitignore": ".slipway\n"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				return err
			}
		}
		for _, name := range []string{"dependencies.txt", "app.txt"} {
			if err := p.changeFile(dir, name); err != nil {
				return err
			}
		}
	}
	if _, err := measure.Exec(ctx, 0, p.slipwayDir, "git", "init", "-q", "-b", "main"); err != nil {
		return err
	}
	if err := p.commit(ctx); err != nil {
		return err
	}
	return errors.Join(p.buildWithSlipway(ctx), p.buildWithBuildctl(ctx))
}

// changeFile writes content that is new to both folders, so that neither benefits
// from the other's cache.
func (p *dockerfileBench) changeFile(dir, name string) error {
	p.line++
	return os.WriteFile(filepath.Join(dir, name), fmt.Appendf(nil, "line %d of %d\n", p.line, time.Now().UnixNano()), 0o644)
}

func (p *dockerfileBench) commit(ctx context.Context) error {
	return (&retailRepo{bench: p.bench, dir: p.slipwayDir}).commit(ctx)
}

// buildWithSlipway builds with Slipway.
func (p *dockerfileBench) buildWithSlipway(ctx context.Context) error {
	_, err := measure.ExecCmd(p.command(ctx, "run", "--env", "dev", "--until", "build"), 0)
	return err
}

// command is a command of Slipway with a cache of its own: it starts a BuildKit there.
func (p *dockerfileBench) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := measure.Command(ctx, p.slipwayDir, p.slipway, args...)
	cmd.Env = append(cmd.Env, "SLIPWAY_BUILDKITD="+p.tools.Daemon, "DOCKER_HOST=unix://"+filepath.Join(p.work, "no-docker.sock"),
		"SLIPWAY_CACHE_DIR="+filepath.Join(p.work, "c"))
	return cmd
}

func (p *dockerfileBench) down() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, err := measure.ExecCmd(p.command(ctx, "down", "--all"), 0); err != nil {
		fmt.Fprintln(p.log, "bench:", err)
	}
}

// buildWithBuildctl builds with buildctl, into one file.
func (p *dockerfileBench) buildWithBuildctl(ctx context.Context) error {
	sockets, err := filepath.Glob(filepath.Join(p.work, "c", "projects", "*", "trusted", "buildkit", "run", "buildkitd.sock"))
	if err != nil {
		return err
	}
	if len(sockets) != 1 {
		return fmt.Errorf("find the socket of Slipway's BuildKit: found %q", sockets)
	}
	socket := sockets[0]
	_, err = measure.Exec(ctx, 0, p.buildctlDir, p.tools.Client, "--addr", "unix://"+socket, "build", "--frontend", "dockerfile.v0",
		"--local", "context=.", "--local", "dockerfile=.", "--output", "type=oci,dest="+p.buildctlDir+".tar")
	return err
}

func (p *dockerfileBench) compare(ctx context.Context, what, file string, times int) error {
	var ours, theirs, more []time.Duration
	for range times {
		if file != "" {
			if err := errors.Join(p.changeFile(p.slipwayDir, file), p.changeFile(p.buildctlDir, file)); err != nil {
				return err
			}
			if err := p.commit(ctx); err != nil {
				return err
			}
		}
		start := time.Now()
		if err := p.buildWithSlipway(ctx); err != nil {
			return err
		}
		ours = append(ours, time.Since(start))
		start = time.Now()
		if err := p.buildWithBuildctl(ctx); err != nil {
			return err
		}
		theirs = append(theirs, time.Since(start))
		more = append(more, ours[len(ours)-1]-theirs[len(theirs)-1])
	}
	extra := measure.Median(more)
	p.Add(fmt.Sprintf("Dockerfile, %s: slipway run --until build compared with buildctl (median of %d)", what, times), "<= 0.3 s more",
		fmt.Sprintf("%+.2f s (%.2f s, buildctl %.2f s)", extra.Seconds(), measure.Median(ours).Seconds(), measure.Median(theirs).Seconds()),
		extra <= 300*time.Millisecond)
	return nil
}
