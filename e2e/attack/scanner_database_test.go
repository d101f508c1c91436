//go:build linux

package attack

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestScannerDatabase: without a HOME, the scanner believed the database that anybody had
// put into the folder for temporary files: one without findings lets every image pass.
func TestScannerDatabase(t *testing.T) {
	l := newLab(t)
	attacker := l.as(attackerUID)
	shared := filepath.Join(l.base, "tmp")
	l.must(os.Mkdir(shared, 0o777))
	l.must(os.Chmod(shared, 0o777|os.ModeSticky))
	own := fmt.Sprintf("slipway-vulnerabilities-%d", os.Geteuid())
	for _, dir := range []string{"slipway/vulnerabilities", own} {
		attacker.run("sh", "-c", "mkdir -p "+filepath.Join(shared, dir)+" && cd "+filepath.Join(shared, dir)+
			" && echo db-20260101t000000-1 >current && mkdir db-20260101t000000-1 && echo planted >db-20260101t000000-1/import.json").wantExit(0)
	}
	homeless := *l
	homeless.env = slices.DeleteFunc(slices.Clone(l.env), func(kv string) bool {
		return strings.HasPrefix(kv, "HOME=") || strings.HasPrefix(kv, "SLIPWAY_CACHE_DIR=")
	})
	victim := homeless.with("TMPDIR=" + shared)
	victim.slipway("scan", "db", "status").wantNoText("db-20260101t000000-1").wantExit(1).wantText(own, "belongs to another user", "SLIPWAY_CACHE_DIR")
	l.must(os.RemoveAll(filepath.Join(shared, own)))
	victim.slipway("scan", "db", "status").wantNoText("db-20260101t000000-1", "another user")
}
