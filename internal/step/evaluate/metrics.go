package evaluate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strings"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
)

// Limits for a metrics file.
const (
	mostMetrics = 4 << 20 // bytes
	mostDepth   = 32
)

// readMetrics reads what the evaluation wrote. Everything that is not one plain
// JSON object is fault.Unavailable: there is nothing to ask gates about.
func readMetrics(path string) (delivery.Metrics, error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fault.New(fault.Unavailable, "the evaluation wrote no metrics").
			Hint("let the command write a JSON object to {{.Metrics}}")
	case err != nil:
		return nil, fault.New(fault.Unavailable, "read the metrics").Cause(err)
	case !info.Mode().IsRegular():
		return nil, fault.New(fault.Unavailable, "the metrics are not a plain file")
	case info.Size() > mostMetrics:
		return nil, fault.New(fault.Unavailable, "the metrics have %d bytes, more than %d", info.Size(), mostMetrics)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "read the metrics").Cause(err)
	}
	m, err := parseMetrics(raw)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "the metrics are no plain JSON object").Hint("%s", hint(raw)).Cause(err)
	}
	return m, nil
}

var noNumber = regexp.MustCompile(`[:\[,]\s*-?(NaN|Infinity|inf|nan)\b`)

func hint(raw []byte) string {
	if noNumber.Match(raw) {
		return "NaN and Infinity are no JSON: the evaluation divided by zero, or by an empty set; write null, or mend it"
	}
	return "write one JSON object of numbers to {{.Metrics}}"
}

// parseMetrics is strict: one object, no name twice, no number that a float64
// can't hold, nothing after it.
func parseMetrics(raw []byte) (delivery.Metrics, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	v, err := value(dec, 0)
	if err != nil {
		return nil, err
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("it is not an object")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the object")
	}
	return m, nil
}

func value(dec *json.Decoder, depth int) (any, error) {
	if depth > mostDepth {
		return nil, fmt.Errorf("it is nested more than %d deep", mostDepth)
	}
	tok, err := dec.Token()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("it ends too early")
	}
	if err != nil {
		return nil, err
	}
	switch tok {
	case json.Delim('{'):
		return object(dec, depth)
	case json.Delim('['):
		return array(dec, depth)
	}
	return tok, nil
}

func object(dec *json.Decoder, depth int) (any, error) {
	m := map[string]any{}
	for dec.More() {
		tok, err := dec.Token()
		if err != nil {
			return nil, err
		}
		name, ok := tok.(string)
		if !ok {
			return nil, fmt.Errorf("%v is no name", tok)
		}
		if _, twice := m[name]; twice {
			return nil, fmt.Errorf("%q is there twice", name)
		}
		if m[name], err = value(dec, depth+1); err != nil {
			return nil, err
		}
	}
	return m, end(dec)
}

func array(dec *json.Decoder, depth int) (any, error) {
	list := []any{}
	for dec.More() {
		v, err := value(dec, depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, end(dec)
}

func end(dec *json.Decoder) error {
	_, err := dec.Token()
	if errors.Is(err, io.EOF) {
		return errors.New("it ends too early")
	}
	return err
}

// rows says what is wrong with the number of rows that were evaluated, or "".
// name may lead into nested metrics: "test.rows". Without a name, "rows" is
// looked at if it is there.
func rows(m delivery.Metrics, name string) string {
	asked := name != ""
	if !asked {
		name = "rows"
	}
	v, ok := lookUp(m, name)
	if !ok {
		if asked {
			return fmt.Sprintf("the metrics lack %q, which counts the rows", name)
		}
		return ""
	}
	n, ok := v.(float64)
	switch {
	case !ok:
		return fmt.Sprintf("the number of rows (%s) is no number: %v", name, v)
	case n == 0:
		return fmt.Sprintf("zero rows were evaluated (%s = 0): the numbers mean nothing", name)
	case n < 0:
		return fmt.Sprintf("the number of rows is negative (%s = %v)", name, n)
	}
	return ""
}

func lookUp(m delivery.Metrics, name string) (any, bool) {
	if v, ok := m[name]; ok {
		return v, true
	}
	var v any = map[string]any(m)
	for part := range strings.SplitSeq(name, ".") {
		inner, ok := v.(map[string]any)
		if !ok {
			return nil, false
		}
		if v, ok = inner[part]; !ok {
			return nil, false
		}
	}
	return v, true
}
