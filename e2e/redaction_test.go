//go:build e2e

package e2e

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// wantNoSecrets searches all output and every file that Slipway keeps for secrets: logs,
// events, records, statements and unpacked layers. It returns the number of packed
// files.
func (p *project) wantNoSecrets(secrets ...string) (packed int) {
	p.t.Helper()
	for _, r := range p.results {
		for _, s := range secrets {
			if strings.Contains(r.stdout+r.stderr, s) {
				p.t.Errorf("%q was printed:\n%s", s, r)
			}
		}
	}
	files := 0
	p.must(filepath.WalkDir(p.home, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return nil //nolint:nilerr // sockets, and files that go away meanwhile
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return nil //nolint:nilerr // likewise
		}
		files++
		plain := gunzip(raw)
		if plain != nil {
			packed++
		}
		for _, s := range secrets {
			if bytes.Contains(raw, []byte(s)) || bytes.Contains(plain, []byte(s)) {
				p.t.Errorf("%s holds %q", path, s)
			}
		}
		return nil
	}))
	if files < 20 {
		p.t.Errorf("only %d files were looked at", files)
	}
	return packed
}

// gunzip returns the content of a gzip file as far as it can be read, or nil.
func gunzip(raw []byte) []byte {
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		return nil
	}
	plain, _ := io.ReadAll(z)
	return plain
}
