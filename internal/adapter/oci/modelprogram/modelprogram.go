// Package modelprogram brings the program that takes models out of images, one
// for each architecture that clusters have.
package modelprogram

import (
	"bytes"
	"compress/gzip"
	"embed"
	"errors"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/slipway-cd/slipway/internal/fault"
)

// built is what `make` left; of a plain `go build` it holds no programs.
//
//go:embed built
var built embed.FS

const (
	filePrefix = "slipway-model-linux-"
	fileSuffix = ".gz"
)

// Programs are the static programs for Linux by architecture ("amd64"), or
// fault.Unavailable if this Slipway was built without them.
func Programs() (map[string][]byte, error) {
	folder, err := fs.Sub(built, "built")
	if err != nil {
		return nil, err
	}
	return readPrograms(folder)
}

func readPrograms(folder fs.FS) (map[string][]byte, error) {
	names, err := fs.Glob(folder, filePrefix+"*"+fileSuffix)
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, fault.New(fault.Unavailable, "pack a model: this build of Slipway does not include the slipway-model program").
			Hint("build slipway with `make`, or set model.deliver: env")
	}
	out := make(map[string][]byte, len(names))
	for _, name := range names {
		program, err := readGzip(folder, name)
		if err != nil {
			return nil, fault.New(fault.Internal, "read the program %s", name).Hint("build slipway with `make` again").Cause(err)
		}
		out[strings.TrimSuffix(strings.TrimPrefix(path.Base(name), filePrefix), fileSuffix)] = program
	}
	return out, nil
}

func readGzip(folder fs.FS, name string) ([]byte, error) {
	packed, err := fs.ReadFile(folder, name)
	if err != nil {
		return nil, err
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	program, err := io.ReadAll(r)
	if err == nil && len(program) == 0 {
		err = errors.New("the file is empty")
	}
	return program, err
}
