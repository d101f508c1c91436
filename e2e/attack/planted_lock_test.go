//go:build linux

package attack

import (
	"os"
	"path/filepath"
	"testing"
)

// TestPlantedLock: every plan locks the folders for temporary files that killed processes
// left, whoever owns them, and followed a link in the place of the lock. Another user so
// made root create any file, or close one to everybody: /etc/passwd, or a shell.
func TestPlantedLock(t *testing.T) {
	l := newLab(t)
	attacker := l.as(attackerUID)
	shared := filepath.Join(l.base, "tmp")
	l.must(os.Mkdir(shared, 0o777))
	l.must(os.Chmod(shared, 0o777|os.ModeSticky))
	read, made := filepath.Join(l.base, "read-by-all"), filepath.Join(l.base, "made")
	l.must(os.WriteFile(read, []byte("x\n"), 0o644))
	for name, target := range map[string]string{"slipway-plan-1": read, "slipway-plan-2": made} {
		dir := filepath.Join(shared, name)
		attacker.run("sh", "-c", "mkdir "+dir+" && ln -s "+target+" "+dir+"/lock && touch -d '1 hour ago' "+dir).wantExit(0)
	}
	r := l.with("TMPDIR="+shared).slipway("plan", "--env", "prod")
	if info, err := os.Stat(read); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("a file of root that everybody reads: mode %v, %v, want 0644\n%s", info.Mode(), err, r)
	}
	if l.exists(made) {
		t.Errorf("a file was made where another user wants it\n%s", r)
	}
	if !l.exists(filepath.Join(shared, "slipway-plan-1")) {
		t.Errorf("a folder of another user was removed\n%s", r)
	}
	r.wantExit(0)
}
