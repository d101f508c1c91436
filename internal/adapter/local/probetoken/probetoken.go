// Package probetoken keeps the secret by which the front proxies of a state folder know
// the probes of Slipway. Whoever else sends the header of a probe is a user.
package probetoken

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"

	"github.com/slipway-cd/slipway/internal/atomicfile"
)

const fileName = "probe-token"

// Ensure returns the token of a folder of the local target, and makes one if there is none.
func Ensure(dir string) (string, error) {
	if token := Read(dir); token != "" {
		return token, nil
	}
	token := rand.Text()
	return token, atomicfile.Write(filepath.Join(dir, fileName), []byte(token+"\n"), 0o600)
}

// Read returns the token; empty: there is none, and no supervisor that would know it.
func Read(dir string) string {
	raw, err := os.ReadFile(filepath.Join(dir, fileName))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(raw))
}
