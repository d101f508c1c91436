//go:build linux

package supervisor

import (
	"os"
	"path/filepath"
	"testing"
)

// FuzzReadState: a state file that was damaged, or written by a stranger, is an error or a
// state that can be looked at.
func FuzzReadState(f *testing.F) {
	f.Add([]byte(`{}`))
	f.Add([]byte(``))
	f.Add([]byte(`{"schema":1,"environments":{"tiny/prod":{"promoted":{"release":"r-1","spec":{"rootfs":"/","model":"../../.."}},"staged":null}}}`))
	f.Add([]byte(`{"schema":999}`))
	f.Add([]byte(`{"environments":null} trailing`))
	f.Add([]byte(`{"environments":{"":{}}}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "state.json"), raw, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := ReadState(dir)
		if err != nil {
			return
		}
		if s.Environments == nil {
			t.Error("no environments")
		}
		for _, e := range s.Environments {
			_ = e.ShouldRun()
			_ = e.choosesPort()
			for _, p := range []*ReleaseSpec{e.Promoted, e.Staged} {
				if p != nil {
					_ = e.request(*p)
				}
			}
		}
	})
}
