package anchore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/anchore/syft/syft/format/cyclonedxjson"
	"github.com/anchore/syft/syft/format/spdxjson"
	"github.com/anchore/syft/syft/sbom"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// The files of the bills, and the names that they have in themselves.
const (
	cycloneFile   = "bom.cdx.json"
	spdxFile      = "bom.spdx.json"
	spdxNamespace = "https://slipway-cd.github.io/slipway/spdx/"
)

// ImageSBOM writes the bills of the image. One of several platforms has one bill,
// with the packages of all of them.
func (s *Scanner) ImageSBOM(ctx context.Context, b port.ImageSBOMRequest) (port.SBOMs, error) {
	platforms, err := platforms(b.Layout, b.Image.Digest)
	if err != nil {
		return port.SBOMs{}, err
	}
	var list *sbom.SBOM
	for _, p := range platforms {
		one, err := s.packages(ctx, p, b.Image, b.Dir)
		if err != nil {
			return port.SBOMs{}, err
		}
		list = mergeSBOMs(list, one)
	}
	config, err := platforms[0].image.ConfigFile()
	if err != nil {
		return port.SBOMs{}, corruptImage(b.Layout, err)
	}
	return writeSBOMs(b.Dir, list, documentIdentity{name: "image/" + b.Image.Digest.Hex(), created: config.Created.Time})
}

// mergeSBOMs is both lists in one.
func mergeSBOMs(a, b *sbom.SBOM) *sbom.SBOM {
	if a == nil {
		return b
	}
	a.Artifacts.Packages.Add(b.Artifacts.Packages.Sorted()...)
	a.Relationships = append(a.Relationships, b.Relationships...)
	for at, m := range b.Artifacts.FileMetadata {
		a.Artifacts.FileMetadata[at] = m
	}
	for at, d := range b.Artifacts.FileDigests {
		a.Artifacts.FileDigests[at] = d
	}
	return a
}

// documentIdentity is what a document is called, and when its subject was made.
type documentIdentity struct {
	name    string // a path that is like no other's
	created time.Time
}

func writeSBOMs(dir string, list *sbom.SBOM, id documentIdentity) (port.SBOMs, error) {
	cyclone, err := cyclonedxjson.NewFormatEncoderWithConfig(cyclonedxjson.DefaultEncoderConfig())
	if err != nil {
		return port.SBOMs{}, fmt.Errorf("prepare CycloneDX: %w", err)
	}
	spdx, err := spdxjson.NewFormatEncoderWithConfig(spdxjson.DefaultEncoderConfig())
	if err != nil {
		return port.SBOMs{}, fmt.Errorf("prepare SPDX: %w", err)
	}
	var out port.SBOMs
	if out.CycloneDX, err = encodeDocument(dir, cycloneFile, port.CycloneDXType, cyclone, list, normalizeCycloneDX); err != nil {
		return port.SBOMs{}, err
	}
	out.SPDX, err = encodeDocument(dir, spdxFile, port.SPDXType, spdx, list, func(doc map[string]any) { normalizeSPDX(doc, id) })
	return out, err
}

// encodeDocument writes one form of the list, without what is new each time.
func encodeDocument(dir, name, kind string, enc sbom.FormatEncoder, list *sbom.SBOM, still func(map[string]any)) (port.Document, error) {
	var raw bytes.Buffer
	if err := enc.Encode(&raw, *list); err != nil {
		return port.Document{}, fault.New(fault.Internal, "write %s", name).Cause(err)
	}
	var doc map[string]any
	d := json.NewDecoder(&raw)
	d.UseNumber()
	if err := d.Decode(&doc); err != nil {
		return port.Document{}, fault.New(fault.Internal, "write %s", name).Cause(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return port.Document{}, fault.New(fault.Internal, "write %s: unexpected data after the document", name)
	}
	still(doc)
	return writeDocument(dir, name, kind, doc)
}

func writeDocument(dir, name, kind string, doc any) (port.Document, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out) // keys of maps come out sorted
	enc.SetEscapeHTML(false)
	if err := enc.Encode(doc); err != nil {
		return port.Document{}, fault.New(fault.Internal, "write %s", name).Cause(err)
	}
	path := filepath.Join(dir, name)
	if err := writeFile(path, out.Bytes()); err != nil {
		return port.Document{}, err
	}
	sum := delivery.Digest(fmt.Sprintf("sha256:%x", sha256.Sum256(out.Bytes())))
	return port.Document{Type: kind, Path: path, Digest: sum, Size: int64(out.Len())}, nil
}

// normalizeCycloneDX takes out the random number and the time, which the form leaves
// to whoever writes it.
func normalizeCycloneDX(doc map[string]any) {
	delete(doc, "serialNumber")
	if meta, ok := doc["metadata"].(map[string]any); ok {
		delete(meta, "timestamp")
	}
}

// normalizeSPDX gives the document a name and a time that follow from its subject:
// the form demands both.
func normalizeSPDX(doc map[string]any, id documentIdentity) {
	doc["documentNamespace"] = spdxNamespace + id.name
	if info, ok := doc["creationInfo"].(map[string]any); ok {
		info["created"] = spdxTime(id.created)
	}
}

// spdxTime is a time as SPDXPredicate has it; none is the first one.
func spdxTime(t time.Time) string {
	if t.IsZero() {
		t = time.Unix(0, 0)
	}
	return t.UTC().Format("2006-01-02T15:04:05Z")
}
