package test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/step"
)

// ruffHint explains how to make ruff report.
const ruffHint = "run `ruff check --output-format json` without redirecting its standard output, or write it to {{.Report}}"

// finding is one of ruff's, as `ruff check --output-format json` prints it. Code
// is empty for a file that is not valid Python.
type finding struct {
	Code     string  `json:"code"`
	Message  *string `json:"message"`
	Filename string  `json:"filename"`
	Location struct {
		Row    int `json:"row"`
		Column int `json:"column"`
	} `json:"location"`
}

// ruff is a writer for a command's output with ruff's JSON in it. What is
// readable goes to log: every line outside of the JSON as it arrives, and the
// findings at the end. Safe for concurrent use.
type ruff struct {
	log      io.Writer
	location location

	mu       sync.Mutex
	partial  []byte // a line without its end
	json     []byte // from the line on that opens a list
	tooLarge bool
	noFiles  bool // ruff found no file to check
}

// Write takes output, in whatever pieces it comes.
func (r *ruff) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.partial = append(r.partial, p...)
	for {
		end := bytes.IndexByte(r.partial, '\n') + 1
		if end == 0 && len(r.partial) <= maxLineBytes {
			return len(p), nil
		}
		if end == 0 {
			end = len(r.partial)
		}
		r.parseLine(r.partial[:end])
		r.partial = append([]byte(nil), r.partial[end:]...)
	}
}

func (r *ruff) parseLine(line []byte) {
	switch {
	case len(r.json) == 0 && !bytes.HasPrefix(line, []byte("[]")) && !bytes.HasPrefix(line, []byte("[{")) && string(bytes.TrimSpace(line)) != "[":
		r.noFiles = r.noFiles || bytes.Contains(line, []byte("No Python files found"))
		r.print(line)
	case len(r.json)+len(line) > maxReportBytes:
		r.tooLarge = true
	default:
		r.json = append(r.json, line...)
	}
}

func (r *ruff) print(text []byte) {
	if len(text) > 0 && r.log != nil {
		_, _ = r.log.Write(text)
	}
}

// finish counts the findings once the command has exited: those in the file at
// path, or else those on standard output.
func (r *ruff) finish(path string) (tally, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.partial) > 0 {
		r.parseLine(append(r.partial, '\n'))
		r.partial = nil
	}
	text, err := r.readReport(path)
	if err != nil {
		return tally{}, err
	}
	found, after, err := parseFindings(text)
	if err != nil {
		r.print(r.json)
		return tally{}, err
	}
	if len(r.json) > 0 {
		r.noFiles = r.noFiles || bytes.Contains(after, []byte("No Python files found"))
		r.print(after)
	}
	if r.noFiles {
		return tally{}, fault.New(fault.Unavailable, "ruff found no Python files").Hint("check the folders passed to it, and its `exclude`")
	}
	return r.count(found), nil
}

// readReport returns the report: the file's content if the command wrote one.
func (r *ruff) readReport(path string) ([]byte, error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && r.tooLarge:
		return nil, fault.New(fault.Unavailable, "the report has more than %d bytes", maxReportBytes)
	case errors.Is(err, fs.ErrNotExist) && len(r.json) == 0:
		return nil, fault.New(fault.Unavailable, "it printed no ruff JSON").Hint("%s", ruffHint)
	case errors.Is(err, fs.ErrNotExist):
		return r.json, nil
	case err != nil:
		return nil, fmt.Errorf("read the report: %w", err)
	case !info.Mode().IsRegular() || info.Size() > maxReportBytes:
		return nil, fault.New(fault.Unavailable, "the report is not a regular file of at most %d bytes", maxReportBytes)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the report: %w", err)
	}
	return text, nil
}

// parseFindings parses lists of findings, one after the other, and returns what
// follows the last. No list at all is an error.
func parseFindings(text []byte) (all []finding, after []byte, err error) {
	broken := fault.New(fault.Unavailable, "the report is incomplete").Hint("%s", ruffHint)
	for lists := 0; ; lists++ {
		text = bytes.TrimLeft(text, " \t\r\n")
		if len(text) == 0 || text[0] != '[' {
			if lists == 0 {
				return nil, nil, broken
			}
			return all, text, nil
		}
		dec := json.NewDecoder(bytes.NewReader(text))
		var list []finding
		if err := dec.Decode(&list); err != nil {
			return nil, nil, broken.Cause(err)
		}
		for _, f := range list {
			if f.Message == nil || f.Filename == "" {
				return nil, nil, broken.Cause(errors.New("a finding has no message or no file"))
			}
		}
		all, text = append(all, list...), text[dec.InputOffset():]
	}
}

// count logs each finding in one line, too.
func (r *ruff) count(found []finding) tally {
	var t tally
	for _, f := range found {
		file := r.location.relative(f.Filename, []string{r.location.dir, r.location.root})
		if file == "" {
			file = filepath.Base(f.Filename)
		}
		one := step.TestFailure{Name: f.Code, Message: *f.Message}
		if one.Name == "" {
			one.Name = "invalid-syntax"
		}
		one.Location = fmt.Sprintf("%s:%d:%d", file, f.Location.Row, f.Location.Column)
		t.fail(one)
		r.print([]byte(one.Location + ": " + one.Name + " " + strings.ToValidUTF8(*f.Message, "") + "\n"))
	}
	return t
}
