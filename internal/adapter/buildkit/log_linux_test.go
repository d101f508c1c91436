package buildkit

import (
	"os"
	"testing"
)

// TestDaemon_RotatesLog: a long log becomes the old one when a daemon starts.
func TestDaemon_RotatesLog(t *testing.T) {
	d := &daemon{dir: t.TempDir()}
	if err := os.WriteFile(d.file(logName), make([]byte, maxLogBytes+1), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := d.openLog()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	newest, err1 := os.Stat(d.file(logName))
	old, err2 := os.Stat(d.file(logName) + ".1")
	if err1 != nil || err2 != nil || newest.Size() != 0 || old.Size() != maxLogBytes+1 {
		t.Errorf("the log: %v, %v; the old one: %v, %v", newest, err1, old, err2)
	}
}
