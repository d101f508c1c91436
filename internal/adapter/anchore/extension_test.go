package anchore

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestConfigFrom(t *testing.T) {
	none := func(string) string { return "" }
	set := func(name string) string {
		return map[string]string{"SLIPWAY_SCAN_DB": "/db", "SLIPWAY_SCAN_DB_URL": "https://mirror.example.com"}[name]
	}
	home := func() (string, error) { return "/home/ada/.cache", nil }
	homeless := func() (string, error) { return "", errors.New("$HOME is not defined") }
	if c := configFrom(none, home); c.Dir != "/home/ada/.cache/slipway/vulnerabilities" || c.URL != "" {
		t.Errorf("in a home: folder %q, source %q", c.Dir, c.URL)
	}
	if c := configFrom(set, homeless); c.Dir != "/db" || c.URL != "https://mirror.example.com" {
		t.Errorf("by the variables: folder %q, source %q", c.Dir, c.URL)
	}
	if c := configFrom(none, homeless); c.Dir != filepath.Join(os.TempDir(), "slipway", "vulnerabilities") {
		t.Errorf("without a home: folder %q", c.Dir)
	}
}
