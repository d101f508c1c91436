//go:build e2e

package e2e

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// The content of testdata/stored/state-16ee5d5.tar.zst, which make.sh there created.
const (
	storedServing     = "r-25756a259415"
	storedQuarantined = "r-4ab12ce69b9a"
	storedWaiting     = "20261129-025315-ky9s" // for the approval of tiny-models:2, in prod
	storedKilled      = "20261129-025316-tvpz" // while it trained, in dev
)

// storedBase is where the state was created. Training reads its data by an absolute
// path, which is part of the command that its cached result belongs to.
const storedBase = "/tmp/slipway-stored"

// stored returns the repository and the state that slipway left at that commit.
func stored(t *testing.T, commit string) *project {
	t.Helper()
	p := newProject(t)
	p.must(os.RemoveAll(p.base))
	p.must(os.RemoveAll(storedBase)) // of a test that was killed
	p.base, p.dir, p.trainingLog = storedBase, filepath.Join(storedBase, "repo"), filepath.Join(storedBase, "trainings")
	p.home = filepath.Join(p.dir, ".slipway")
	p.env = append(p.env, "E2E_SIDE="+p.trainingLog, "E2E_TOKEN=none", "SLIPWAY_HOME="+p.home) // it came in an archive
	f, err := os.Open("testdata/stored/state-" + commit + ".tar.zst")
	p.must(err)
	defer f.Close()
	plain, err := zstd.NewReader(f)
	p.must(err)
	defer plain.Close()
	for r := tar.NewReader(plain); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return p
		}
		p.must(err)
		path := filepath.Join(p.base, filepath.Clean("/"+h.Name))
		switch h.Typeflag {
		case tar.TypeDir:
			p.must(os.MkdirAll(path, 0o755))
		case tar.TypeReg:
			p.must(os.MkdirAll(filepath.Dir(path), 0o755))
			text, err := io.ReadAll(r)
			p.must(err)
			p.must(os.WriteFile(path, text, h.FileInfo().Mode().Perm()))
		case tar.TypeLink:
			p.must(os.Link(filepath.Join(p.base, filepath.Clean("/"+h.Linkname)), path))
		default:
			t.Fatalf("%s: unexpected tar entry of type %c", h.Name, h.Typeflag)
		}
	}
}

// Reads what an older slipway stored, and finishes what it left unfinished: records,
// cached results, a run that waits for approval, and one whose process was killed.
func TestStoredState(t *testing.T) {
	t.Parallel()
	p := stored(t, "16ee5d5")

	s := p.status("prod")
	if s.Release != storedServing || s.Model == nil || s.Model.Version != 1 {
		t.Errorf("prod: release %s with model %+v, want %s with version 1", s.Release, s.Model, storedServing)
	}
	p.slipway("releases").wantExit(0).wantText(storedQuarantined)
	if m := runJSON[[]modelVersion](p, "models"); len(m) != 2 || m[0].Status != "PendingManualApproval" || m[1].Status != "Approved" {
		t.Errorf("models: %+v, want version 2 pending and version 1 approved", m)
	}

	finished := p.slipway("run", "--resume", "--env", "dev", "--json").wantRun(0, "deployed")
	if finished.report.Run != storedKilled {
		t.Errorf("run %s was finished, want %s", finished.report.Run, storedKilled)
	}
	if trained := p.trainingLines(); len(trained) != 0 {
		t.Errorf("training ran again: %v, want its cached result", trained)
	}
	p.slipway("approve", storedWaiting, "--why", "looked at it", "--by", "ann").wantExit(0)
	if s := p.status("prod"); s.Model == nil || s.Model.Version != 2 || s.Replaced != storedServing {
		t.Errorf("prod after the approval: %+v, want model version 2 in place of %s", s, storedServing)
	}

	// The same commit again: what the older program computed is still found.
	again := p.run().wantRun(0, "deployed")
	cached := map[string]bool{}
	for _, step := range again.report.Steps {
		cached[step.Name] = step.Cached
	}
	for _, name := range []string{"test.unit", "test.hello", "train", "evaluate"} {
		if !cached[name] {
			t.Errorf("step %s is not cached, want it cached: %+v", name, again.report.Steps)
		}
	}
	p.slipway("rollback", "--env", "prod").wantExit(0)
	if s := p.status("prod"); s.Model == nil || s.Model.Version != 2 {
		t.Errorf("prod after the rollback: %+v, want model version 2", s)
	}

	// Content that the older program deployed keeps the name that it gave.
	p.git("checkout", "-q", p.git("rev-list", "--max-parents=0", "HEAD"))
	for _, outcome := range []string{"deployed", "skipped"} {
		if same := p.run().wantRun(0, outcome); same.report.Release != storedServing {
			t.Errorf("the content of %s = %s, want its old name", storedServing, same.report.Release)
		}
	}
}
