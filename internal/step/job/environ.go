package job

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"sort"
	"strings"

	"github.com/slipway-cd/slipway/internal/environ"
	"github.com/slipway-cd/slipway/internal/fault"
)

// EnvironFunc returns the environment in which "${NAME}" is looked up; nil means
// os.Environ.
type EnvironFunc func() []string

// BuildEnv returns the complete environment of a command, sorted: the inherited
// variables, then the user's with every "${NAME}" expanded, then Slipway's. Everything
// else, credentials above all, must be listed in the step's env, so that a command does
// the same on every machine and sees no secret that it was not given. A name that is
// not set is fault.Invalid.
func BuildEnv(base EnvironFunc, user, slipway map[string]string) ([]string, error) {
	if base == nil {
		base = os.Environ
	}
	variables, env := map[string]string{}, map[string]string{}
	for _, kv := range base() {
		name, value, _ := strings.Cut(kv, "=")
		variables[name] = value
		if environ.Inherits(name) {
			env[name] = value
		}
	}
	for _, name := range slices.Sorted(maps.Keys(user)) {
		value, err := expand(name, user[name], variables)
		if err != nil {
			return nil, err
		}
		env[name] = value
	}
	env["CI"] = "true"
	maps.Copy(env, slipway)
	list := make([]string, 0, len(env))
	for name, value := range env {
		list = append(list, name+"="+value)
	}
	return sorted(list), nil
}

// WithoutInherited leaves out what a command inherits from this machine: paths and proxies
// mean something else where a remote command runs. What the user gives it stays.
func WithoutInherited(env []string, user map[string]string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		_, given := user[name]
		return environ.Inherits(name) && !given
	})
}

var variableReference = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)\}`)

// expand never puts a value into its error: it may be a secret.
func expand(name, value string, all map[string]string) (string, error) {
	var missing string
	out := variableReference.ReplaceAllStringFunc(value, func(ref string) string {
		v, ok := all[ref[2:len(ref)-1]]
		if !ok && missing == "" {
			missing = ref[2 : len(ref)-1]
		}
		return v
	})
	if missing != "" {
		return "", fault.New(fault.Invalid, "env %s needs the environment variable %s, which is not set", name, missing).
			Hint("export %s before starting slipway", missing)
	}
	return out, nil
}

func sorted(list []string) []string {
	sort.Strings(list)
	return list
}
