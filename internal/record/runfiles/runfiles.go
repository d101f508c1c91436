// Package runfiles keeps what runs print in an object store, for other machines.
package runfiles

import (
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/record"
)

// Prefix begins the keys of all files of runs.
const Prefix = "runs/"

const suffix = ".gz"

// maxFile is how many bytes of a file are read, whatever was stored.
const maxFile = 1 << 30

// Store keeps the files of a project's runs.
type Store struct {
	Objects port.ObjectStore
	Project delivery.Project

	max int64 // bytes of a file; 0: maxFile
}

var _ record.RunFiles = Store{}

// Key returns the key of a file.
func (s Store) Key(f record.RunFile) string {
	return fmt.Sprintf("%s%d/%s%s", s.prefix(f.Run), f.Epoch, f.Name, suffix)
}

func (s Store) prefix(run delivery.RunID) string {
	return fmt.Sprintf("%s%s/%s/", Prefix, s.Project, run)
}

// namePattern is what a key may contain, and no folder.
var namePattern = regexp.MustCompile(`^[A-Za-z0-9_:][A-Za-z0-9_:.-]*$`)

func check(f record.RunFile) error {
	if !f.Run.Valid() || f.Epoch < 1 || !namePattern.MatchString(f.Name) {
		return fault.New(fault.Invalid, "invalid file %q of run %q, epoch %d", f.Name, f.Run, f.Epoch)
	}
	return nil
}

// Save implements record.RunFiles.
func (s Store) Save(ctx context.Context, f record.RunFile, content io.Reader) error {
	if err := check(f); err != nil {
		return err
	}
	r, w := io.Pipe()
	go func() {
		packed := gzip.NewWriter(w)
		_, err := io.Copy(packed, content)
		w.CloseWithError(cmp.Or(errors.Join(err, packed.Close()), io.EOF))
	}()
	err := s.Objects.Put(ctx, s.Key(f), r)
	r.CloseWithError(context.Canceled) // ends the goroutine, if not all was read
	if err != nil {
		return fmt.Errorf("save %s of run %s: %w", f.Name, f.Run, err)
	}
	return nil
}

// List implements record.RunFiles.
func (s Store) List(ctx context.Context, run delivery.RunID) (files []record.RunFile, err error) {
	if !run.Valid() {
		return nil, fault.New(fault.Invalid, "invalid run %q", run)
	}
	const limit = 1000
	for after := ""; ; {
		found, err := s.Objects.List(ctx, s.prefix(run), after, limit)
		if err != nil {
			return nil, fmt.Errorf("list the files of run %s: %w", run, err)
		}
		for _, o := range found {
			after = o.Key
			if f, ok := s.parse(run, o); ok {
				files = append(files, f)
			}
		}
		if len(found) < limit {
			break
		}
	}
	slices.SortFunc(files, func(a, b record.RunFile) int {
		return cmp.Or(cmp.Compare(a.Epoch, b.Epoch), strings.Compare(a.Name, b.Name))
	})
	return files, nil
}

func (s Store) parse(run delivery.RunID, o port.Object) (f record.RunFile, ok bool) {
	epoch, name, _ := strings.Cut(strings.TrimPrefix(o.Key, s.prefix(run)), "/")
	name, packed := strings.CutSuffix(name, suffix)
	n, err := strconv.ParseInt(epoch, 10, 64)
	f = record.RunFile{Run: run, Epoch: n, Name: name, Saved: o.ModTime, Size: o.Size}
	return f, err == nil && packed && check(f) == nil
}

// Open implements record.RunFiles.
func (s Store) Open(ctx context.Context, f record.RunFile) (io.ReadCloser, error) {
	if err := check(f); err != nil {
		return nil, err
	}
	r, _, err := s.Objects.Open(ctx, s.Key(f))
	if err != nil {
		return nil, fmt.Errorf("read %s of run %s: %w", f.Name, f.Run, err)
	}
	unpacked, err := gzip.NewReader(r)
	if err != nil {
		r.Close()
		return nil, fault.New(fault.Corrupt, "read %s of run %s", f.Name, f.Run).Cause(err)
	}
	return file{io.LimitReader(unpacked, cmp.Or(s.max, maxFile)), r}, nil
}

type file struct {
	io.Reader
	io.Closer
}
