// Trim reads what Terraform's provider for AWS takes from the bindings that are generated
// of it: `trim PACKAGE DIR` reads the npm package @cdktn/provider-aws (a .tgz) and
// DIR/resources.txt, and writes DIR/aws.json. See `make aws-schema`.
//
// The bindings do not tell a list from a set, nor what is computed unless it is set.
package main

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/slipway-cd/slipway/internal/account/terraform/schema"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: trim PACKAGE DIR")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "trim:", err)
		os.Exit(1)
	}
}

func run(archive, dir string) error {
	list, err := os.ReadFile(filepath.Join(dir, "resources.txt"))
	if err != nil {
		return err
	}
	wanted := map[string]bool{}
	for _, name := range strings.Fields(string(list)) {
		wanted["package/lib/"+name+"/index.d.ts"] = true
	}
	files, err := read(archive, wanted)
	if err != nil {
		return fmt.Errorf("read %s: %w", archive, err)
	}
	all := map[string]schema.Block{}
	for name := range wanted {
		text, ok := files[name]
		if !ok {
			return fmt.Errorf("the package has no %s", name)
		}
		terraform, block, err := parse(text)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		all[terraform] = block
	}
	return write(filepath.Join(dir, "aws.json"), all)
}

// write has a line for each resource.
func write(name string, all map[string]schema.Block) error {
	var lines []string
	for _, of := range slices.Sorted(maps.Keys(all)) {
		text, err := json.Marshal(all[of])
		if err != nil {
			return err
		}
		lines = append(lines, fmt.Sprintf("%q: %s", of, text))
	}
	return os.WriteFile(name, []byte("{\n"+strings.Join(lines, ",\n")+"\n}\n"), 0o644)
}

// maxFile bounds the bindings of one resource, in bytes.
const maxFile = 4 << 20

func read(archive string, wanted map[string]bool) (map[string]string, error) {
	f, err := os.Open(archive)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	files := map[string]string{}
	for t := tar.NewReader(z); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		if !wanted[h.Name] {
			continue
		}
		text, err := io.ReadAll(io.LimitReader(t, maxFile))
		if err != nil {
			return nil, err
		}
		files[h.Name] = string(text)
	}
}
