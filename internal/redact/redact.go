// Package redact removes the values of secrets from what people and files get to
// see: logs, events, results and errors. Every package that scrubs text does it
// with this one.
package redact

import (
	"encoding/base64"
	"errors"
	"regexp"
	"strings"
)

// Placeholder stands where a secret was.
const Placeholder = "***"

const (
	// minLength is the length in bytes below which a value is never redacted:
	// replacing "1" or "on" everywhere would hide the log and not a secret.
	minLength = 4
	// minSuspected is the same for values that only look like secrets, by the name
	// of their variable for example: TOKEN_TYPE=bearer should stay readable.
	minSuspected = 2 * minLength
)

// secretName matches names of variables that usually hold a secret.
var secretName = regexp.MustCompile(`(?i)(secret|token|passw|passphrase|credential|private_?key|api_?key|access_?key|webhook|_dsn$)`)

// Redactor replaces the values that it was given, also as they are written in base64,
// URLs and JSON. The zero value and nil replace nothing. It is safe for concurrent use
// once its last value has been added.
type Redactor struct{ values values }

// New returns a Redactor for the given secrets and the credentials of URLs in
// them.
func New(secrets ...string) *Redactor {
	r := &Redactor{}
	r.Add(secrets...)
	return r
}

// FromEnviron returns a Redactor for the given secrets, the variables of environ
// ("K=V") whose names suggest a secret, and the credentials of URLs in any of
// their values, a package index's for example.
func FromEnviron(environ []string, secrets ...string) *Redactor {
	r := New(secrets...)
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		if secretName.MatchString(name) {
			r.AddSuspected(value)
		}
		r.AddSuspected(credentials(value)...)
	}
	return r
}

// Add adds secrets, line by line, and the credentials of URLs in them.
func (r *Redactor) Add(secrets ...string) {
	for _, s := range secrets {
		r.add(minLength, s)
		r.add(minLength, credentials(s)...)
	}
}

// AddSuspected adds values that are likely to be secret, if they are long enough
// not to be ordinary words.
func (r *Redactor) AddSuspected(values ...string) { r.add(minSuspected, values...) }

// AddBase64 adds a secret as it is written in a Kubernetes Secret, and decoded.
func (r *Redactor) AddBase64(value string) {
	r.Add(value)
	if plain, err := base64.StdEncoding.DecodeString(value); err == nil {
		r.Add(string(plain))
	}
}

func (r *Redactor) add(minimum int, values ...string) {
	for _, value := range values {
		for line := range strings.Lines(value) {
			if line = strings.TrimSpace(line); len(line) < minimum {
				continue
			}
			for _, form := range forms(line) {
				r.values.add(form)
			}
		}
	}
}

// Contains reports whether s contains one of the secrets.
func (r *Redactor) Contains(s string) bool { return r.Text(s) != s }

// Text returns s with every secret replaced.
func (r *Redactor) Text(s string) string {
	if r == nil {
		return s
	}
	return r.values.replace(s, Placeholder)
}

// Error returns an error with the redacted text of err. It does not wrap err,
// which would still hold the secrets.
func (r *Redactor) Error(err error) error {
	if err == nil {
		return nil
	}
	return errors.New(r.Text(err.Error()))
}
