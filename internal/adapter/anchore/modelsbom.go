package anchore

import (
	"context"
	"crypto/sha1" //nolint:gosec // SPDXPredicate demands it of files
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// modelFile is a file of a model.
type modelFile struct {
	path string // with slashes, relative to the model's folder
	sum  string // sha256, hexadecimal
	sha1 string // which SPDXPredicate demands of files
}

// ModelSBOM writes the bills of a model. They are of our own making: the model is
// the subject, its files are its parts.
func (s *Scanner) ModelSBOM(ctx context.Context, b port.ModelSBOMRequest) (port.SBOMs, error) {
	files, err := listModelFiles(ctx, b.Files)
	if err != nil {
		return port.SBOMs{}, err
	}
	var out port.SBOMs
	if out.CycloneDX, err = writeDocument(b.Dir, cycloneFile, port.CycloneDXType, modelCyclone(b, files)); err != nil {
		return port.SBOMs{}, err
	}
	out.SPDX, err = writeDocument(b.Dir, spdxFile, port.SPDXType, modelSPDX(b, files))
	return out, err
}

// listModelFiles lists and digests the regular files, sorted by path.
func listModelFiles(ctx context.Context, dir string) ([]modelFile, error) {
	var files []modelFile
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !d.Type().IsRegular():
			return nil
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		f, err := hashFile(path)
		f.path = filepath.ToSlash(rel)
		files = append(files, f)
		return err
	})
	if err == nil && len(files) == 0 {
		err = errors.New("the folder has no files")
	}
	if err != nil && ctx.Err() == nil {
		err = fault.New(fault.NotFound, "read the model in %s", dir).Cause(err)
	}
	return files, err
}

func hashFile(path string) (modelFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return modelFile{}, err
	}
	defer f.Close()
	long, short := sha256.New(), sha1.New() //nolint:gosec // SPDXPredicate names files by it; nothing is proved with it
	_, err = io.Copy(io.MultiWriter(long, short), f)
	return modelFile{sum: hex.EncodeToString(long.Sum(nil)), sha1: hex.EncodeToString(short.Sum(nil))}, err
}

// modelCyclone is a machine-learning BOM.
func modelCyclone(b port.ModelSBOMRequest, files []modelFile) map[string]any {
	parts := make([]any, len(files))
	for i, f := range files {
		parts[i] = map[string]any{
			"type": "file", "bom-ref": "file:" + f.path, "name": f.path,
			"hashes": []any{map[string]any{"alg": "SHA-256", "content": f.sum}},
		}
	}
	model := map[string]any{"type": "machine-learning-model", "bom-ref": "model", "name": b.Model.Group}
	if b.Model.Version > 0 {
		model["version"] = strconv.Itoa(b.Model.Version)
	}
	if b.Model.Digest.Valid() {
		model["hashes"] = []any{map[string]any{"alg": "SHA-256", "content": b.Model.Digest.Hex()}}
	}
	if b.Data.Valid() {
		model["properties"] = []any{map[string]any{"name": "slipway:training-data", "value": string(b.Data)}}
	}
	return map[string]any{
		"$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json", "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
		"metadata": map[string]any{
			"component": model,
			"tools":     map[string]any{"components": []any{map[string]any{"type": "application", "name": "slipway"}}},
		},
		"components": parts,
	}
}

// modelSPDX is the same as an SPDXPredicate 2.3 package with its files.
func modelSPDX(b port.ModelSBOMRequest, files []modelFile) map[string]any {
	const subject = "SPDXRef-Package-model"
	relations := []any{relation("SPDXRef-DOCUMENT", "DESCRIBES", subject)}
	parts := make([]any, len(files))
	for i, f := range files {
		ref := fmt.Sprintf("SPDXRef-File-%d", i+1)
		parts[i] = map[string]any{
			"SPDXID": ref, "fileName": "./" + f.path, "copyrightText": "NOASSERTION", "licenseConcluded": "NOASSERTION",
			"checksums": []any{
				map[string]any{"algorithm": "SHA1", "checksumValue": f.sha1}, map[string]any{"algorithm": "SHA256", "checksumValue": f.sum},
			},
		}
		relations = append(relations, relation(subject, "CONTAINS", ref))
	}
	model := map[string]any{
		"SPDXID": subject, "name": b.Model.Group, "downloadLocation": "NOASSERTION", "filesAnalyzed": true,
		"packageVerificationCode": map[string]any{"packageVerificationCodeValue": verificationCode(files)},
		"licenseConcluded":        "NOASSERTION", "licenseDeclared": "NOASSERTION", "copyrightText": "NOASSERTION",
	}
	if b.Model.Version > 0 {
		model["versionInfo"] = strconv.Itoa(b.Model.Version)
	}
	if b.Model.Digest.Valid() {
		model["checksums"] = []any{map[string]any{"algorithm": "SHA256", "checksumValue": b.Model.Digest.Hex()}}
	}
	if b.Data.Valid() {
		model["comment"] = "trained on " + string(b.Data)
	}
	return map[string]any{
		"spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": b.Model.Group,
		"documentNamespace": spdxNamespace + "model/" + b.Model.Group + "/" + documentFingerprint(b, files),
		"creationInfo":      map[string]any{"created": spdxTime(time.Time{}), "creators": []any{"Tool: slipway"}},
		"packages":          []any{model}, "files": parts, "relationships": relations,
	}
}

// verificationCode is SPDXPredicate's code of a package: the digest of its files' digests.
func verificationCode(files []modelFile) string {
	sums := make([]string, len(files))
	for i, f := range files {
		sums[i] = f.sha1
	}
	slices.Sort(sums)
	return fmt.Sprintf("%x", sha1.Sum([]byte(strings.Join(sums, "")))) //nolint:gosec // as SPDXPredicate has it
}

func relation(from, kind, to string) map[string]any {
	return map[string]any{"spdxElementId": from, "relationshipType": kind, "relatedSpdxElement": to}
}

// documentFingerprint names the document by all that it says.
func documentFingerprint(b port.ModelSBOMRequest, files []modelFile) string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s %s %s\n", b.Model, b.Model.Digest, b.Data)
	for _, f := range files {
		fmt.Fprintf(&text, "%q %s\n", f.path, f.sum)
	}
	return fmt.Sprintf("%x", sha256.Sum256([]byte(text.String())))
}
