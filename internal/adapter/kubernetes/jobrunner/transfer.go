package jobrunner

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// maxOutputFiles bounds what is fetched from a pod.
const maxOutputFiles = 200_000

// Files beside the inputs.
const (
	envFile = ".env"
	runFile = ".run"
)

// writeInputs writes everything that a job reads as a tar archive, in the layout of
// inputDir.
func writeInputs(ctx context.Context, to io.Writer, job port.Job) error {
	w := tar.NewWriter(to)
	for _, f := range []struct{ name, text string }{{envFile, envScript(job.Command.Env)}, {runFile, job.Command.Run}} {
		if err := w.WriteHeader(&tar.Header{Name: f.name, Mode: 0o600, Size: int64(len(f.text))}); err != nil {
			return err
		}
		if _, err := io.WriteString(w, f.text); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(job.Inputs)) {
		paths, err := job.Inputs[name].Paths()
		if err != nil {
			return err
		}
		for i, p := range paths {
			if err := writeTree(ctx, w, p, inputName(name, i, p)); err != nil {
				return err
			}
		}
	}
	return w.Close()
}

func writeTree(ctx context.Context, w *tar.Writer, local, name string) error {
	return filepath.WalkDir(local, func(file string, d fs.DirEntry, err error) error {
		if err == nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(local, file)
		if err != nil {
			return err
		}
		info, err := os.Lstat(file)
		if file == local {
			info, err = os.Stat(file) // data may be named by a link
		}
		if err != nil {
			return err
		}
		return writeEntry(w, file, path.Join(name, filepath.ToSlash(rel)), info)
	})
}

func writeEntry(w *tar.Writer, file, name string, info fs.FileInfo) error {
	link := ""
	if info.Mode()&fs.ModeSymlink != 0 {
		var err error
		if link, err = os.Readlink(file); err != nil {
			return err
		}
	} else if !info.Mode().IsRegular() && !info.IsDir() {
		return nil // a socket or a device is no content
	}
	h, err := tar.FileInfoHeader(info, link)
	if err != nil {
		return err
	}
	h.Name, h.Uid, h.Gid, h.Uname, h.Gname = name, 0, 0, "", ""
	if err := w.WriteHeader(h); err != nil || !info.Mode().IsRegular() {
		return err
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(w, f)
	return err
}

// readOutputs unpacks the pod's output folders into local ones, by the outputs' names. It
// writes nothing beyond them: links and other special files are refused.
func readOutputs(from io.Reader, folders map[string]string) error {
	roots := map[string]*os.Root{}
	defer func() {
		for _, r := range roots {
			_ = r.Close()
		}
	}()
	for name, dir := range folders {
		r, err := os.OpenRoot(dir)
		if err != nil {
			return err
		}
		roots[name] = r
	}
	archive := tar.NewReader(from)
	for n := 0; ; n++ {
		h, err := archive.Next()
		switch {
		case errors.Is(err, io.EOF):
			_, err = io.Copy(io.Discard, from)
			return err
		case err != nil:
			return fmt.Errorf("read the archive of the outputs: %w", err)
		case n == maxOutputFiles:
			return fault.New(fault.Exhausted, "the outputs have more than %d files", maxOutputFiles).Hint("write fewer files, or one archive")
		}
		name, rest, _ := strings.Cut(strings.TrimPrefix(path.Clean(h.Name), "./"), "/")
		if root := roots[name]; root != nil {
			if err := readEntry(root, rest, h, archive); err != nil {
				return err
			}
		}
	}
}

func readEntry(root *os.Root, name string, h *tar.Header, content io.Reader) error {
	switch {
	case name == "":
		return nil // the folder itself
	case h.Typeflag == tar.TypeDir:
		return root.MkdirAll(name, 0o755)
	case h.Typeflag != tar.TypeReg:
		return fault.New(fault.Invalid, "output %s is neither a file nor a folder", h.Name).Hint("make the command write regular files")
	}
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	return errors.Join(err, f.Close())
}
