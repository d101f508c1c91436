package prometheus

import (
	"encoding/json"
	"errors"
	"math"
	"strconv"
)

// parseSample parses [time, "value"]. NaN is not a value.
func parseSample(sample json.RawMessage) (float64, bool, error) {
	var pair []json.RawMessage
	var text string
	if json.Unmarshal(sample, &pair) != nil || len(pair) != 2 || json.Unmarshal(pair[1], &text) != nil {
		return 0, false, errors.New("the sample is malformed")
	}
	value, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil:
		return 0, false, errors.New("the value of the sample is not a number")
	case math.IsNaN(value):
		return 0, false, nil
	}
	return value, true, nil
}
