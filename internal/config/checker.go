package config

import (
	"fmt"
	"path"

	"github.com/slipway-cd/slipway/internal/extension"
)

// sectionChecker reports mistakes in a section below its path.
type sectionChecker struct {
	d          *decoder
	path       string
	repository string
}

var _ extension.Checker = sectionChecker{}

func (c sectionChecker) at(key string) string {
	if key == "" {
		return c.path
	}
	return joinPath(c.path, key)
}

func (c sectionChecker) Fail(key, hint, format string, args ...any) {
	at := c.at(key)
	c.d.addError(at, hint, "%s: %s", at, fmt.Sprintf(format, args...))
}

func (c sectionChecker) IsSet(key string) bool {
	_, ok := c.d.positions[c.at(key)]
	return ok
}

func (c sectionChecker) MatchPattern(key, text, pattern, hint string) {
	c.d.matchPattern(c.at(key), text, pattern, hint)
}

func (c sectionChecker) CheckSecret(key string, s extension.Secret) {
	c.d.validateSecret(c.at(key), s)
}

func (c sectionChecker) CheckPath(key, path string) { c.d.validatePath(c.at(key), path) }

func (c sectionChecker) CheckFolder(key, dir string) {
	if len(c.d.project.Source.Also) > 0 && !path.IsAbs(dir) {
		return // it may be one around the service's; whether there is one is known with the commit
	}
	c.CheckPath(key, dir)
}

func (c sectionChecker) CheckLiterals(key string, env map[string]string) {
	c.d.validateVariables(c.at(key), env, literalOnly)
}

func (c sectionChecker) ImageRepository() string { return c.repository }
