package config

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/slipway-cd/slipway/internal/fault"
)

// Size is a number of bytes: 512Mi, 1Gi, 500M, 1048576.
type Size int64

var sizePattern = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)(Ki|Mi|Gi|Ti|k|M|G|T)?B?$`)

var sizeUnit = map[string]float64{
	"": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12,
	"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40,
}

func parseSize(text string) (Size, error) {
	m := sizePattern.FindStringSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("%q is not a valid size", text)
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if bytes := n * sizeUnit[m[2]]; err == nil && bytes < math.MaxInt64/2 {
		return Size(bytes), nil
	}
	return 0, fmt.Errorf("%q is too large", text)
}

// Secret is "${NAME}", taken from the environment when it is used, or for a
// webhook's address a plain URL that holds none. It prints without its value,
// which it does not know.
type Secret string

var (
	referencePattern = regexp.MustCompile(`\$\{([^}]*)\}?`)
	variablePattern  = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_]*)(:-(.*))?$`)
)

// IsSet tells whether the file has it.
func (s Secret) IsSet() bool { return s != "" }

// Resolve takes the value from the environment. A variable that is unset or
// empty is fault.NotFound and named.
func (s Secret) Resolve(env func(string) (string, bool)) (string, error) {
	text, err := expand(string(s), env)
	if err != nil {
		return "", fault.New(fault.NotFound, "read %s", s).Cause(err).
			Hint("set the variable where slipway runs; planning does not need it")
	}
	return text, nil
}

// expand fills in ${NAME} and ${NAME:-default}. As in a shell, the default also
// stands for a variable that is empty.
func expand(text string, env func(string) (string, bool)) (string, error) {
	var firstErr error
	out := referencePattern.ReplaceAllStringFunc(text, func(ref string) string {
		m := variablePattern.FindStringSubmatch(strings.TrimSuffix(ref[2:], "}"))
		if m == nil || !strings.HasSuffix(ref, "}") {
			firstErr = fmt.Errorf("%s is neither ${NAME} nor ${NAME:-default}", ref)
			return ""
		}
		if v, ok := env(m[1]); ok && v != "" {
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
