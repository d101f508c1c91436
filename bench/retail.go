package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/bench/measure"
	"github.com/slipway-cd/slipway/internal/quantile"
)

// rounds is how often Slipway and the script do the same, alternating.
const rounds = 7

// retailRepo is a repository with the Retail example.
type retailRepo struct {
	*bench
	dir        string
	lastBudget int // so that every build has a different source
}

func (b *bench) newRetailRepo(ctx context.Context, name string, first int) (*retailRepo, error) {
	s := &retailRepo{b, filepath.Join(b.work, name), first}
	if err := os.CopyFS(s.dir, os.DirFS(filepath.Join(b.root, "examples", "retail"))); err != nil {
		return nil, err
	}
	for _, c := range [][]string{{"git", "init", "-q", "-b", "main"}, {"go", "run", "./cmd/generate", "-out", "data/transactions.csv"}} {
		if _, err := measure.Exec(ctx, 0, s.dir, c[0], c[1:]...); err != nil {
			return nil, err
		}
	}
	return s, s.commit(ctx)
}

func (s *retailRepo) commit(ctx context.Context) error {
	if _, err := measure.Exec(ctx, 0, s.dir, "git", "add", "-A"); err != nil {
		return err
	}
	_, err := measure.Exec(ctx, 0, s.dir, "git", "commit", "-q", "-m", "next")
	return err
}

// setBudget changes one line of the server: its time budget, in nanoseconds.
func (s *retailRepo) setBudget(ctx context.Context, nanoseconds int) error {
	path := filepath.Join(s.dir, "cmd", "api", "main.go")
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	lines := strings.Split(string(text), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "const predictBudget = ") {
			lines[i] = "const predictBudget = " + strconv.Itoa(nanoseconds) + " * time.Nanosecond"
			if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
				return err
			}
			return s.commit(ctx)
		}
	}
	return fmt.Errorf("%s has no line for predictBudget", path)
}

// touch changes that line without visible effect: about a second, different every
// time, so that the compiler has not seen it.
func (s *retailRepo) touch(ctx context.Context) error {
	s.lastBudget += 2
	return s.setBudget(ctx, int(time.Second)+s.lastBudget)
}

// measureRetail measures deliveries of the example.
func (b *bench) measureRetail(ctx context.Context) error {
	// Even and odd: neither benefits from the other's compiler cache.
	seed := int(time.Now().UnixNano()/1000) % 500_000_000 &^ 1
	ours, err := b.newRetailRepo(ctx, "slipway", seed)
	if err != nil {
		return err
	}
	plain, err := b.newRetailRepo(ctx, "plain", seed+1)
	if err != nil {
		return err
	}
	defer ours.down()
	defer plain.stopPlain()
	if err := ours.measureFirstRun(ctx); err != nil {
		return err
	}
	if err := plain.runPlainScript(ctx); err != nil {
		return err
	}
	for _, measure := range []func(context.Context) error{
		ours.measureUnchanged,
		func(ctx context.Context) error { return ours.compareWithScript(ctx, plain) },
		ours.measureUnderLoad,
	} {
		if err := measure(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *retailRepo) down() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, err := measure.Exec(ctx, 0, s.dir, s.slipway, "down", "--all"); err != nil {
		fmt.Fprintln(s.log, "bench:", err)
	}
}

// measureFirstRun measures a whole delivery with an empty cache, and its memory.
func (s *retailRepo) measureFirstRun(ctx context.Context) error {
	cmd := measure.Command(ctx, s.dir, s.slipway, "run", "--env", "prod")
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	peak := measure.WatchProcess(cmd.Process.Pid, ended)
	if err := peak.Err; err != nil {
		return fmt.Errorf("first run: %w", err)
	}
	b := s.bench
	b.Note("first delivery of Retail, compiler warm", fmt.Sprintf("%.1f s", time.Since(start).Seconds()))
	b.Note("peak memory of that run (the process, without compilers)", fmt.Sprintf("%.0f MB", float64(peak.PeakKB)/1e3))
	return nil
}

func (s *retailRepo) measureUnchanged(ctx context.Context) error {
	var took []time.Duration
	for range rounds {
		start := time.Now()
		if _, err := measure.Exec(ctx, 0, s.dir, s.slipway, "run", "--env", "prod"); err != nil {
			return err
		}
		took = append(took, time.Since(start))
	}
	m := measure.Median(took)
	s.Add(fmt.Sprintf("rerun with nothing changed (median of %d)", rounds), "<= 0.5 s", fmt.Sprintf("%.2f s", m.Seconds()), m <= 500*time.Millisecond)
	return nil
}

// compareWithScript delivers one-line changes with Slipway and with the script,
// alternating.
func (s *retailRepo) compareWithScript(ctx context.Context, plain *retailRepo) error {
	var ours, theirs []time.Duration
	for range rounds {
		if err := s.touch(ctx); err != nil {
			return err
		}
		start := time.Now()
		if _, err := measure.Exec(ctx, 0, s.dir, s.slipway, "run", "--env", "prod"); err != nil {
			return err
		}
		ours = append(ours, time.Since(start))
		if err := plain.touch(ctx); err != nil {
			return err
		}
		start = time.Now()
		if err := plain.runPlainScript(ctx); err != nil {
			return err
		}
		theirs = append(theirs, time.Since(start))
	}
	a, z := measure.Median(ours), measure.Median(theirs)
	ratio, least, most := measure.Ratios(ours, theirs)
	s.Add(fmt.Sprintf("one-line change to verified, 2 s bake included (median of %d)", rounds), "<= 10 s", fmt.Sprintf("%.2f s", a.Seconds()), a <= 10*time.Second)
	s.Add("  compared with bench/plain.sh, in turns", "ratio <= 1", fmt.Sprintf("%.2f s, ratio %.2f (%.2f to %.2f)", z.Seconds(), ratio, least, most), ratio <= 1)
	return nil
}

func (s *retailRepo) runPlainScript(ctx context.Context) error {
	_, err := measure.Exec(ctx, 0, s.dir, filepath.Join(s.root, "bench", "plain.sh"), s.dir, s.dir+".state")
	return err
}

func (s *retailRepo) stopPlain() {
	text, _ := os.ReadFile(filepath.Join(s.dir+".state", "pids"))
	for _, word := range strings.Fields(string(text)) {
		if pid, err := strconv.Atoi(word); err == nil {
			if p, err := os.FindProcess(pid); err == nil {
				_ = p.Kill()
			}
		}
	}
}

// measureUnderLoad delivers a good release and a bad one, and rolls back manually,
// under 200 requests per second.
func (s *retailRepo) measureUnderLoad(ctx context.Context) error {
	url, err := s.url(ctx)
	if err != nil {
		return err
	}
	t, stop := measure.ConstantRate(200, predictRequest(url))
	bad, back, err := s.deployUnderLoad(ctx)
	stop()
	if err != nil {
		return err
	}
	s.Add("bad release: from its deploy until only the good one is running again", "<= 3 s", fmt.Sprintf("%.2f s", bad.Seconds()), bad <= 3*time.Second)
	s.Add("slipway rollback, by hand", "<= 3 s", fmt.Sprintf("%.2f s", back.Seconds()), back <= 3*time.Second)
	took := t.Latencies()
	failed, first := t.Failures()
	s.Add("requests failed under 200/s: a deploy, a bad release, a rollback", "0", fmt.Sprintf("%d of %d%s", failed, len(took), measure.Parenthesize(first)), failed == 0)
	s.Note("  p50 and p95 of those requests", fmt.Sprintf("%.1f ms, %.1f ms", measure.Milliseconds(quantile.Of(took, 0.5)), measure.Milliseconds(quantile.Of(took, 0.95))))
	return nil
}

func (s *retailRepo) deployUnderLoad(ctx context.Context) (bad, back time.Duration, err error) {
	if err := s.touch(ctx); err != nil {
		return 0, 0, err
	}
	if _, err := measure.Exec(ctx, 0, s.dir, s.slipway, "run", "--env", "prod"); err != nil {
		return 0, 0, err
	}
	if err := s.setBudget(ctx, 1); err != nil {
		return 0, 0, err
	}
	if bad, err = s.deployBad(ctx); err != nil {
		return 0, 0, err
	}
	start := time.Now()
	_, err = measure.Exec(ctx, 0, s.dir, s.slipway, "rollback", "--env", "prod", "--why", "a measurement")
	return bad, time.Since(start), err
}

// deployBad delivers a release that production rejects. It returns the time from the
// start of the deploy step to the end of the run.
func (s *retailRepo) deployBad(ctx context.Context) (time.Duration, error) {
	out, err := measure.Exec(ctx, 3, s.dir, s.slipway, "run", "--env", "prod", "--json")
	if err != nil {
		return 0, err
	}
	run, err := measure.ParseRun(out)
	return run.Finished.Sub(run.DeployStarted), err
}

func (s *retailRepo) url(ctx context.Context) (string, error) {
	out, err := measure.Exec(ctx, 0, s.dir, s.slipway, "status", "--env", "prod", "--json")
	if err != nil {
		return "", err
	}
	var st struct{ URL string }
	if err := json.Unmarshal([]byte(out), &st); err != nil || st.URL == "" {
		return "", fmt.Errorf("no address in %s (%w)", out, err)
	}
	return st.URL, nil
}
