//go:build linux

package attack

import (
	"os"
	"path/filepath"
	"testing"
)

// Test8: a commit with a state folder chose what `slipway cleanup` removed, and what
// `slipway up` ran with which folder as its root.
func Test8(t *testing.T) {
	t.Run("cleanup through a link", func(t *testing.T) {
		l := newLab(t)
		documents := filepath.Join(l.home, "Documents")
		l.must(os.MkdirAll(filepath.Join(documents, "taxes", "2025"), 0o755))
		l.must(os.MkdirAll(l.state, 0o755))
		l.must(os.Symlink(documents, filepath.Join(l.state, "artifacts")))
		l.git("add", "-f", ".slipway")
		l.commit("a state folder")
		l.slipway("cleanup", "--older", "0s").wantExit(1).wantText("git tracks .slipway/artifacts")
		l.git("rm", "-q", "--cached", "-r", ".slipway")
		l.git("commit", "-q", "-m", "no state folder") // it lies there still, as from an archive
		l.slipway("cleanup", "--older", "0s").wantExit(1).wantText("was not made here", "SLIPWAY_HOME="+l.state)
		l.with("SLIPWAY_HOME="+l.state).slipway("cleanup", "--older", "0s").wantExit(0) // links are not followed, either
		if !l.exists(filepath.Join(documents, "taxes", "2025")) {
			t.Error("cleanup removed a folder of the user's home")
		}
	})
	t.Run("up with the root of the host", func(t *testing.T) {
		l := newLab(t)
		mark := filepath.Join(l.base, "ran")
		l.must(os.MkdirAll(filepath.Join(l.state, "local"), 0o755))
		l.must(os.WriteFile(filepath.Join(l.state, "local", "state.json"), []byte(`{"schema": 1, "environments": {"tiny/prod": {"service": "tiny", "environment": "prod", "port": 18999,
"promoted": {"release": "r-aaaaaaaaaaaa", "spec": {"rootfs": "/", "image": {"entrypoint": ["sh", "-c", "id >`+mark+`; sleep 5"]}, "workload": {"replicas": 1, "health": "/", "writable": true}}}}}}`), 0o644))
		l.git("add", "-f", ".slipway")
		l.commit("a state folder")
		l.slipway("up").wantExit(1).wantText("git tracks .slipway/local/state.json")
		l.git("rm", "-q", "--cached", "-r", ".slipway")
		l.git("commit", "-q", "-m", "no state folder")
		l.slipway("up").wantExit(1).wantText("was not made here")
		l.with("SLIPWAY_HOME=" + l.state).slipway("up").wantText("/ is not in " + filepath.Join(l.state, "local"))
		if l.exists(mark) {
			t.Errorf("up ran a program with / as its root: %s", l.read(mark))
		}
	})
}
