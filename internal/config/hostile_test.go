package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/catalog"
	"github.com/slipway-cd/slipway/internal/config"
	"github.com/slipway-cd/slipway/internal/fault"
)

// TestParse_RefusesHostileFilesQuickly proves that a file made to hurt is refused, and quickly.
func TestParse_RefusesHostileFilesQuickly(t *testing.T) {
	bomb := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'k'; c++ {
		bomb += fmt.Sprintf("%c: &%c [%s]\n", c, c, strings.TrimSuffix(strings.Repeat("*"+string(c-1)+",", 9), ","))
	}
	stairs := ""
	for i := range 1200 {
		stairs += strings.Repeat(" ", i) + "a:\n"
	}
	for name, text := range map[string]string{
		"anchor bomb":   bomb,
		"brackets":      strings.Repeat("[", 500_000),
		"braces":        "a: " + strings.Repeat("{a: ", 100_000),
		"dashes":        strings.Repeat("- ", 500_000),
		"questions":     strings.Repeat("? ", 500_000),
		"stairs":        stairs,
		"many keys":     strings.Repeat("version: 1\n", 50_000),
		"flow keys":     "{" + strings.Repeat("a: 1,", 100_000) + "}",
		"most keys":     strings.Repeat("version: 1\n", 9_900),
		"long line":     "version: " + strings.Repeat("1", 1_000_000),
		"quotes":        strings.Repeat(`"`, 400_001),
		"zero":          "version: \x00",
		"many colons":   strings.Repeat("a:", 300_000),
		"deep body":     "version: 1\ndeploy: {smoke: [{name: a, post: /, json: " + strings.Repeat("[", 39) + strings.Repeat("]", 39) + "}]}",
		"many comments": strings.Repeat("#\n", 500_000),
	} {
		t.Run(name, func(t *testing.T) {
			begun := time.Now()
			_, err := config.Parse("slipway.yaml", []byte(text), none, catalog.Default())
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("taken, or %v", err)
			}
			if took := time.Since(begun); took > 20*time.Second {
				t.Errorf("it took %s", took)
			}
			t.Log(time.Since(begun))
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, kind := range []string{"valid", "invalid"} {
		all, _ := filepath.Glob("testdata/" + kind + "/*.yaml")
		for _, file := range all {
			if data, err := os.ReadFile(file); err == nil {
				f.Add(data)
			}
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<14 {
			return
		}
		env := func(string) (string, bool) { return "value", true }
		p, err := config.Parse("slipway.yaml", data, env, catalog.Default())
		if err != nil {
			if !fault.Is(err, fault.Invalid) || !strings.HasPrefix(err.Error(), "slipway.yaml:") {
				t.Errorf("an error without a place: %v", err)
			}
			return
		}
		if len(p.Environments) == 0 || p.Service == "" || p.Version != 1 {
			t.Errorf("an incomplete file is taken: %+v", p)
		}
		again, err := config.Parse("slipway.yaml", data, env, catalog.Default())
		if err != nil || !reflect.DeepEqual(p, again) {
			t.Errorf("the same file is read in two ways: %v", err)
		}
	})
}
