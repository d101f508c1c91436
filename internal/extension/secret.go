package extension

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/fault"
)

// Secret is "${NAME}", taken from the environment when it is used, or for a
// webhook's address a plain URL without credentials. It prints without its value,
// which it does not hold.
type Secret string

var (
	referencePattern    = regexp.MustCompile(`\$\{([^}]*)\}?`)
	variableNamePattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)
	variablePattern     = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_]*)(:-(.*))?$`)
)

// IsSet reports whether the file has it.
func (s Secret) IsSet() bool { return s != "" }

// IsReference reports whether s is exactly one ${NAME}.
func (s Secret) IsReference() bool {
	m := referencePattern.FindString(string(s))
	return m != "" && m == string(s) && OnlyReferences(m)
}

// OnlyReferences reports whether every ${ in text begins a ${NAME}.
func OnlyReferences(text string) bool {
	for _, m := range referencePattern.FindAllStringSubmatch(text, -1) {
		if !strings.HasSuffix(m[0], "}") || !variableNamePattern.MatchString(m[1]) {
			return false
		}
	}
	return true
}

// References returns the names of the variables in text, each once.
func References(text string) []string {
	var names []string
	for _, m := range referencePattern.FindAllStringSubmatch(text, -1) {
		if strings.HasSuffix(m[0], "}") && variableNamePattern.MatchString(m[1]) && !slices.Contains(names, m[1]) {
			names = append(names, m[1])
		}
	}
	return names
}

// Variables returns the names of the variables in text, each once, those with a default
// too.
func Variables(text string) []string {
	var names []string
	for _, m := range referencePattern.FindAllStringSubmatch(text, -1) {
		v := variablePattern.FindStringSubmatch(m[1])
		if v != nil && strings.HasSuffix(m[0], "}") && !slices.Contains(names, v[1]) {
			names = append(names, v[1])
		}
	}
	return names
}

// Resolve takes the value from the environment. A variable that is unset or
// empty is fault.NotFound and named.
func (s Secret) Resolve(lookupEnv func(string) (string, bool)) (string, error) {
	text, err := Expand(string(s), lookupEnv)
	if err != nil {
		return "", fault.New(fault.NotFound, "read %s", s).Cause(err).
			Hint("set the variable where slipway runs; planning does not need it")
	}
	return text, nil
}

// Expand replaces ${NAME} and ${NAME:-default}. As in a shell, the default also
// stands for a variable that is empty.
func Expand(text string, lookupEnv func(string) (string, bool)) (string, error) {
	var firstErr error
	out := referencePattern.ReplaceAllStringFunc(text, func(ref string) string {
		m := variablePattern.FindStringSubmatch(strings.TrimSuffix(ref[2:], "}"))
		if m == nil || !strings.HasSuffix(ref, "}") {
			firstErr = fmt.Errorf("%s is neither ${NAME} nor ${NAME:-default}", ref)
			return ""
		}
		if v, ok := lookupEnv(m[1]); ok && v != "" {
			return v
		}
		if m[2] == "" && firstErr == nil {
			firstErr = fmt.Errorf("the environment variable %s is not set", m[1])
		}
		return m[3]
	})
	if firstErr != nil {
		return "", firstErr
	}
	return out, nil
}

// SecretsOf finds the secrets that a section names, wherever they are in it.
func SecretsOf(section any) []Secret {
	var found []Secret
	collectSecrets(reflect.ValueOf(section), &found)
	return found
}

func collectSecrets(v reflect.Value, found *[]Secret) {
	if !v.IsValid() {
		return
	}
	if v.Type() == reflect.TypeFor[Secret]() {
		if v.String() != "" {
			*found = append(*found, Secret(v.String()))
		}
		return
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		collectSecrets(v.Elem(), found)
	case reflect.Struct:
		for i := range v.NumField() {
			collectSecrets(v.Field(i), found)
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			collectSecrets(v.Index(i), found)
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			collectSecrets(v.MapIndex(k), found)
		}
	}
}
