package digest

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/slipway-cd/slipway/internal/fault"
)

// metricsNames are the names that metrics get beside a model's files: the first
// that none of the files has. A service finds them as metrics.json, unless training
// wrote a file of that name itself.
var metricsNames = []string{"metrics.json", "evaluation.json", "slipway-metrics.json"}

// MetricsName returns the name for metrics beside the files of the model in dir, or
// "" if the model has that very file already.
func MetricsName(dir string, metrics []byte) (string, error) {
	for _, name := range metricsNames {
		path := filepath.Join(dir, name)
		info, err := os.Lstat(path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return name, nil
		case err != nil:
			return "", err
		case !info.Mode().IsRegular() || info.Size() != int64(len(metrics)):
			continue
		}
		own, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		if bytes.Equal(own, metrics) {
			return "", nil
		}
	}
	return "", fault.New(fault.Invalid, "the model has files named %s with other content than the evaluation's metrics", strings.Join(metricsNames, ", ")).
		Hint("rename one of them")
}
