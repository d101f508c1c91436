package attest

import (
	"os"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
	"github.com/slipway-cd/slipway/internal/provenance"
	"github.com/slipway-cd/slipway/internal/step"
)

// maxSBOMBytes is the maximum size of an SBOM that is attached.
const maxSBOMBytes = 32 << 20

// imageSBOMs returns the statements with the scan's SBOMs, if it wrote any.
func imageSBOMs(r step.Request, img delivery.Image) ([][]byte, error) {
	scan, ok, err := step.OutputOf[step.ScanOutput](r.Inputs, step.Scan)
	if err != nil || !ok || scan.SBOMs == nil {
		return nil, err
	}
	if scan.Image != img.Digest {
		return nil, fault.New(fault.Corrupt, "the scanned image is %s, but %s was pushed", scan.Image.Short(), img.Digest.Short())
	}
	return sbomStatements(provenance.ImageSubject(img), *scan.SBOMs)
}

// modelSBOMs returns those with the SBOMs of the registration, if it wrote any.
func modelSBOMs(r step.Request, ref delivery.ModelRef) ([][]byte, error) {
	reg, ok, err := step.OutputOf[step.RegisterOutput](r.Inputs, step.Register)
	if err != nil || !ok || reg.SBOMs == nil || reg.Model != ref {
		return nil, err
	}
	return sbomStatements(provenance.ModelSubject(ref), *reg.SBOMs)
}

// sbomStatements returns one statement for each format.
func sbomStatements(of provenance.ResourceDescriptor, all port.SBOMs) ([][]byte, error) {
	var out [][]byte
	for _, form := range []struct {
		kind string
		doc  port.Document
	}{{provenance.CycloneDXPredicate, all.CycloneDX}, {provenance.SPDXPredicate, all.SPDX}} {
		if form.doc.Path == "" {
			continue
		}
		raw, err := readDocument(form.doc)
		if err != nil {
			return nil, err
		}
		st, err := provenance.SBOMStatement(of, form.kind, raw)
		if err != nil {
			return nil, fault.New(fault.Corrupt, "read the SBOM %s", form.doc.Path).Cause(err)
		}
		out = append(out, st)
	}
	return out, nil
}

// readDocument returns the document, if it has not changed.
func readDocument(d port.Document) ([]byte, error) {
	info, err := os.Stat(d.Path)
	if err == nil && info.Size() > maxSBOMBytes {
		return nil, fault.New(fault.Exhausted, "the SBOM has %d MB", info.Size()>>20)
	}
	var raw []byte
	if err == nil {
		raw, err = os.ReadFile(d.Path)
	}
	if err != nil {
		return nil, fault.New(fault.NotFound, "read the SBOM").Cause(err).Hint("run again: the SBOM is regenerated")
	}
	if got := delivery.DigestOf(raw); got != d.Digest {
		return nil, fault.New(fault.Corrupt, "the SBOM %s has changed since it was written", d.Path)
	}
	return raw, nil
}
