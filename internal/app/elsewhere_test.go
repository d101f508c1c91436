package app

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/engine"
	"github.com/slipway-cd/slipway/internal/event"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/record"
	"github.com/slipway-cd/slipway/internal/record/runfiles"
)

const movedRun = delivery.RunID("20261124-101502-aaaa")

// movedSession is a machine that worked on a run under its second claim; the first and
// the third one are of other machines.
func movedSession(t *testing.T) (s *session, save func(epoch int64, name, text string)) {
	t.Helper()
	home := t.TempDir()
	files := runfiles.Store{Objects: &fake.ObjectStore{}, Project: "retail"}
	for path, text := range map[string]string{
		engine.LogPath(home, movedRun, "unit"): "of 2\n", engine.EventsPath(home, movedRun): eventOf("of 2"),
		filepath.Join(engine.RunDir(home, movedRun), "epochs"): "2\n",
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	save = func(epoch int64, name, text string) {
		t.Helper()
		if err := files.Save(t.Context(), record.RunFile{Run: movedRun, Epoch: epoch, Name: name}, strings.NewReader(text)); err != nil {
			t.Fatal(err)
		}
	}
	for epoch := range int64(3) {
		save(epoch+1, "unit.log", fmt.Sprintf("of %d\n", epoch+1))
		save(epoch+1, "events.jsonl", eventOf(fmt.Sprintf("of %d", epoch+1)))
	}
	return &session{workspace: Workspace{Home: home}, deps: Dependencies{Files: files}}, save
}

func eventOf(text string) string {
	return fmt.Sprintf("{\"kind\":%q,\"text\":%q}\n", event.Notice, text)
}

// TestLogTail_Elsewhere: the parts of a log come in the order of their owners, each once.
func TestLogTail_Elsewhere(t *testing.T) {
	s, save := movedSession(t)
	var out bytes.Buffer
	tail := &logTail{home: s.workspace.Home, run: movedRun, offsets: map[string]int64{}, out: bufio.NewWriter(&out), elsewhere: s.elsewhere(movedRun)}
	look := func() string {
		t.Helper()
		tail.elsewhere.listed = time.Time{}
		if err := tail.elsewhere.update(t.Context()); err != nil {
			t.Fatal(err)
		}
		out.Reset()
		if err := tail.copy(t.Context(), []record.StepRecord{{Name: "unit"}, {Name: "push"}}); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	if diff := cmp.Diff("==> unit <==\nof 1\nof 2\nof 3\n", look()); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
	if got := look(); got != "" {
		t.Errorf("log when nothing was added = %q, want nothing", got)
	}
	save(3, "unit.log", "of 3\nmore\n")
	save(4, "push.log", "pushed\n")
	if diff := cmp.Diff("more\n==> push <==\npushed\n", look()); diff != "" {
		t.Errorf("what was added (-want +got):\n%s", diff)
	}
}

func TestSessionEvents_Elsewhere(t *testing.T) {
	s, _ := movedSession(t)
	texts := func() (texts []string) {
		t.Helper()
		all, found, err := s.events(t.Context(), movedRun)
		if err != nil || !found {
			t.Fatalf("found = %v, error = %v", found, err)
		}
		for _, e := range all {
			texts = append(texts, e.Text)
		}
		return texts
	}
	if diff := cmp.Diff([]string{"of 1", "of 2", "of 3"}, texts()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if err := os.RemoveAll(engine.RunDir(s.workspace.Home, movedRun)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"of 1", "of 2", "of 3"}, texts()); diff != "" {
		t.Errorf("events after cleanup (-want +got):\n%s", diff)
	}
	if _, found, err := s.events(t.Context(), "20261124-101502-bbbb"); found || err != nil {
		t.Errorf("events of another run: found = %v, error = %v, want none", found, err)
	}
}
