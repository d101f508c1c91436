// Package trivy implements port.Scanner with the trivy program. It trusts neither
// its exit status nor an empty report: the report has to be on this very image,
// cover packages of a supported distribution, and use a database.
package trivy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/environ"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/flock"
	"github.com/slipway-cd/slipway/internal/logcap"
	"github.com/slipway-cd/slipway/internal/ocilayout"
	"github.com/slipway-cd/slipway/internal/port"
)

// Config configures a Scanner. The zero value is ready to use.
type Config struct {
	Program string   // default: trivy, in PATH
	Environ []string // "K=V"; default: os.Environ
}

// Scanner implements port.Scanner. Trivy manages its own database and updates it
// when it scans.
type Scanner struct {
	c Config
}

var _ port.Scanner = (*Scanner)(nil)

// Limits on the output that is read, and on the run time.
const (
	maxReport   = 512 << 20       // bytes of JSON
	maxLog      = 1 << 20         // bytes of its log that are searched, besides its end
	scanTimeout = "60m"           // trivy's own limit, longer than the step's
	waitDelay   = 2 * time.Second // for what trivy leaves behind
)

// New returns a Scanner.
func New(c Config) *Scanner {
	if c.Program == "" {
		c.Program = "trivy"
	}
	return &Scanner{c: c}
}

// Scan runs trivy for every platform of the image.
func (s *Scanner) Scan(ctx context.Context, o port.ScanRequest) (port.ScanReport, error) {
	images, err := images(o.Layout, o.Image.Digest)
	if err != nil {
		return port.ScanReport{}, err
	}
	program, err := exec.LookPath(s.c.Program)
	if err != nil {
		return port.ScanReport{}, fault.New(fault.Unavailable, "trivy is not installed").Cause(err).
			Hint("install it (https://trivy.dev), or use the embedded scanner: scan: {with: grype}")
	}
	report := port.ScanReport{Scanner: "trivy", Packages: map[string]int{}}
	for _, img := range images {
		if o.OnProgress != nil {
			o.OnProgress("scanning with trivy")
		}
		if err := s.scanPlatform(ctx, program, o.Layout, img, &report); err != nil {
			return port.ScanReport{}, err
		}
	}
	if err := s.version(ctx, program, &report); err != nil {
		return port.ScanReport{}, err
	}
	if len(report.Packages) == 0 {
		report.Gaps = append(report.Gaps, port.ScanGap{
			What: "no packages found in the image",
			Hint: "build on a base image that keeps its package database, or scan it with another scanner",
		})
	}
	report.Findings = port.DedupeFindings(report.Findings)
	return report, nil
}

// scanPlatform adds the report on the image of one platform.
func (s *Scanner) scanPlatform(ctx context.Context, program, layout string, img ocilayout.Image, report *port.ScanReport) error {
	dir, err := os.MkdirTemp("", "slipway-trivy-")
	if err != nil {
		return fault.New(fault.Exhausted, "create a temporary folder for trivy").Cause(err)
	}
	defer os.RemoveAll(dir)
	imageDir := filepath.Join(dir, "image")
	if err := isolate(img, layout, imageDir); err != nil {
		return err
	}
	reportPath := filepath.Join(dir, "answer.json")
	log, err := s.run(ctx, program, dir, "image", "--input", imageDir, "--format", "json", "--output", reportPath,
		"--exit-code", "0", "--scanners", "vuln", "--list-all-pkgs", "--no-progress", "--timeout", scanTimeout,
		"--severity", "UNKNOWN,LOW,MEDIUM,HIGH,CRITICAL")
	if err != nil {
		return err
	}
	raw, err := readReport(reportPath)
	if err != nil {
		return err
	}
	doc, err := parse(raw)
	if err == nil {
		err = doc.checkImage(img)
	}
	if err != nil {
		return fault.New(fault.Unavailable, "read the report of trivy").Cause(err).
			Hint("install a Trivy release that writes reports with schema version %d", reportSchema)
	}
	doc.add(report, log)
	return nil
}

// version adds the version of trivy and the age of its database to the report.
func (s *Scanner) version(ctx context.Context, program string, report *port.ScanReport) error {
	dir, err := os.MkdirTemp("", "slipway-trivy-")
	if err != nil {
		return fault.New(fault.Exhausted, "create a temporary folder for trivy").Cause(err)
	}
	defer os.RemoveAll(dir)
	var out bytes.Buffer
	if err := s.start(ctx, program, dir, logcap.New(&out, maxLog), io.Discard, "version", "--format", "json"); err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("read the version of trivy: %w", context.Cause(ctx))
		}
		return fault.New(fault.Unavailable, "read the version of trivy and of its database").Cause(err)
	}
	return readVersion(out.Bytes(), report)
}

// run starts trivy and explains its failure.
func (s *Scanner) run(ctx context.Context, program, dir string, args ...string) (log string, err error) {
	var errs bytes.Buffer
	limited := logcap.New(&errs, maxLog)
	err = errors.Join(s.start(ctx, program, dir, io.Discard, limited, args...), limited.Close())
	log = errs.String()
	if err == nil {
		return log, nil
	}
	if ctx.Err() != nil {
		return log, fmt.Errorf("scan with trivy: %w", context.Cause(ctx))
	}
	if isDatabaseMissing(log) {
		return log, fault.New(fault.Unavailable, "trivy has no vulnerability database").Cause(errors.New(logTail(log))).
			Hint("download one with `trivy image --download-db-only`, or copy its cache folder to this machine")
	}
	return log, fault.New(fault.Unavailable, "scan with trivy").Cause(fmt.Errorf("%w: %s", err, logTail(log))).
		Hint("run `trivy image` on another image to see what is missing")
}

func (s *Scanner) start(ctx context.Context, program, dir string, out, errs io.Writer, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir // a trivy.yaml or .trivyignore in the repository would hide findings
	cmd.Env = scanEnviron(s.c.Environ)
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = out, errs, waitDelay
	cmd.ExtraFiles = flock.Inherited(ctx)
	return cmd.Run()
}

// scanEnviron is the environment of trivy: without the settings that would hide
// findings, and without what it has no use for, which may be a secret.
func scanEnviron(all []string) []string {
	if all == nil {
		all = os.Environ()
	}
	return append(environ.Inherited(all, allowedVariables()...), "TRIVY_DISABLE_TELEMETRY=true", "TRIVY_SKIP_VERSION_CHECK=true")
}

// allowedVariables returns the settings for the location of the database and
// access to it.
func allowedVariables() []string {
	return []string{
		"TRIVY_CACHE_DIR", "TRIVY_CACHE_BACKEND", "TRIVY_DB_REPOSITORY", "TRIVY_JAVA_DB_REPOSITORY", "TRIVY_SKIP_DB_UPDATE",
		"TRIVY_SKIP_JAVA_DB_UPDATE", "TRIVY_OFFLINE_SCAN", "TRIVY_INSECURE", "TRIVY_USERNAME", "TRIVY_PASSWORD",
		"TRIVY_REGISTRY_TOKEN", "TRIVY_CACERT",
		"DOCKER_CONFIG", // where `docker login` keeps what signs in to a registry
	}
}

// isDatabaseMissing reports whether trivy complained that it has no database.
func isDatabaseMissing(log string) bool {
	log = strings.ToLower(log)
	for _, sign := range []string{"vulnerability db", "vulnerability database", "skip-db-update cannot be specified", "db error", "failed to download", "trivy-db"} {
		if strings.Contains(log, sign) {
			return true
		}
	}
	return false
}

// logTail returns the end of a log as one line.
func logTail(log string) string {
	const most = 300
	text := strings.Join(strings.Fields(log), " ")
	if len(text) > most {
		text = "..." + strings.ToValidUTF8(text[len(text)-most:], "")
	}
	if text == "" {
		return "no output"
	}
	return text
}

func readReport(file string) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "read the report of trivy").Cause(errors.New("it exited successfully without writing a report")).
			Hint("run `trivy image` on another image to see what it does")
	}
	if info.Size() > maxReport {
		return nil, fault.New(fault.Exhausted, "read the report of trivy: %d MB is too large", info.Size()>>20)
	}
	return os.ReadFile(file)
}
