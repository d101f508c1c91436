package scan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/textline"
)

// vexStatus is the status of a vulnerability in a product.
type vexStatus string

// The statuses of OpenVEX.
const (
	notAffected   vexStatus = "not_affected"
	affected      vexStatus = "affected"
	fixed         vexStatus = "fixed"
	investigating vexStatus = "under_investigation"
)

// What is accepted, and its limits.
const (
	vexContext       = "https://openvex.dev/ns"
	maxVEXBytes      = 4 << 20 // bytes
	maxVEXStatements = 100_000
	maxLine          = 200 // characters of a text in an error or a note
	justifications   = "component_not_present, vulnerable_code_not_present, vulnerable_code_not_in_execute_path, vulnerable_code_cannot_be_controlled_by_adversary, inline_mitigations_already_exist"
)

// suppression is one statement about one package: for which vulnerability, in
// which package, and since when. Of several about the same, the latest applies.
type suppression struct {
	names     []string // of the vulnerability
	image     *purl    // only in this image; nil: in any
	component *purl    // only this package; nil: any in the image
	status    vexStatus
	reason    string
	timestamp time.Time
	sequence  int // in its document, for those of the same time
}

type vexDocument struct {
	Context     string          `json:"@context"`
	ID          string          `json:"@id"`
	Author      string          `json:"author"`
	Role        string          `json:"role"`
	Timestamp   *time.Time      `json:"timestamp"`
	LastUpdated *time.Time      `json:"last_updated"`
	Version     json.RawMessage `json:"version"`
	Tooling     string          `json:"tooling"`
	Supplier    string          `json:"supplier"`
	Statements  []vexStatement  `json:"statements"`
}

type vexStatement struct {
	ID              string          `json:"@id"`
	Version         json.RawMessage `json:"version"`
	Vulnerability   json.RawMessage `json:"vulnerability"` // an object; a text in older documents
	Timestamp       *time.Time      `json:"timestamp"`
	LastUpdated     *time.Time      `json:"last_updated"`
	Products        []vexProduct    `json:"products"`
	Status          vexStatus       `json:"status"`
	StatusNotes     string          `json:"status_notes"`
	Supplier        string          `json:"supplier"`
	Justification   string          `json:"justification"`
	Impact          string          `json:"impact_statement"`
	Action          string          `json:"action_statement"`
	ActionTimestamp *time.Time      `json:"action_statement_timestamp"`
}

type vexProduct struct {
	ID            string            `json:"@id"`
	Hashes        map[string]string `json:"hashes"`
	Identifiers   map[string]string `json:"identifiers"`
	Supplier      string            `json:"supplier"`
	Subcomponents []vexProduct      `json:"subcomponents"`
}

type vexVulnerability struct {
	ID          string   `json:"@id"`
	Name        string   `json:"name"`
	Description string   `json:"description"`
	Aliases     []string `json:"aliases"`
}

// parseVEX parses an OpenVEX document, strictly: an unknown key may be one that
// limits what a statement applies to. image is the scanned one.
func parseVEX(raw []byte, image delivery.Image) ([]suppression, error) {
	var doc vexDocument
	if err := decodeStrict(raw, &doc); err != nil {
		return nil, err
	}
	switch {
	case doc.Context != vexContext && !strings.HasPrefix(doc.Context, vexContext+"/"):
		return nil, fmt.Errorf("invalid @context %q (want a version of %s)", truncateLine(doc.Context), vexContext)
	case doc.Author == "":
		return nil, errors.New("author is missing")
	}
	var all []suppression
	for i, s := range doc.Statements {
		out, err := s.suppressions(doc, image)
		if err != nil {
			return nil, fmt.Errorf("statements[%d]: %w", i, err)
		}
		for k := range out {
			out[k].sequence = i
		}
		if all = append(all, out...); len(all) > maxVEXStatements {
			return nil, errors.New("too many statements")
		}
	}
	return all, nil
}

func (s vexStatement) suppressions(doc vexDocument, image delivery.Image) ([]suppression, error) {
	e := suppression{status: s.Status, reason: s.reason(), timestamp: firstTime(s.LastUpdated, s.Timestamp, doc.LastUpdated, doc.Timestamp)}
	var err error
	if e.names, err = vulnerabilityNames(s.Vulnerability); err != nil {
		return nil, err
	}
	switch s.Status {
	case notAffected:
		if s.Justification == "" && s.Impact == "" {
			return nil, errors.New("not_affected needs a justification or an impact_statement")
		}
		if s.Justification != "" && !slices.Contains(strings.Split(justifications, ", "), s.Justification) {
			return nil, fmt.Errorf("invalid justification %q (want one of %s)", truncateLine(s.Justification), justifications)
		}
	case affected, fixed, investigating:
	default:
		return nil, fmt.Errorf("invalid status %q (want not_affected, affected, fixed or under_investigation)", truncateLine(string(s.Status)))
	}
	if len(s.Products) == 0 {
		return nil, errors.New("products is empty: name the package or image the statement applies to")
	}
	var out []suppression
	for i, p := range s.Products {
		of, err := p.suppressions(e, image)
		if err != nil {
			return nil, fmt.Errorf("products[%d]: %w", i, err)
		}
		out = append(out, of...)
	}
	return out, nil
}

// suppressions returns the statements for one product: a package, or an image
// with or without subcomponents. Those for other images are left out.
func (p vexProduct) suppressions(e suppression, image delivery.Image) ([]suppression, error) {
	id, err := p.purl()
	if err != nil {
		return nil, err
	}
	if !id.isImage() {
		e.component = &id
		if len(p.Subcomponents) > 0 {
			return nil, errors.New("a package can't have subcomponents: list them as products")
		}
		return []suppression{e}, nil
	}
	if !id.names(image) {
		return nil, nil
	}
	e.image = &id
	if len(p.Subcomponents) == 0 {
		return []suppression{e}, nil
	}
	var out []suppression
	for i, sub := range p.Subcomponents {
		part, err := sub.purl()
		if err != nil {
			return nil, fmt.Errorf("subcomponents[%d]: %w", i, err)
		}
		one := e
		one.component = &part
		out = append(out, one)
	}
	return out, nil
}

func (p vexProduct) purl() (purl, error) {
	text := p.ID
	if id := p.Identifiers["purl"]; id != "" {
		text = id
	}
	if text == "" {
		return purl{}, errors.New("neither @id nor identifiers.purl is set")
	}
	return parsePURL(text)
}

// findSuppression returns the latest statement about the finding. Only
// not_affected and fixed suppress it.
func findSuppression(all []suppression, f delivery.Finding) (suppression, bool) {
	var last *suppression
	for i, e := range all {
		if !slices.ContainsFunc(e.names, f.HasID) || e.component != nil && !e.component.covers(f.PURL) {
			continue
		}
		if last == nil || e.timestamp.After(last.timestamp) || e.timestamp.Equal(last.timestamp) && e.sequence >= last.sequence {
			last = &all[i]
		}
	}
	if last == nil || last.status != notAffected && last.status != fixed {
		return suppression{}, false
	}
	return *last, true
}

func (s vexStatement) reason() string {
	var said []string
	for _, text := range []string{strings.ReplaceAll(s.Justification, "_", " "), s.Impact, s.StatusNotes} {
		if text = strings.TrimSpace(text); text != "" {
			said = append(said, text)
		}
	}
	return truncateLine(strings.Join(said, ": "))
}

func vulnerabilityNames(raw json.RawMessage) ([]string, error) {
	var v vexVulnerability
	if len(raw) == 0 || json.Unmarshal(raw, &v.Name) != nil {
		if err := decodeStrict(raw, &v); err != nil {
			return nil, fmt.Errorf("vulnerability: %w", err)
		}
	}
	name := v.Name
	if name == "" {
		name = v.ID
	}
	if strings.TrimSpace(name) == "" {
		return nil, errors.New("the vulnerability has no name")
	}
	return append([]string{name}, v.Aliases...), nil
}

func firstTime(times ...*time.Time) time.Time {
	for _, t := range times { // the most exact first
		if t != nil {
			return *t
		}
	}
	return time.Time{}
}

// decodeStrict decodes exactly one JSON document without unknown keys.
func decodeStrict(raw []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("not a valid OpenVEX document: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("unexpected data after the document")
	}
	return nil
}

// truncateLine returns s as one printable line.
func truncateLine(s string) string { return textline.Printable(s, maxLine) }
