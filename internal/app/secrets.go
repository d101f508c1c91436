package app

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/extension"
)

// variables are the values of all variables that slipway.yaml refers to, whatever their
// names are. A name says little: DB_PASS and ENCRYPTION_KEY are secrets, and who passes a
// variable on to a command wants to keep its value out of logs. Left out are values that
// hide nothing, and without which a log could not be read.
func (s *session) variables() []string {
	raw, err := os.ReadFile(filepath.Join(s.workspace.Repository, config.FileName))
	if err != nil {
		return nil // it was read a moment ago
	}
	text := string(raw)
	var out []string
	for _, name := range extension.Variables(text) {
		value, _ := s.app.getenv(name)
		if value != "" && !s.isPublic(value, text) {
			out = append(out, value)
		}
	}
	return out
}

// isPublic reports whether a value is no secret: the file has it, it is a place that
// exists, it is what the CI tells everybody, or it is an ordinary word.
func (s *session) isPublic(value, file string) bool {
	return strings.Contains(file, value) || isOrdinary(value) || s.isPlace(value) || s.isOfCI(value)
}

// isPlace reports whether a value is a folder or file that exists or can be made, or the
// address of the shared state: they are recorded.
func (s *session) isPlace(value string) bool {
	if value == s.project.State.URL && !strings.Contains(value, "@") {
		return true
	}
	if !filepath.IsAbs(value) {
		if !filepath.IsLocal(value) || !strings.ContainsAny(value, "./") {
			return false
		}
		value = filepath.Join(s.workspace.Repository, value)
	}
	_, err := os.Lstat(value)
	if parent := filepath.Dir(value); err != nil && parent != filepath.Dir(parent) {
		_, err = os.Lstat(parent)
	}
	return err == nil
}

// isOfCI reports whether a value is one of those by which a CI describes its job.
func (s *session) isOfCI(value string) bool {
	return slices.ContainsFunc([]string{
		"GITHUB_SHA", "GITHUB_REF", "GITHUB_REF_NAME", "GITHUB_BASE_REF", "GITHUB_HEAD_REF", "GITHUB_REPOSITORY", "GITHUB_ACTOR", "GITHUB_RUN_ID", "GITHUB_RUN_NUMBER",
		"CI_COMMIT_SHA", "CI_COMMIT_SHORT_SHA", "CI_COMMIT_TAG", "CI_COMMIT_REF_NAME", "CI_COMMIT_BRANCH", "CI_PROJECT_PATH", "CI_PIPELINE_ID", "CI_JOB_ID",
		"GIT_COMMIT", "GIT_BRANCH", "BRANCH_NAME", "TAG_NAME", "CHANGE_TARGET", "BUILD_ID", "BUILD_NUMBER", "BUILD_TAG", "JOB_NAME",
	}, func(name string) bool { return s.app.Variable(name) == value })
}

// maxOrdinaryDigits is the length up to which a number is a port or a count.
const maxOrdinaryDigits = 5

// isOrdinary reports whether a value is a word or a number that settings have.
func isOrdinary(value string) bool {
	if len(value) <= maxOrdinaryDigits && strings.Trim(value, "0123456789.") == "" {
		return true
	}
	return slices.Contains([]string{
		"true", "false", "none", "null", "auto", "default", "enabled", "disabled", "localhost", "latest",
		"trace", "debug", "info", "warn", "warning", "error", "fatal",
		"test", "development", "staging", "prod", "production",
	}, strings.ToLower(value))
}
