//go:build linux

package supervisor

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/slipway-cd/slipway/internal/port"
)

// Kinds of what differs from a release (port.Drift.Kind).
const (
	ImageFolder  = "Image folder"
	ModelFolder  = "Model folder"
	replicaDrift = "Replica"
)

// content is a folder that the replicas of a group have, as it was when they were
// started. They keep that folder: one that is unpacked anew in its place reaches new
// replicas only.
type content struct {
	kind   string
	path   string
	folder os.FileInfo         // nil: it could not be read
	files  map[string]modified // of a model, by path in the folder
}

// modified shows whether a file was changed. Its content is not read: that would look as
// if the service had.
type modified struct {
	size int64
	at   time.Time
	file uint64 // inode
}

func (m modified) String() string {
	return fmt.Sprintf("%d bytes, modified %s", m.size, m.at.UTC().Format(time.RFC3339))
}

// contentsOf reads the folders of a release. The files of an image are not looked at:
// there are too many.
func contentsOf(s Spec) []content {
	out := []content{{kind: ImageFolder, path: s.Rootfs, folder: statFolder(s.Rootfs)}}
	if s.Model != "" {
		out = append(out, content{kind: ModelFolder, path: s.Model, folder: statFolder(s.Model), files: filesOf(s.Model)})
	}
	return out
}

// statFolder returns nil for a folder that can't be read: then it is not compared.
func statFolder(path string) os.FileInfo {
	info, err := os.Stat(path)
	if err != nil {
		return nil
	}
	return info
}

func filesOf(dir string) map[string]modified {
	files := map[string]modified{}
	_ = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return nil //nolint:nilerr // what can't be read is not there
		}
		info, err := entry.Info()
		name, relErr := filepath.Rel(dir, path)
		if err == nil && relErr == nil {
			m := modified{size: info.Size(), at: info.ModTime()}
			if s, ok := info.Sys().(*syscall.Stat_t); ok {
				m.file = s.Ino
			}
			files[name] = m
		}
		return nil
	})
	return files
}

// differences compares the folder with what is there now.
func (c content) differences() []port.Drift {
	now := statFolder(c.path)
	d := port.Drift{Kind: c.kind, Name: c.path}
	switch {
	case now == nil:
		d.Missing = true
		return []port.Drift{d}
	case c.folder == nil:
		return nil
	case !os.SameFile(c.folder, now):
		d.Live = "was replaced while its replicas ran"
		return []port.Drift{d}
	}
	return c.changedFiles()
}

func (c content) changedFiles() []port.Drift {
	if c.files == nil {
		return nil
	}
	now := filesOf(c.path)
	var out []port.Drift
	add := func(name, recorded, live string) {
		out = append(out, port.Drift{Kind: c.kind, Name: c.path, Field: name, Recorded: recorded, Live: live})
	}
	for name, before := range c.files {
		after, ok := now[name]
		switch {
		case !ok:
			add(name, before.String(), "")
		case after.size != before.size || after.file != before.file || !after.at.Equal(before.at):
			add(name, before.String(), after.String())
		}
	}
	for name, added := range now {
		if _, ok := c.files[name]; !ok {
			add(name, "", added.String())
		}
	}
	slices.SortFunc(out, func(a, b port.Drift) int { return strings.Compare(a.Field, b.Field) })
	return out
}
