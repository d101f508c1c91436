//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// logDiagnostics logs the last commands of a failed test, and the events and logs of
// its last runs.
func (p *project) logDiagnostics() {
	for _, r := range p.results[max(0, len(p.results)-4):] {
		p.t.Logf("%s", r)
	}
	runs, _ := filepath.Glob(filepath.Join(p.home, "runs", "*"))
	sort.Strings(runs)
	for _, run := range runs[max(0, len(runs)-2):] {
		_ = filepath.WalkDir(run, func(path string, d os.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() && (strings.HasSuffix(path, ".log") || strings.HasSuffix(path, ".jsonl")) {
				p.logFile(path)
			}
			return nil
		})
	}
	logs, _ := filepath.Glob(filepath.Join(p.home, "local", "*.log"))
	for _, path := range logs {
		p.logFile(path)
	}
}

func (p *project) logFile(path string) {
	text, err := os.ReadFile(path)
	if err != nil || len(text) == 0 {
		return
	}
	rel, _ := filepath.Rel(p.base, path)
	p.t.Logf("==> %s\n%s", rel, truncate(string(text)))
}
