package config

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
)

// Size is a number of bytes: 512Mi, 1Gi, 500M, 1048576.
type Size int64

var sizePattern = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)(Ki|Mi|Gi|Ti|k|M|G|T)?B?$`)

var sizeUnit = map[string]float64{
	"": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12,
	"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40,
}

func parseSize(text string) (Size, error) {
	m := sizePattern.FindStringSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("%q is not a valid size", text)
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if bytes := n * sizeUnit[m[2]]; err == nil && bytes < math.MaxInt64/2 {
		return Size(bytes), nil
	}
	return 0, fmt.Errorf("%q is too large", text)
}
