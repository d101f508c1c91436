package ko

import (
	"context"
	"io"
	"os"
	"path"
	"strings"

	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/port"
)

// Section is image.build in slipway.yaml, for a Go program.
type Section struct {
	Go  string            `yaml:"go" json:"go" jsonschema_description:"Go main package of the server, such as ./cmd/api. It is built without a container engine."`
	Env map[string]string `yaml:"env" json:"env,omitempty" jsonschema_description:"Environment of a Go build, such as GOFLAGS."`
}

// Extension describes the builder to the catalog.
func Extension() extension.Builder {
	return extension.Builder{
		Kind: "go", Example: "go: ./cmd/api", Section: extension.SectionOf(check), Inline: true,
		New: func(h extension.Host) (port.Builder, error) {
			return New(Config{Command: []string{h.Executable, BuildCommand}}), nil
		},
		Commands: []extension.Command{{Name: BuildCommand, Run: func(ctx context.Context, _ []string, log io.Writer) int {
			return RunBuild(ctx, os.Stdin, os.Stdout, log)
		}}},
	}
}

func check(s *Section, c extension.Checker) {
	clean := path.Clean(s.Go)
	outside := path.IsAbs(s.Go) || clean == ".." || strings.HasPrefix(clean, "../")
	if outside || s.Go == "" || strings.HasPrefix(s.Go, "-") || strings.ContainsAny(s.Go, " \n\\") {
		c.Fail("go", "a folder of this repository such as ./cmd/api", "%q is not a main package of this repository", s.Go)
	}
	c.CheckLiterals("env", s.Env)
}
