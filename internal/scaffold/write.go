// Package scaffold writes a first slipway.yaml for a repository, by what it finds
// there.
package scaffold

import (
	"bytes"
	"fmt"
	"io/fs"
	"regexp"
	"strconv"
	"strings"
	"text/template"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/scaffold/pipeline"
)

// Options are what a slipway.yaml is written with.
type Options struct {
	Name     string // of the service, such as the folder's
	Kinds    extension.Set
	From     *pipeline.Pipeline                // that people have; nil: none
	Git      fs.FS                             // folder with .git, where that is above; nil: the repository's
	LookPath func(name string) (string, error) // finds a program of this machine; nil: none is looked for
}

func (o Options) gitFolder(repository fs.FS) fs.FS {
	if o.Git != nil {
		return o.Git
	}
	return repository
}

// Result is a slipway.yaml, or the services of a repository that has several.
type Result struct {
	File     []byte // none with Services
	Summary  string // of what was found, in one line
	Found    []Finding
	Missing  []string // for the file to run
	Services []Service
	Flaws    []pipeline.Flaw // of the pipeline and of its policies
}

// Write returns a slipway.yaml for the repository in fsys. What can't be delivered as it
// is stands in comments. The file parses.
func Write(fsys fs.FS, opts Options) (Result, error) {
	s, err := detect(fsys, opts)
	if err != nil {
		return Result{}, fmt.Errorf("inspect the repository: %w", err)
	}
	if len(s.Services) > 0 {
		return Result{Services: s.Services, Summary: fmt.Sprintf("%d services", len(s.Services))}, nil
	}
	r := Result{Summary: s.String(), Found: s.Found, Missing: s.Missing}
	if opts.From != nil {
		r.Flaws = append(opts.From.Flaws(), s.policyFlaws()...)
	}
	if r.File, err = s.render(); err != nil {
		return Result{}, fmt.Errorf("write %s: %w", config.FileName, err)
	}
	if _, err := config.Parse(config.FileName, r.File, nil, opts.Kinds); err != nil {
		return Result{}, fault.New(fault.Internal, "generate %s", config.FileName).Cause(err)
	}
	return r, nil
}

func (s *repoInfo) render() ([]byte, error) {
	var out bytes.Buffer
	form, err := template.New(config.FileName).Delims("<<", ">>").Funcs(template.FuncMap{"word": yamlString, "quote": strconv.Quote, "join": strings.Join}).Parse(fileTemplate)
	if err == nil {
		err = form.Execute(&out, s)
	}
	return append(bytes.TrimSpace(blankLines.ReplaceAll(out.Bytes(), []byte("\n\n"))), '\n'), err
}

var (
	blankLines       = regexp.MustCompile(`\n{3,}`)
	invalidNameChars = regexp.MustCompile(`[^a-z0-9]+`)
)

// serviceName makes a name of any text.
func serviceName(text string) string {
	name := strings.Trim(invalidNameChars.ReplaceAllString(strings.ToLower(text), "-"), "-")
	if len(name) > 50 {
		name = strings.Trim(name[:50], "-")
	}
	switch {
	case name == "":
		return "service"
	case name[0] < 'a' || yamlKeywords[name]:
		return "service-" + name
	}
	return name
}

// yamlKeywords are the words that YAML does not take for text.
var yamlKeywords = map[string]bool{"true": true, "false": true, "null": true, "yes": true, "no": true, "on": true, "off": true, "y": true, "n": true}

var (
	plainWordPattern    = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_/-]*$`)
	plainCommandPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 ./_=-]*$`)
)

// yamlString writes a name so that YAML takes it for text.
func yamlString(name string) string {
	if plainWordPattern.MatchString(name) && !yamlKeywords[strings.ToLower(name)] {
		return name
	}
	return strconv.Quote(name)
}

// YAML is the entry of the test.
func (t testCommand) YAML() string {
	run := t.Run
	if !plainCommandPattern.MatchString(run) {
		run = strconv.Quote(run)
	}
	text := "{name: " + t.Name + ", run: " + run
	for _, part := range []struct{ key, value string }{{"report", t.Report}, {"dir", t.Dir}} {
		if part.value != "" && part.value != "." {
			text += ", " + part.key + ": " + yamlString(part.value)
		}
	}
	if t.Python != "" {
		text += ", python: {" + t.Python + "}"
	}
	return text + "}"
}

// TestsRun reports whether any test does not stand in a comment.
func (s *repoInfo) TestsRun() bool {
	for _, t := range s.Tests {
		if t.Problem == "" {
			return true
		}
	}
	return false
}

// BuildsDockerfile reports whether the image is built from a Dockerfile.
func (s *repoInfo) BuildsDockerfile() bool { return s.Dockerfile != "" && s.Server == "" }

// ShowsContext reports whether the build context is not the default.
func (s *repoInfo) ShowsContext() bool { return s.Context != "" && s.Context != "." }

// ImageRepository is the name of the image.
func (s *repoInfo) ImageRepository() string {
	if s.Repository != "" {
		return s.Repository
	}
	return s.Service
}

// ModelGroup is the name of the model.
func (s *repoInfo) ModelGroup() string {
	if s.Group != "" {
		return s.Group
	}
	return s.Service + "-model"
}

// Body is an example of what is sent to the route that predicts.
func (s *repoInfo) Body() string {
	if s.PredictBody == "" {
		return "{x: 1}"
	}
	return s.PredictBody
}

// KubeManifests are the manifests for a cluster, as YAML; "" if none were found.
func (s *repoInfo) KubeManifests() string {
	if len(s.Cluster.Manifests) > 0 {
		return strings.Join(s.Cluster.Manifests, ", ")
	}
	return s.Manifests
}
