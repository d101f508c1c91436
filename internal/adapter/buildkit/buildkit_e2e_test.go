//go:build e2e

package buildkit_test

import (
	"bytes"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/ocilayout"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// TestBuildKit builds with a real BuildKit, which it starts itself.
func TestBuildKit(t *testing.T) {
	f := newFixture(t)
	t.Run("conformance", func(t *testing.T) {
		porttest.TestDockerfileBuilder(t, func(*testing.T) port.Builder { return f.builder() })
	})
	t.Run("stages, arguments and target", f.testStages)
	t.Run("syntax line", f.testSyntax)
	t.Run("origin", f.testOrigin)
	t.Run("secrets", f.testSecrets)
	t.Run("SSH agent", f.testAgent)
	t.Run("password of a registry", f.testPassword)
	t.Run("dockerignore", f.testIgnore)
	t.Run("the same after a prune", f.testPruned)
	t.Run("layers keep their digest", f.testLayersKeep)
	t.Run("cache in a registry", f.testCache)
	t.Run("poisoned cache in a registry", f.testPoisonedCache)
	t.Run("platforms", f.testPlatforms)
	t.Run("a command fails", f.testCommandFails)
	t.Run("base images", f.testBases)
	t.Run("cancelled", f.testCancelled)
	t.Run("killed", f.testKilled)
	t.Run("daemon", f.testDaemon)
	t.Run("idle", f.testIdle)
	t.Run("inside of Docker", f.testDocker)
}

// testSyntax builds with an official "# syntax=" line while no registry has the
// frontend that it names.
func (f *fixture) testSyntax(t *testing.T) {
	var log bytes.Buffer
	files, _ := contents(t, f.build(t, project(t, "# syntax=docker/dockerfile:1\n"+staged), &log).Layout)
	if files["last"] != "none" {
		t.Errorf("files: %v", files)
	}
	if want := "# syntax=docker/dockerfile:1 is read by the frontend in BuildKit"; !strings.Contains(log.String(), want) {
		t.Errorf("the log lacks %q:\n%s", want, log.String())
	}
	if _, err := f.builder().Build(t.Context(), project(t, "# syntax=docker/dockerfile:1-labs\n"+staged), io.Discard); err == nil {
		t.Error("an experimental frontend was not pulled")
	}
}

const staged = `FROM shell:1 AS made
ARG WORD=none
RUN write /out ${WORD} && print made ${WORD}
FROM scratch AS small
COPY --from=made /out /small
FROM scratch
COPY --from=made /out /last
`

func (f *fixture) testStages(t *testing.T) {
	o := project(t, staged)
	o.Dockerfile.Args = map[string]string{"WORD": "hello"}
	var log bytes.Buffer
	var said []string
	o.OnProgress = func(text string) { said = append(said, text) }
	files, _ := contents(t, f.build(t, o, &log).Layout)
	if files["last"] != "hello" || len(files) != 1 {
		t.Errorf("files: %v", files)
	}
	if !strings.Contains(log.String(), "] RUN write /out hello && print made hello\n") || !strings.Contains(log.String(), " made hello\n") {
		t.Errorf("the log lacks the command or what it printed:\n%s", log.String())
	}
	if !slices.ContainsFunc(said, func(s string) bool { return strings.HasPrefix(s, "[made 2/2] RUN write") }) {
		t.Errorf("progress: %q", said)
	}
	o = project(t, staged)
	o.Dockerfile.Target = "small"
	if files, _ := contents(t, f.build(t, o, io.Discard).Layout); files["small"] != "none" {
		t.Errorf("target: %v", files)
	}
	o.Dockerfile.Target = "nowhere"
	if _, err := f.builder().Build(t.Context(), o, io.Discard); !fault.Is(err, fault.Failed) || !strings.Contains(fault.HintOf(err), "image.build.target") {
		t.Errorf("no such target: %v (%s)", err, fault.HintOf(err))
	}
}

// testOrigin: the image states what it was built from, as those of the Go builder do,
// and neither a commit nor a time.
func (f *fixture) testOrigin(t *testing.T) {
	o := project(t, "FROM shell:1\nLABEL own=yes\nWORKDIR /app\nCOPY a.txt .\nUSER 1000\nCMD [\"/bin/sh\", \"print a\"]\n", "a.txt", "a")
	built := f.build(t, o, io.Discard)
	img := image(t, built)
	m, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	c, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		"org.opencontainers.image.title":    o.Service,
		"org.opencontainers.image.revision": "",
		"org.opencontainers.image.source":   "",
		"org.opencontainers.image.created":  "",
	} {
		if m.Annotations[key] != want || c.Config.Labels[key] != want {
			t.Errorf("%s = %q (annotation), %q (label), want %q", key, m.Annotations[key], c.Config.Labels[key], want)
		}
	}
	if c.Config.Labels["own"] != "yes" || c.Config.User != "1000" || len(c.Config.Cmd) != 2 || !c.Created.Equal(ocilayout.CreationTime()) {
		t.Errorf("config = %+v, created %v", c.Config, c.Created)
	}
	if last := c.History[len(c.History)-1]; !last.Created.Equal(ocilayout.CreationTime()) {
		t.Errorf("history ends %v", last)
	}
	if !strings.HasPrefix(string(m.MediaType), "application/vnd.oci.image.manifest") {
		t.Errorf("a manifest of type %s: is there an attestation?", m.MediaType)
	}
	if len(built.Bases) != 1 || !strings.HasPrefix(built.Bases[0], "docker.io/library/shell:1@sha256:") {
		t.Errorf("bases: %v", built.Bases)
	}
}

const secretValue = "hunter2-is-not-a-good-one"

// testSecrets plants a secret, lets a command print and fail with it, and looks
// for it everywhere.
func (f *fixture) testSecrets(t *testing.T) {
	text := "FROM shell:1\nRUN --mount=type=secret,id=token cat /run/secrets/token && print used\nRUN --mount=type=secret,id=token,env=TOKEN env TOKEN\n"
	o := project(t, text)
	o.Dockerfile.Secrets = map[string][]byte{"token": []byte(secretValue)}
	var log bytes.Buffer
	_, everything := contents(t, f.build(t, o, &log).Layout)
	if strings.Contains(everything, secretValue) || strings.Contains(log.String(), secretValue) {
		t.Error("the secret is in the image or in the log")
	}
	if strings.Count(log.String(), " ***\n") != 2 || !strings.Contains(log.String(), " used\n") {
		t.Errorf("the commands did not get it, or the log lacks their output:\n%s", log.String())
	}
	o = project(t, text+"RUN --mount=type=secret,id=token cat /run/secrets/token && exit 4\n")
	o.Dockerfile.Secrets = map[string][]byte{"token": []byte(secretValue)}
	if _, err := f.builder().Build(t.Context(), o, io.Discard); err == nil || strings.Contains(err.Error(), secretValue) || !strings.Contains(err.Error(), "***") {
		t.Errorf("the error: %v", err)
	}
	o.Dockerfile.Secrets = nil
	if _, err := f.builder().Build(t.Context(), o, io.Discard); !fault.Is(err, fault.Failed) || !strings.Contains(fault.HintOf(err), "image.build.secrets") {
		t.Errorf("no secret: %v (%s)", err, fault.HintOf(err))
	}
}

func (f *fixture) testIgnore(t *testing.T) {
	o := project(t, "FROM scratch\nCOPY . /\n", "server/a.txt", "a", "server/b.log", "b", "server/.dockerignore", "*.log\n", "outside.txt", "o")
	o.Dockerfile.Context = "server"
	files, _ := contents(t, f.build(t, o, io.Discard).Layout)
	if files["a.txt"] != "a" || files["b.log"] != "" || files["outside.txt"] != "" {
		t.Errorf("files: %v", files)
	}
}

// testPruned: a fresh builder gives the digest that a warm one gave.
func (f *fixture) testPruned(t *testing.T) {
	o := project(t, "FROM shell:1\nWORKDIR /app\nCOPY a.txt sub/ ./\nRUN write /made once\n", "a.txt", "a", "sub/b.txt", "b")
	first := f.build(t, o, io.Discard)
	f.prune(t)
	if again := f.build(t, o, io.Discard); again.Digest != first.Digest {
		t.Errorf("before %s, after a prune %s", first.Digest, again.Digest)
	}
	later := project(t, "FROM shell:1\nWORKDIR /app\nCOPY a.txt sub/ ./\nRUN write /made once\n", "a.txt", "a", "sub/b.txt", "b") // the next commit, from a builder that is warm or not
	warm := f.build(t, later, io.Discard)
	f.prune(t)
	if cold := f.build(t, later, io.Discard); cold.Digest != warm.Digest {
		t.Errorf("warm %s, cold %s", warm.Digest, cold.Digest)
	}
	if warm.Digest != first.Digest {
		t.Errorf("digest = %s in another folder, want %s", warm.Digest, first.Digest)
	}
}

// testLayersKeep: a new commit that changes one file makes one new layer.
func (f *fixture) testLayersKeep(t *testing.T) {
	text := "FROM shell:1\nRUN write /dependency heavy\nCOPY a.txt /\n"
	one, two := project(t, text, "a.txt", "a"), project(t, text, "a.txt", "b")
	before, after := layers(t, f.build(t, one, io.Discard)), layers(t, f.build(t, two, io.Discard))
	if len(before) != 3 || !slices.Equal(before[:2], after[:2]) || before[2] == after[2] {
		t.Errorf("layers %v, then %v", before, after)
	}
	if before[0] != f.base {
		t.Errorf("the base's layer %s became %s", f.base, before[0])
	}
}

func layers(t *testing.T, built port.BuiltImage) []string {
	t.Helper()
	m, err := image(t, built).Manifest()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, l := range m.Layers {
		out = append(out, l.Digest.String())
	}
	return out
}

// ran finds what the command printed, not the command.
var ran = regexp.MustCompile(`\d\.\d+ it ran\n`)

// testCache: what one builder made, another takes from the registry.
func (f *fixture) testCache(t *testing.T) {
	o := project(t, "FROM shell:1\nRUN write /made once && print it ran\n")
	o.Dockerfile.Cache = f.registry + "/cache/api"
	var log bytes.Buffer
	first := f.build(t, o, &log)
	if !ran.MatchString(log.String()) {
		t.Errorf("the first build:\n%s", log.String())
	}
	f.prune(t)
	log.Reset()
	again := f.build(t, o, &log)
	if again.Digest != first.Digest || ran.MatchString(log.String()) || !strings.Contains(log.String(), "CACHED") {
		t.Errorf("%s, then %s:\n%s", first.Digest, again.Digest, log.String())
	}
}

// testPoisonedCache: a proxy is no part of what a layer is found by. A pull request must
// not leave the layer that a build of the main branch then takes from the registry.
func (f *fixture) testPoisonedCache(t *testing.T) {
	o := project(t, "FROM shell:1\nRUN write /made honest && print it ran\n")
	o.Dockerfile.Cache = f.registry + "/cache/shared"
	request := o
	ofRequest := *o.Dockerfile
	request.Dockerfile, request.CacheDir = &ofRequest, filepath.Join(f.dir, "untrusted")
	ofRequest.Args = map[string]string{"HTTP_PROXY": "http://evil.test:1"}
	for _, step := range []struct {
		name string
		o    port.BuildRequest
		ran  bool
	}{{"pull request", request, true}, {"main branch", o, true}, {"another pull request", request, false}} {
		f.prune(t)
		var log bytes.Buffer
		f.build(t, step.o, &log)
		if got := ran.MatchString(log.String()); got != step.ran {
			t.Errorf("%s: the command ran: %t, want %t\n%s", step.name, got, step.ran, log.String())
		}
	}
}

// testPlatforms: an index, which the registry takes, holds and unpacks.
func (f *fixture) testPlatforms(t *testing.T) {
	o := project(t, "FROM scratch\nARG TARGETARCH\nCOPY ${TARGETARCH}.txt /arch\n", "amd64.txt", "amd64", "arm64.txt", "arm64")
	o.Dockerfile.Platforms = []string{"linux/amd64", "linux/arm64"}
	built := f.build(t, o, io.Discard)
	img := delivery.Image{Repository: "platforms/api", Digest: built.Digest}
	if _, err := f.images.Push(t.Context(), built.Layout, img, "1", nil); err != nil {
		t.Fatal(err)
	}
	if has, err := f.images.Has(t.Context(), img); err != nil || !has {
		t.Errorf("Has = %v, %v", has, err)
	}
	for _, arch := range []string{"amd64", "arm64"} {
		f.unpack(t, img, arch)
	}
	o.Dockerfile.Platforms = []string{"linux/arm64"}
	c, err := image(t, f.build(t, o, io.Discard)).ConfigFile()
	if err != nil || c.Architecture != "arm64" {
		t.Errorf("one platform: %+v, %v", c, err)
	}
}
