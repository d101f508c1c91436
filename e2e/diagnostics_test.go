//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// postMortem prints what a failed test leaves: its last commands, and the events
// and logs of its last runs.
func (p *project) postMortem() {
	for _, r := range p.said[max(0, len(p.said)-4):] {
		p.t.Logf("%s", r)
	}
	runs, _ := filepath.Glob(filepath.Join(p.home, "runs", "*"))
	sort.Strings(runs)
	for _, run := range runs[max(0, len(runs)-2):] {
		_ = filepath.WalkDir(run, func(path string, d os.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() && (strings.HasSuffix(path, ".log") || strings.HasSuffix(path, ".jsonl")) {
				p.show(path)
			}
			return nil
		})
	}
	logs, _ := filepath.Glob(filepath.Join(p.home, "local", "*.log"))
	for _, path := range logs {
		p.show(path)
	}
}

func (p *project) show(path string) {
	text, err := os.ReadFile(path)
	if err != nil || len(text) == 0 {
		return
	}
	rel, _ := filepath.Rel(p.base, path)
	p.t.Logf("==> %s\n%s", rel, clip(string(text)))
}
