package job

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
	"github.com/slipway-cd/slipway/internal/step"
)

func TestRender(t *testing.T) {
	vars := Vars{"Data": QuoteAll([]string{"/a b/x.csv", "/c.csv"}), "Output": Quote("/out")}
	cases := []struct{ run, want, hint string }{
		{"train {{.Data}} -o {{.Output}}", "train '/a b/x.csv' /c.csv -o /out", ""},
		{"plain", "plain", ""},
		{`echo {{"{{"}}x}}`, "echo {{x}}", ""},
		{"{{.Outptu}}", "", "{{.Data}}, {{.Output}}"},
		{"{{", "", "{{.Data}}"},
	}
	for _, c := range cases {
		t.Run(c.run, func(t *testing.T) {
			got, err := Render(c.run, vars)
			if c.hint != "" {
				if !fault.Is(err, fault.Invalid) {
					t.Errorf("error = %v, want %s", err, fault.Invalid)
				}
				if hint := fault.HintOf(err); !strings.Contains(hint, c.hint) {
					t.Errorf("hint = %q, want %q in it", hint, c.hint)
				}
				return
			}
			if err != nil || got != c.want {
				t.Errorf("Render(%q) = %q, error = %v, want %q", c.run, got, err, c.want)
			}
		})
	}
}

// TestQuote asks a real shell what it makes of the words.
func TestQuote(t *testing.T) {
	words := []string{"a", "", "a b", "it's", `"$HOME"`, "`id`", "$(id)", "a\nb", "*", "-n", "~", "ä;&|<>", `\`}
	out, err := exec.Command("sh", "-c", "printf '%s\\0' "+QuoteAll(words)).Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00"); !slices.Equal(got, words) {
		t.Errorf("the shell reads %q, want %q", got, words)
	}
}

func TestBuildEnv(t *testing.T) {
	base := func() []string {
		return []string{"PATH=/bin", "GOFLAGS=-x", "AWS_SECRET_ACCESS_KEY=s3cr3t", "EMPTY=", "http_proxy=p", "HOME=/h"}
	}
	got, err := BuildEnv(base, map[string]string{"KEY": "${AWS_SECRET_ACCESS_KEY}", "E": "[${EMPTY}]", "HOME": "/mine", "CI": "no", "S": "$x ${1} literal"}, map[string]string{"SLIPWAY_RUN": "r"})
	want := []string{"CI=true", "E=[]", "GOFLAGS=-x", "HOME=/mine", "KEY=s3cr3t", "PATH=/bin", "S=$x ${1} literal", "SLIPWAY_RUN=r", "http_proxy=p"}
	if err != nil {
		t.Errorf("error = %v, want none", err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("environment (-want +got):\n%s", diff)
	}
	_, err = BuildEnv(base, map[string]string{"A": "${AWS_SECRET_ACCESS_KEY}${NOT_SET}"}, nil)
	if !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "NOT_SET") {
		t.Fatalf("error = %v, want %s with %q", err, fault.Invalid, "NOT_SET")
	}
	if strings.Contains(err.Error(), "s3cr3t") {
		t.Errorf("error = %v, want it without the secret", err)
	}
}

func request(t *testing.T) step.Request {
	return step.Request{Run: "20260102-030405-abcd", Attempt: 2, WorkDir: t.TempDir(), Spec: step.Spec{Name: "train/it", Kind: step.Train}}
}

func order(r step.Request, run string) port.Job {
	return port.Job{Name: Name(r), Outputs: map[string]string{"model": port.FileURI(OutputDir(r))}, Command: port.Command{Run: run, Dir: r.WorkDir, Env: []string{"PATH=" + os.Getenv("PATH")}}}
}

func TestRunner_SubmitsOnce(t *testing.T) {
	r := request(t)
	jobs := &fake.Jobs{Commands: fake.Shell{}, Logs: t.TempDir()}
	left := filepath.Join(OutputDir(r), "left-over")
	_ = os.MkdirAll(OutputDir(r), 0o755)
	_ = os.WriteFile(left, nil, 0o644)
	j := order(r, "echo one; echo two > "+OutputDir(r)+"/model; exit 3")
	if want := "20260102-030405-abcd-train-it-2"; j.Name != want {
		t.Errorf("name = %s, want %s", j.Name, want)
	}
	for range 2 {
		var log bytes.Buffer
		res, err := Runner{Jobs: jobs}.Run(t.Context(), j, &log)
		if err != nil || res.Exit.Code != 3 {
			t.Errorf("result = %+v, error = %v, want exit code 3", res, err)
		}
		if log.String() != "one\n" {
			t.Errorf("log = %q, want %q", log.String(), "one\n")
		}
		if paths, err := res.Paths("model"); err != nil || !slices.Equal(paths, []string{OutputDir(r)}) {
			t.Errorf("paths of the output = %q, error = %v, want %s", paths, err, OutputDir(r))
		}
	}
	if len(jobs.Submitted) != 1 {
		t.Errorf("submitted jobs = %q, want one", jobs.Submitted)
	}
	if _, err := os.Stat(left); err == nil {
		t.Errorf("%s exists, want it removed before the job", left)
	}
	if _, err := os.Stat(OutputDir(r) + "/model"); err != nil {
		t.Errorf("the output after the job was found again: %v, want it kept", err)
	}
}

// TestRunner_KilledAtEveryCall kills the submitter at every call: the job runs once.
func TestRunner_KilledAtEveryCall(t *testing.T) {
	for _, after := range []bool{false, true} {
		for at := 1; at <= 4; at++ {
			r := request(t)
			jobs := &fake.Jobs{Commands: fake.Shell{}, Logs: t.TempDir(), Fuse: fake.NewFuse(at, after)}
			j := order(r, "echo x >> "+r.WorkDir+"/ran")
			fake.Survive(func() { _, _ = Runner{Jobs: jobs}.Run(t.Context(), j, nil) })
			jobs.Fuse = nil
			if res, err := (Runner{Jobs: jobs}).Run(t.Context(), j, nil); err != nil || res.Exit.Code != 0 {
				t.Errorf("killed at %d, after %v: result = %+v, error = %v, want exit code 0", at, after, res, err)
			}
			if ran, _ := os.ReadFile(r.WorkDir + "/ran"); string(ran) != "x\n" {
				t.Errorf("killed at %d, after %v: the runs wrote %q, want one run", at, after, ran)
			}
		}
	}
}

func TestRunner_CancelStopsJob(t *testing.T) {
	r := request(t)
	jobs := &fake.Jobs{Commands: fake.Shell{}, Logs: t.TempDir()}
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	begun := make(chan struct{})
	go func() { <-begun; cancel(why) }()
	out := writer(func(p []byte) (int, error) { close(begun); return len(p), nil })
	_, err := Runner{Jobs: jobs}.Run(ctx, order(r, "echo on; exec sleep 100"), out)
	if !errors.Is(err, why) {
		t.Errorf("error = %v, want %v", err, why)
	}
	if len(jobs.Stopped) != 1 {
		t.Errorf("stopped jobs = %q, want one", jobs.Stopped)
	}
	if s, _ := jobs.Poll(t.Context(), port.JobHandle(Name(r))); !s.Done {
		t.Errorf("state of the job = %+v, want it done", s)
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

// gone is a machine that went down under the job.
type gone struct{ port.Jobs }

func (gone) Submit(context.Context, port.Job) (port.JobHandle, error) { return "j", nil }

func (gone) Poll(context.Context, port.JobHandle) (port.JobState, error) {
	return port.JobState{Found: true, Done: true, Reason: "the machine restarted"}, nil
}

func TestRunner_LostJob(t *testing.T) {
	_, err := Runner{Jobs: gone{}}.Run(t.Context(), port.Job{Name: "j"}, nil)
	if !fault.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "restarted") {
		t.Errorf("error = %v, want %s with %q", err, fault.Unavailable, "restarted")
	}
}

func TestFailureCause(t *testing.T) {
	cases := map[string]port.Exit{
		"":             {},
		"exit 2":       {Code: 2},
		"timed out":    {Code: 143, TimedOut: true},
		"killed":       {Code: 137},
		"signal 15":    {Code: 143},
		"not start":    {Code: 127},
		"(exit 126): ": {Code: 126},
	}
	for want, exit := range cases {
		t.Run(want, func(t *testing.T) {
			if got, _ := FailureCause(exit, "cmd\nmore"); !strings.Contains(got, want) || want == "" && got != "" {
				t.Errorf("FailureCause(%+v) = %q, want %q in it", exit, got, want)
			}
		})
	}
}

func TestTailWriter(t *testing.T) {
	var all bytes.Buffer
	l := &TailWriter{To: &all}
	for range 1000 {
		_, _ = io.WriteString(l, strings.Repeat("x", 100)+"\n")
	}
	_, _ = io.WriteString(l, "ImportError: pandas\n\n")
	if got, want := l.LastLine(), "ImportError: pandas"; got != want {
		t.Errorf("last line = %q, want %q", got, want)
	}
	if all.Len() != 101000+21 {
		t.Errorf("%d bytes written through, want %d", all.Len(), 101000+21)
	}
	if len(l.tail) > tailBytes {
		t.Errorf("%d bytes kept, want at most %d", len(l.tail), tailBytes)
	}
	if got := (&TailWriter{}).LastLine(); got != "" {
		t.Errorf("last line of nothing = %q, want none", got)
	}
}
