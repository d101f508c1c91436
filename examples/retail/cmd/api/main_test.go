package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"example.com/retail/internal/data"
	"example.com/retail/internal/model"
	"example.com/retail/internal/train"
)

func modelDir(t *testing.T) string {
	t.Helper()
	var text bytes.Buffer
	if err := data.Generate(&text, 300, 1); err != nil {
		t.Fatal(err)
	}
	table, err := data.Read(&text)
	if err != nil {
		t.Fatal(err)
	}
	m, err := train.Fit(table, train.Options{})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := m.Save(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func env(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func TestRun_StartErrors(t *testing.T) {
	good, empty, cut := modelDir(t), t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(cut, model.FileName), []byte(`{"format":`), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		env  func(string) string
		want string
	}{
		"without MODEL_PATH":     {env(), "MODEL_PATH is not set"},
		"without a model":        {env("MODEL_PATH", empty), filepath.Join(empty, "model.json")},
		"with a truncated model": {env("MODEL_PATH", cut), "cut short"},
		"on no port":             {env("MODEL_PATH", good, "PORT", "http"), `PORT is "http"`},
		"on port 65536":          {env("MODEL_PATH", good, "PORT", "65536"), "PORT"},
		"with a negative delay":  {env("MODEL_PATH", good, "DRAIN_DELAY", "-1s"), "DRAIN_DELAY"},
	} {
		t.Run(name, func(t *testing.T) {
			var stderr bytes.Buffer
			err := run(t.Context(), c.env, &stderr)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, expected one with %q", err, c.want)
			}
		})
	}
}

func TestRun_StopsWithoutError(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var stderr bytes.Buffer
	served := writerFunc(func(line []byte) (int, error) {
		if bytes.Contains(line, []byte(`"msg":"serving"`)) {
			stop()
		}
		return stderr.Write(line)
	})
	err := run(ctx, env("MODEL_PATH", modelDir(t), "PORT", "0", "DRAIN_DELAY", "1ms", "MODEL_VERSION", "3"), served)
	if err != nil {
		t.Errorf("error is %v", err)
	}
	for _, want := range []string{`"msg":"serving"`, `"model_version":"3"`, `"msg":"draining"`, `"msg":"stopped"`} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("%s is not in the log:\n%s", want, stderr.String())
		}
	}
}

// writerFunc is an io.Writer.
type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestParse_Defaults(t *testing.T) {
	o, err := parse(env("MODEL_PATH", "m", "SLIPWAY_RELEASE", "r"))
	if err != nil || o.port != "8000" || o.Release != "r" || o.drain.Delay != 0 {
		t.Errorf("got %+v, %v", o, err)
	}
}
