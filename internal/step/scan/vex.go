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
)

// vexStatus is what a statement says of a vulnerability in a product.
type vexStatus string

// The statuses of OpenVEX.
const (
	notAffected   vexStatus = "not_affected"
	affected      vexStatus = "affected"
	fixed         vexStatus = "fixed"
	investigating vexStatus = "under_investigation"
)

// The forms that are read, and how much of them.
const (
	vexContext   = "https://openvex.dev/ns"
	mostVEX      = 4 << 20 // bytes
	mostExcuses  = 100_000
	justifyNames = "component_not_present, vulnerable_code_not_present, vulnerable_code_not_in_execute_path, vulnerable_code_cannot_be_controlled_by_adversary, inline_mitigations_already_exist"
)

// excuse is one statement about one package: it says for which vulnerability, in
// which package, and since when. Of several about the same, the latest counts.
type excuse struct {
	names    []string // of the vulnerability
	image    *purl    // only in this image; nil: in any
	part     *purl    // only this package; nil: any in the image
	status   vexStatus
	why      string
	when     time.Time
	sequence int // in its document, for those of the same time
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

// parseVEX reads an OpenVEX document, strictly: a key that is not known may be
// the one that limits what a statement is about. image is what is scanned.
func parseVEX(raw []byte, image delivery.Image) ([]excuse, error) {
	var doc vexDocument
	if err := strict(raw, &doc); err != nil {
		return nil, err
	}
	switch {
	case doc.Context != vexContext && !strings.HasPrefix(doc.Context, vexContext+"/"):
		return nil, fmt.Errorf("its @context is %q, and not below %s", brief(doc.Context), vexContext)
	case doc.Author == "":
		return nil, errors.New("it has no author")
	}
	var all []excuse
	for i, s := range doc.Statements {
		out, err := s.excuses(doc, image)
		if err != nil {
			return nil, fmt.Errorf("statements[%d]: %w", i, err)
		}
		for k := range out {
			out[k].sequence = i
		}
		if all = append(all, out...); len(all) > mostExcuses {
			return nil, errors.New("it has too many statements")
		}
	}
	return all, nil
}

func (s vexStatement) excuses(doc vexDocument, image delivery.Image) ([]excuse, error) {
	e := excuse{status: s.Status, why: s.reason(), when: latest(s.LastUpdated, s.Timestamp, doc.LastUpdated, doc.Timestamp)}
	var err error
	if e.names, err = vulnerability(s.Vulnerability); err != nil {
		return nil, err
	}
	switch s.Status {
	case notAffected:
		if s.Justification == "" && s.Impact == "" {
			return nil, errors.New("not_affected needs a justification or an impact_statement")
		}
		if s.Justification != "" && !slices.Contains(strings.Split(justifyNames, ", "), s.Justification) {
			return nil, fmt.Errorf("the justification %q is none of %s", brief(s.Justification), justifyNames)
		}
	case affected, fixed, investigating:
	default:
		return nil, fmt.Errorf("the status %q is none of not_affected, affected, fixed, under_investigation", brief(string(s.Status)))
	}
	if len(s.Products) == 0 {
		return nil, errors.New("it names no product: say which package or image it is about")
	}
	var out []excuse
	for i, p := range s.Products {
		of, err := p.about(e, image)
		if err != nil {
			return nil, fmt.Errorf("products[%d]: %w", i, err)
		}
		out = append(out, of...)
	}
	return out, nil
}

// about makes excuses for one product: a package, or an image with or without
// the parts of it that are meant. Another image's are none of ours.
func (p vexProduct) about(e excuse, image delivery.Image) ([]excuse, error) {
	id, err := p.purl()
	if err != nil {
		return nil, err
	}
	if !id.isImage() {
		e.part = &id
		if len(p.Subcomponents) > 0 {
			return nil, errors.New("a package with subcomponents: name the subcomponents as products")
		}
		return []excuse{e}, nil
	}
	if !id.names(image) {
		return nil, nil
	}
	e.image = &id
	if len(p.Subcomponents) == 0 {
		return []excuse{e}, nil
	}
	var out []excuse
	for i, sub := range p.Subcomponents {
		part, err := sub.purl()
		if err != nil {
			return nil, fmt.Errorf("subcomponents[%d]: %w", i, err)
		}
		one := e
		one.part = &part
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
		return purl{}, errors.New("it has neither @id nor identifiers.purl")
	}
	return parsePURL(text)
}

// excused finds the latest statement about the finding. Only not_affected and
// fixed let it pass.
func excused(all []excuse, f delivery.Finding) (excuse, bool) {
	var last *excuse
	for i, e := range all {
		if !slices.ContainsFunc(e.names, f.HasID) || e.part != nil && !e.part.covers(f.PURL) {
			continue
		}
		if last == nil || e.when.After(last.when) || e.when.Equal(last.when) && e.sequence >= last.sequence {
			last = &all[i]
		}
	}
	if last == nil || last.status != notAffected && last.status != fixed {
		return excuse{}, false
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
	return brief(strings.Join(said, ": "))
}

func vulnerability(raw json.RawMessage) ([]string, error) {
	var v vexVulnerability
	if len(raw) == 0 || json.Unmarshal(raw, &v.Name) != nil {
		if err := strict(raw, &v); err != nil {
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

func latest(times ...*time.Time) time.Time {
	for _, t := range times { // the most exact first
		if t != nil {
			return *t
		}
	}
	return time.Time{}
}

// strict reads exactly one JSON document without unknown keys.
func strict(raw []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("it is no OpenVEX: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the document")
	}
	return nil
}

// brief is one line of at most 200 bytes.
func brief(s string) string {
	const most = 200
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}
