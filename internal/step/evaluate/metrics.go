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
	maxMetricsBytes = 4 << 20 // bytes
	maxDepth        = 32
)

// readMetrics reads the metrics file. Anything but one plain JSON object is
// fault.Unavailable: the gates can't be evaluated.
func readMetrics(path string) (delivery.Metrics, error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fault.New(fault.Unavailable, "the evaluation wrote no metrics").
			Hint("make the command write a JSON object to {{.Metrics}}")
	case err != nil:
		return nil, fault.New(fault.Unavailable, "read the metrics").Cause(err)
	case !info.Mode().IsRegular():
		return nil, fault.New(fault.Unavailable, "the metrics are not a regular file")
	case info.Size() > maxMetricsBytes:
		return nil, fault.New(fault.Unavailable, "the metrics have %d bytes, more than %d", info.Size(), maxMetricsBytes)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "read the metrics").Cause(err)
	}
	m, err := parseMetrics(raw)
	if err != nil {
		return nil, fault.New(fault.Unavailable, "the metrics are not a valid JSON object").Hint("%s", metricsHint(raw)).Cause(err)
	}
	return m, nil
}

var invalidNumber = regexp.MustCompile(`[:\[,]\s*-?(NaN|Infinity|inf|nan)\b`)

func metricsHint(raw []byte) string {
	if invalidNumber.Match(raw) {
		return "NaN and Infinity are not valid JSON: the evaluation divided by zero, or by an empty set; fix it, or write null"
	}
	return "write one JSON object of numbers to {{.Metrics}}"
}

// parseMetrics is strict: one object, no name twice, no number that a float64
// can't hold, nothing after it.
func parseMetrics(raw []byte) (delivery.Metrics, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	v, err := decodeValue(dec, 0)
	if err != nil {
		return nil, err
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("it is not an object")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("unexpected data after the object")
	}
	return m, nil
}

func decodeValue(dec *json.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("it is nested more than %d levels deep", maxDepth)
	}
	tok, err := dec.Token()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("unexpected end of file")
	}
	if err != nil {
		return nil, err
	}
	switch tok {
	case json.Delim('{'):
		return decodeObject(dec, depth)
	case json.Delim('['):
		return decodeArray(dec, depth)
	}
	return tok, nil
}

func decodeObject(dec *json.Decoder, depth int) (any, error) {
	m := map[string]any{}
	for dec.More() {
		tok, err := dec.Token()
		if err != nil {
			return nil, err
		}
		name, ok := tok.(string)
		if !ok {
			return nil, fmt.Errorf("%v is not a name", tok)
		}
		if _, twice := m[name]; twice {
			return nil, fmt.Errorf("duplicate name %q", name)
		}
		if m[name], err = decodeValue(dec, depth+1); err != nil {
			return nil, err
		}
	}
	return m, closeDelimiter(dec)
}

func decodeArray(dec *json.Decoder, depth int) (any, error) {
	list := []any{}
	for dec.More() {
		v, err := decodeValue(dec, depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, closeDelimiter(dec)
}

func closeDelimiter(dec *json.Decoder) error {
	_, err := dec.Token()
	if errors.Is(err, io.EOF) {
		return errors.New("unexpected end of file")
	}
	return err
}

// checkRows returns what is wrong with the number of evaluated rows, or "". name
// may be a path into nested metrics: "test.rows". Without a name, "rows" is
// checked if it exists.
func checkRows(m delivery.Metrics, name string) string {
	explicit := name != ""
	if !explicit {
		name = "rows"
	}
	v, ok := lookup(m, name)
	if !ok {
		if explicit {
			return fmt.Sprintf("the metrics have no %q, which is the row count", name)
		}
		return ""
	}
	n, ok := v.(float64)
	switch {
	case !ok:
		return fmt.Sprintf("the number of rows (%s) is not a number: %v", name, v)
	case n == 0:
		return fmt.Sprintf("zero rows were evaluated (%s = 0): the metrics are meaningless", name)
	case n < 0:
		return fmt.Sprintf("the number of rows is negative (%s = %v)", name, n)
	}
	return ""
}

func lookup(m delivery.Metrics, name string) (any, bool) {
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
