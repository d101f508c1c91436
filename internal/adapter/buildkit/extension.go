package buildkit

import (
	"context"
	"fmt"
	"io"
	"maps"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/port"
)

// Section is image.build in slipway.yaml, for a Dockerfile.
type Section struct {
	Dockerfile string                      `yaml:"dockerfile" json:"dockerfile" jsonschema_description:"Path of a Dockerfile, relative to this file. It is built with BuildKit."`
	Context    string                      `yaml:"context" json:"context,omitempty" jsonschema_description:"Build context, relative to this file. Default: the folder of this file."`
	Target     string                      `yaml:"target" json:"target,omitempty" jsonschema_description:"Target stage of the Dockerfile. Default: the last one."`
	Args       map[string]string           `yaml:"args" json:"args,omitempty" jsonschema_description:"Build arguments (ARG). They are recorded and remain in the image's history, so they must not contain secrets."`
	Secrets    map[string]extension.Secret `yaml:"secrets" json:"secrets,omitempty" jsonschema_description:"Secrets for RUN --mount=type=secret, by id, as ${NAME}. They are read from Slipway's own environment during the build, and never stored in a layer or a record."`
	SSH        bool                        `yaml:"ssh" json:"ssh,omitempty" jsonschema_description:"Let RUN --mount=type=ssh use the SSH agent at SSH_AUTH_SOCK."`
	Platforms  []string                    `yaml:"platforms" json:"platforms,omitempty" jsonschema_description:"Platforms of the image, such as linux/amd64 and linux/arm64. Default: that of this machine."`
	Cache      string                      `yaml:"cache" json:"cache,omitempty" jsonschema_description:"Repository, with its registry host, for a layer cache shared between machines."`
}

const (
	stagePattern    = `^[A-Za-z0-9][A-Za-z0-9_.-]*$`
	platformPattern = `^linux/[a-z0-9]+(/[a-z0-9]+)?$`
	cachePattern    = `^[a-zA-Z0-9][a-zA-Z0-9.-]*(:[0-9]{1,5})?(/[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*)+(:[A-Za-z0-9_][A-Za-z0-9_.-]*)?$`
)

var mountIDPattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)

// Extension describes the builder to the catalog.
func Extension() extension.Builder {
	section := extension.SectionOf(check)
	section.Patterns = map[string]string{"dockerfile": `[^/]$`, "target": stagePattern, "cache": cachePattern}
	return extension.Builder{
		Kind: "dockerfile", Example: "dockerfile: Dockerfile", Section: section, Inline: true,
		New: func(h extension.Host) (port.Builder, error) {
			return New(configOf(h)), nil
		},
		Commands: []extension.Command{{Name: IdleCommand, CatchSignals: true, Run: func(ctx context.Context, args []string, _ io.Writer) int {
			return StopWhenIdle(ctx, args)
		}}},
	}
}

// configOf keeps a BuildKit for each trust class. Before there were caches of projects,
// it was in the state folder.
func configOf(h extension.Host) Config {
	c := Config{Dir: dirIn(filepath.Join(h.Cache, string(delivery.Trusted))), Executable: h.Executable, Former: filepath.Join(h.Home, "buildkit")}
	for _, class := range delivery.TrustClasses() {
		c.Dirs = append(c.Dirs, dirIn(filepath.Join(h.Cache, string(class))))
	}
	return c
}

// dirIn is BuildKit's folder in a cache folder.
func dirIn(cacheDir string) string { return filepath.Join(cacheDir, "buildkit") }

func check(s *Section, c extension.Checker) {
	f, clean := s.Dockerfile, path.Clean(s.Dockerfile)
	outside := path.IsAbs(f) || clean == ".." || strings.HasPrefix(clean, "../")
	if outside || f == "" || clean == "." || strings.HasSuffix(f, "/") || strings.ContainsAny(f, "\n\\\x00") {
		c.Fail("dockerfile", "a file of this repository such as server/Dockerfile", "%q is not a file of this repository", f)
	}
	c.CheckFolder("context", s.Context)
	if s.Target != "" {
		c.MatchPattern("target", s.Target, stagePattern, "use the name of a stage: FROM ... AS name")
	}
	c.CheckLiterals("args", s.Args)
	for _, id := range slices.Sorted(maps.Keys(s.Secrets)) {
		if !mountIDPattern.MatchString(id) {
			c.Fail("secrets."+id, "letters, digits, dots, dashes and underscores", "invalid id %q", id)
		}
		c.CheckSecret("secrets."+id, s.Secrets[id])
	}
	for i, p := range s.Platforms {
		key := fmt.Sprintf("platforms[%d]", i)
		c.MatchPattern(key, p, platformPattern, "such as linux/amd64 or linux/arm64")
		if slices.Contains(s.Platforms[:i], p) {
			c.Fail(key, "remove one", "duplicate value %q", p)
		}
	}
	if s.Cache != "" {
		c.MatchPattern("cache", s.Cache, cachePattern, "a repository with its registry's host, such as registry.example.com/retail-api-cache")
	}
}
