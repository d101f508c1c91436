package anchore

import (
	"errors"
	"fmt"
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
	for name, c := range map[string]struct {
		getenv   func(string) string
		cacheDir func() (string, error)
		want     Config
	}{
		"home":         {none, home, Config{Dir: "/home/ada/.cache/slipway/vulnerabilities"}},
		"variables":    {set, homeless, Config{Dir: "/db", URL: "https://mirror.example.com"}},
		"cache":        {func(name string) string { return map[string]string{"SLIPWAY_CACHE_DIR": "/cache"}[name] }, home, Config{Dir: "/cache/vulnerabilities"}},
		"without home": {none, homeless, Config{Dir: filepath.Join(os.TempDir(), fmt.Sprintf("slipway-vulnerabilities-%d", os.Geteuid())), AmongOthers: true}},
	} {
		t.Run(name, func(t *testing.T) {
			got := configFrom(c.getenv, c.cacheDir)
			if got.Dir != c.want.Dir || got.AmongOthers != c.want.AmongOthers {
				t.Errorf("folder = %q, among others %t, want %q, %t", got.Dir, got.AmongOthers, c.want.Dir, c.want.AmongOthers)
			}
			if got.URL != c.want.URL {
				t.Errorf("source = %q, want %q", got.URL, c.want.URL)
			}
			if got.Now != nil {
				t.Error("the configuration has a clock, want New's default")
			}
		})
	}
}
