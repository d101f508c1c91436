package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/slipway-cd/slipway/internal/extension"
	"github.com/slipway-cd/slipway/internal/fault"
)

// MaxBytes is the largest file that is read.
const MaxBytes = 1 << 20

// Load reads the file at path; env finds environment variables (os.LookupEnv).
// A missing file is fault.NotFound; every mistake in it is fault.Invalid with
// its place. Several mistakes come as Mistakes.
func Load(path string, env func(string) (string, bool), kinds extension.Set) (Project, error) {
	f, err := os.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Project{}, fault.New(fault.NotFound, "%s not found", filepath.Base(path)).
			Hint("run `slipway init` to write one, or change to the folder that has it").Cause(err)
	case err != nil:
		return Project{}, fault.New(fault.Invalid, "read %s", path).Cause(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxBytes+1))
	if err != nil {
		return Project{}, fault.New(fault.Invalid, "read %s", path).Cause(err).
			Hint("it must be a regular file")
	}
	return Parse(filepath.Base(path), data, env, kinds)
}

// Parse reads a file's content; name is what errors call it.
func Parse(name string, data []byte, env func(string) (string, bool), kinds extension.Set) (Project, error) {
	root, err := parseYAML(name, data)
	if err != nil {
		return Project{}, err
	}
	if env == nil {
		env = func(string) (string, bool) { return "", false }
	}
	d := &decoder{file: name, kinds: kinds, positions: map[string]position{}}
	var p Project
	d.decodeProject(&p, root)
	if len(d.errors) == 0 {
		p.setDefaultKinds(kinds)
		d.resolveAWS()
		d.resolveRegistries()
		d.requireDocker()
		d.validate(&p, env)
	}
	return p, d.result()
}

// DecodeDocument reads another file with the rules of slipway.yaml into a struct with
// yaml tags: unknown keys, anchors and tags are errors with file:line:column.
func DecodeDocument(name string, data []byte, target any) error {
	root, err := parseYAML(name, data)
	if err != nil {
		return err
	}
	d := &decoder{file: name, positions: map[string]position{}}
	d.decodeValue(reflect.ValueOf(target).Elem(), root, "", constraints{})
	return d.result()
}

// ErrorList are two or more things wrong with one file, in its order.
type ErrorList []*fault.Error

// Error has one line for each.
func (m ErrorList) Error() string {
	lines := make([]string, len(m))
	for i, e := range m {
		lines[i] = e.Error()
		if hint := fault.HintOf(e); hint != "" {
			lines[i] += fmt.Sprintf(" (%s)", hint)
		}
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives them to errors.As.
func (m ErrorList) Unwrap() []error {
	out := make([]error, len(m))
	for i, e := range m {
		out[i] = e
	}
	return out
}
