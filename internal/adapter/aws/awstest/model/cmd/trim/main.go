// Trim cuts botocore's service models down to the operations that Slipway calls, and
// drops their documentation: `trim WHEEL DIR` reads botocore's wheel and
// DIR/operations.txt, and writes DIR/services. See `make aws-models`.
package main

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: trim WHEEL DIR")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "trim:", err)
		os.Exit(1)
	}
}

func run(wheel, dir string) error {
	z, err := zip.OpenReader(wheel)
	if err != nil {
		return fmt.Errorf("open the wheel: %w", err)
	}
	defer func() { _ = z.Close() }()
	list, err := os.ReadFile(filepath.Join(dir, "operations.txt"))
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(list)) {
		words := strings.Fields(line)
		full, err := newest(&z.Reader, words[0])
		if err != nil {
			return err
		}
		text, err := trim(full, words[1:])
		if err != nil {
			return fmt.Errorf("%s: %w", words[0], err)
		}
		if err := os.WriteFile(filepath.Join(dir, "services", words[0]+".json"), text, 0o644); err != nil {
			return err
		}
	}
	return copyLicences(&z.Reader, filepath.Join(dir, "services"))
}

// newest returns the model of the service's newest API version.
func newest(z *zip.Reader, service string) ([]byte, error) {
	var found *zip.File
	for _, f := range z.File {
		if ok, _ := path.Match("botocore/data/"+service+"/*/service-2.json.gz", f.Name); ok && (found == nil || f.Name > found.Name) {
			found = f
		}
	}
	if found == nil {
		return nil, fmt.Errorf("botocore has no model of %s", service)
	}
	packed, err := read(found)
	if err != nil {
		return nil, err
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("unpack %s: %w", found.Name, err)
	}
	return io.ReadAll(r)
}

// trim keeps the operations and the shapes that they reach, one on each line.
func trim(full []byte, operations []string) ([]byte, error) {
	var model struct {
		Metadata   map[string]any            `json:"metadata"`
		Operations map[string]map[string]any `json:"operations"`
		Shapes     map[string]map[string]any `json:"shapes"`
	}
	if err := json.Unmarshal(full, &model); err != nil {
		return nil, err
	}
	shapes := map[string]any{}
	var reach func(of any)
	reach = func(of any) { // everything that says {"shape": NAME}, however deep
		switch v := of.(type) {
		case map[string]any:
			if name, ok := v["shape"].(string); ok && shapes[name] == nil && model.Shapes[name] != nil {
				shapes[name] = model.Shapes[name]
				reach(model.Shapes[name])
			}
			for _, member := range v {
				reach(member)
			}
		case []any:
			for _, member := range v {
				reach(member)
			}
		}
	}
	kept := map[string]any{}
	for _, name := range operations {
		if model.Operations[name] == nil {
			return nil, fmt.Errorf("botocore has no operation %s", name)
		}
		kept[name] = model.Operations[name]
		reach(any(model.Operations[name]))
	}
	var out bytes.Buffer
	out.WriteString("{\"metadata\": ")
	writeLine(&out, undocumented(model.Metadata))
	out.WriteString(",\n\"operations\": {\n")
	writeLines(&out, kept)
	out.WriteString("},\n\"shapes\": {\n")
	writeLines(&out, shapes)
	out.WriteString("}}\n")
	return out.Bytes(), nil
}

func writeLines(out *bytes.Buffer, of map[string]any) {
	for i, name := range slices.Sorted(maps.Keys(of)) {
		if i > 0 {
			out.WriteString(",\n")
		}
		fmt.Fprintf(out, "%q: ", name)
		writeLine(out, undocumented(of[name]))
	}
	out.WriteString("\n")
}

func writeLine(out *bytes.Buffer, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // it was read as JSON
	}
	out.Write(text)
}

// undocumented drops texts, which are most of a model.
func undocumented(v any) any {
	switch v := v.(type) {
	case map[string]any:
		kept := make(map[string]any, len(v))
		for name, member := range v {
			if _, text := member.(string); text && (name == "documentation" || name == "documentationUrl") {
				continue
			}
			kept[name] = undocumented(member)
		}
		return kept
	case []any:
		for i := range v {
			v[i] = undocumented(v[i])
		}
	}
	return v
}

// copyLicences keeps botocore's licence and version beside what comes from it.
func copyLicences(z *zip.Reader, dir string) error {
	for _, f := range z.File {
		info, name := path.Dir(f.Name), path.Base(f.Name)
		if !strings.HasSuffix(info, ".dist-info") || !slices.Contains([]string{"LICENSE.txt", "NOTICE"}, name) {
			continue
		}
		text, err := read(f)
		if err != nil {
			return err
		}
		if name == "NOTICE" {
			text = append([]byte("From "+strings.TrimSuffix(info, ".dist-info")+", without documentation and most operations.\n\n"), text...)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func read(f *zip.File) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	return io.ReadAll(io.LimitReader(r, 64<<20))
}
