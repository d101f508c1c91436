package scaffold

import (
	"encoding/json"
	"fmt"
	"math"
	"path"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
)

var (
	metricPattern = regexp.MustCompile(`["'](accuracy|f1_macro|f1_score|f1|auc|roc_auc|rmse|mae|r2)["',:\]]`)
	lowerIsBetter = []string{"rmse", "mae"}
)

const maxGateMetrics = 2

// proposeGates proposes one threshold per metric that a program names, and one
// comparison with the deployed model.
func (s *repoInfo) proposeGates(source []byte) {
	var metrics []string
	for _, text := range [][]byte{source, s.allSources} {
		for _, m := range metricPattern.FindAllSubmatch(text, -1) {
			if n := string(m[1]); !slices.Contains(metrics, n) {
				metrics = append(metrics, n)
			}
		}
		if len(metrics) > 0 {
			break
		}
	}
	sort.Strings(metrics)
	for i, m := range metrics {
		if i == maxGateMetrics {
			break
		}
		if slices.Contains(lowerIsBetter, m) {
			s.Gates = append(s.Gates, m+" <= champion."+m+" * 1.01")
			continue
		}
		s.Gates = append(s.Gates, m+" >= 0.8", m+" >= champion."+m+" - 0.01")
	}
	if len(s.Gates) == 0 {
		s.Gates = []string{"accuracy >= 0.8 # name a metric that evaluation writes"}
	}
}

// gatesOfFile replaces the proposal by one for the metrics in a file of that name, if
// the repository has one: it says where in the document they are, and how good they
// were.
func (s *repoInfo) gatesOfFile(name string) {
	i := slices.IndexFunc(s.repo.files, func(f string) bool { return path.Base(f) == name })
	if i < 0 {
		return
	}
	var doc map[string]any
	if json.Unmarshal([]byte(s.repo.text(s.repo.files[i])), &doc) != nil {
		return
	}
	for _, metric := range []string{"accuracy", "f1_macro", "f1_score", "f1", "roc_auc", "auc", "r2"} {
		at, value, ok := findMetric(doc, metric, "", 0)
		if !ok {
			continue
		}
		floor := math.Floor(value*95) / 100
		if value >= 0.8 {
			floor = 0.8
		}
		s.Gates = []string{
			fmt.Sprintf("%s >= %s", at, strconv.FormatFloat(floor, 'f', -1, 64)),
			fmt.Sprintf("%s >= champion.%s - 0.01", at, at),
		}
		s.GatesAt = s.repo.files[i]
		return
	}
}

const maxMetricDepth = 3

var plainMetric = regexp.MustCompile(`^[a-z_][a-z0-9_]*$`)

// findMetric finds a number by its name in a document, and its path there.
func findMetric(doc map[string]any, name, prefix string, depth int) (at string, value float64, ok bool) {
	if v, found := doc[name].(float64); found {
		return prefix + name, v, true
	}
	if depth == maxMetricDepth {
		return "", 0, false
	}
	for _, key := range sortedKeys(doc) {
		nested, isMap := doc[key].(map[string]any)
		if !isMap || !plainMetric.MatchString(key) || strings.Contains(key, "class") {
			continue
		}
		if at, value, ok = findMetric(nested, name, prefix+key+".", depth+1); ok {
			return at, value, ok
		}
	}
	return "", 0, false
}
