package cluster

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A first build takes minutes: it says how far it is, and why it failed.
func TestProgram_Build(t *testing.T) {
	for _, tt := range []struct{ name, source, wantLog, wantErr string }{
		{"good", "package main\nfunc main() {}\n", "app: built, ", ""},
		{"bad", "package main\nfunc main() { missing() }\n", "building ", "undefined: missing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, content := range map[string]string{"main.go": tt.source, "go.mod": "module app\n\ngo 1.26\n", "go.sum": ""} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			p := program{path: filepath.Join(t.TempDir(), "app"), module: dir, pkg: "."}
			var log strings.Builder
			err := p.buildIfStale(t.Context(), &log)
			if (err != nil) != (tt.wantErr != "") || err != nil && !strings.Contains(err.Error(), tt.wantErr) {
				t.Errorf("buildIfStale = %v, want error with %q", err, tt.wantErr)
			}
			if !strings.Contains(log.String(), tt.wantLog) {
				t.Errorf("log = %q, want %q in it", log.String(), tt.wantLog)
			}
			if tt.wantErr != "" {
				return
			}
			log.Reset()
			if err := p.buildIfStale(t.Context(), &log); err != nil || log.String() != "" {
				t.Errorf("second buildIfStale = %v and logged %q, want nothing to do", err, log.String())
			}
		})
	}
}

func TestBuildOutput_CountsPackages(t *testing.T) {
	var o buildOutput
	for _, part := range []string{"k8s.io/api/core/v1\nk8s.io/ku", "bectl/pkg/cmd\n# k8s.io/kubectl/pkg/cmd\n", "cmd.go:1:2: undefined: x\n"} {
		if _, err := o.Write([]byte(part)); err != nil {
			t.Fatal(err)
		}
	}
	if o.packages != 2 || o.last != "k8s.io/kubectl/pkg/cmd" {
		t.Errorf("%d packages, the last one %q, want 2 and k8s.io/kubectl/pkg/cmd", o.packages, o.last)
	}
	if got, want := o.messages(), "# k8s.io/kubectl/pkg/cmd\ncmd.go:1:2: undefined: x"; got != want {
		t.Errorf("messages = %q, want %q", got, want)
	}
}

func TestConfig_SourceOf(t *testing.T) {
	for _, tt := range []struct{ name, config, env, want, wantErr string }{
		{"default", "", "", "v1.36.3", ""},
		{"by the environment", "", "1.31", "v1.31.14", ""},
		{"by the configuration", "1.34", "1.31", "v1.34.4", ""},
		{"unknown", "1.30", "", "", "use 1.31, 1.34, 1.36"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv(VersionEnv, tt.env)
			s, _, err := Config{Version: tt.config}.sourceOf()
			if s.version != tt.want || (err != nil) != (tt.wantErr != "") || err != nil && !strings.Contains(err.Error(), tt.wantErr) {
				t.Errorf("sourceOf = %+v, %v, want %s and error %q", s, err, tt.want, tt.wantErr)
			}
		})
	}
}

// Who waits for the machine's one cluster learns who runs it, and how to use it.
func TestDescribeHolder(t *testing.T) {
	since := time.Date(2026, 11, 29, 18, 49, 10, 0, time.Local)
	h := holder{PID: 15340, Command: "cluster up --dir /c", Folder: "/src", Since: since}
	for _, tt := range []struct {
		name string
		left *leftovers
		want string
	}{
		{"nothing recorded yet", nil, "another process"},
		{"just started", &leftovers{Holder: h}, "process 15340 (cluster up --dir /c, in /src) since 18:49:10"},
		{
			"running", &leftovers{Holder: holder{15340, h.Command, h.Folder, since, 15365}, Dir: "/c"},
			"process 15340 (cluster up --dir /c, in /src) since 18:49:10, with its state in /c (to use it: KUBECONFIG=/c/pki/admin.kubeconfig SLIPWAY_CLUSTER_NETWORK=15365)",
		},
		{"of an older version", &leftovers{Dir: "/c"}, "another process, with its state in /c (to use it: KUBECONFIG=/c/pki/admin.kubeconfig)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f, err := os.Create(filepath.Join(t.TempDir(), "lock"))
			if err == nil && tt.left != nil {
				err = tt.left.save(f)
			}
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if got := describeHolder(f.Name()); got != tt.want {
				t.Errorf("describeHolder = %q, want %q", got, tt.want)
			}
		})
	}
}
