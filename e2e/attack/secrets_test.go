//go:build linux

package attack

import (
	"path/filepath"
	"strings"
	"testing"
)

// secretVariables are of Slipway's own environment, and none of them is named in
// slipway.yaml.
var secretVariables = []string{
	"COSIGN_PASSWORD=stolen-1", "AWS_SECRET_ACCESS_KEY=stolen-2", "GOOGLE_OAUTH_ACCESS_TOKEN=stolen-3", "GOOGLE_CREDENTIALS=stolen-4",
	"UV_PUBLISH_TOKEN=stolen-5", "CONDA_TOKEN=stolen-6", "NVIDIA_API_KEY=stolen-7", "XDG_SECRET=stolen-8",
}

// Test2: a pull request reads every secret of the environment that Slipway runs in.
func Test2(t *testing.T) {
	for _, tt := range []struct {
		name string
		// The file's parts of a repository that writes what it sees to SEEN.
		test, build string
		exit        int
	}{
		{name: "environment of a command", test: `env >>SEEN`},
		{name: "environment of Slipway's process", test: `date >>SEEN; tr "\0" "\n" </proc/$PPID/environ >>SEEN || true`},
		{name: "environment of all its processes", test: `date >>SEEN; cat /proc/[0-9]*/environ 2>/dev/null | tr "\0" "\n" >>SEEN || true`},
		{name: "program of the toolchain", test: "true", build: `{go: ., env: {GOFLAGS: "'-toolexec=TOOL'"}}`, exit: 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newLab(t).as(victimUID)
			seen, tool := filepath.Join(l.home, "seen"), filepath.Join(l.repo, "tool.sh")
			fill := strings.NewReplacer("SEEN", seen, "TOOL", tool)
			until, build := "test", "{go: .}"
			if tt.build != "" {
				until, build = "build", tt.build
			}
			l.write("tool.sh", fill.Replace("#!/bin/sh\nenv >>SEEN\ntr '\\0' '\\n' </proc/$PPID/environ >>SEEN\nexit 1\n"))
			l.run("chmod", "+x", "tool.sh")
			l.write("slipway.yaml", fill.Replace("version: 1\nservice: tiny\ntest: [{name: spy, run: '"+tt.test+"'}]\n"+
				"image: {repository: tiny, build: "+build+"}\n"+
				"environments: {dev: {on: {push: main}, until: "+until+"}}\n"))
			l.give(l.repo)
			l.commit("spy")
			l.with(secretVariables...).slipway("run", "--env", "dev").wantExit(tt.exit)
			if got := l.read(seen); strings.Contains(got, "stolen-") {
				t.Errorf("the repository's program saw secrets:\n%s", lines(got, "stolen-"))
			}
		})
	}
}

// lines returns the lines that contain text.
func lines(all, text string) string {
	var found []string
	for line := range strings.Lines(all) {
		if strings.Contains(line, text) {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return strings.Join(found, "\n")
}
