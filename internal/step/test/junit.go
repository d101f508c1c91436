package test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"

	"github.com/slipway-cd/slipway/internal/fault"
)

// Limits for a report, which is untrusted until it is parsed.
const (
	maxReportBytes = 64 << 20 // bytes of one file
	maxDepth       = 64       // elements within elements
	maxReportFiles = 1000     // when the report is a folder
	maxTextBytes   = 16 << 10 // bytes of the beginning, and of the end, of one test's output that are read
)

// readJUnit reads the report at path: a file, or a folder with *.xml files.
func readJUnit(path string, at location) (tally, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return tally{}, fault.New(fault.Unavailable, "it wrote no report").
			Hint("make the command write JUnit XML to {{.Report}}, or remove `report`")
	case err != nil:
		return tally{}, fmt.Errorf("read the report: %w", err)
	case info.IsDir():
		return readFolder(path, at)
	}
	return readFile(path, at)
}

func readFolder(dir string, at location) (tally, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.xml"))
	if err != nil || len(files) == 0 {
		return tally{}, fault.New(fault.Unavailable, "the report folder contains no *.xml file")
	}
	if len(files) > maxReportFiles {
		return tally{}, fault.New(fault.Unavailable, "the report has %d files, more than %d", len(files), maxReportFiles)
	}
	sort.Strings(files)
	var sum tally
	for _, f := range files {
		one, err := readFile(f, at)
		if err != nil {
			return sum, err
		}
		sum.add(one)
	}
	return sum, nil
}

func readFile(path string, at location) (tally, error) {
	info, err := os.Stat(path)
	if err != nil {
		return tally{}, fmt.Errorf("read the report: %w", err)
	}
	if !info.Mode().IsRegular() {
		return tally{}, fault.New(fault.Unavailable, "the report is not a regular file")
	}
	if info.Size() > maxReportBytes {
		return tally{}, fault.New(fault.Unavailable, "the report has %d bytes, more than %d", info.Size(), maxReportBytes)
	}
	f, err := os.Open(path)
	if err != nil {
		return tally{}, fmt.Errorf("read the report: %w", err)
	}
	defer f.Close()
	return parseJUnit(io.LimitReader(f, maxReportBytes), filepath.Base(path), at)
}
