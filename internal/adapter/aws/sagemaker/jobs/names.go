package jobs

import (
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// maxJobName is the port's limit; SageMaker's own is 63.
const maxJobName = 128

// awsName is the job's name in SageMaker: at most 63 letters, digits and dashes. Names
// that differ have different ones.
func awsName(h port.JobHandle) (string, error) {
	name := string(h)
	if len(name) > maxJobName || strings.Contains(name, "..") || !regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`).MatchString(name) {
		return "", fault.New(fault.Invalid, "%q is not a valid job name", name).Hint("use at most 128 letters, digits and the characters . _ -")
	}
	short := strings.Trim(regexp.MustCompile(`[^A-Za-z0-9]+`).ReplaceAllString(name, "-"), "-")
	return fmt.Sprintf("slipway-%s-%s", strings.Trim(short[:min(len(short), 45)], "-"), delivery.DigestOf([]byte(name)).Hex()[:8]), nil
}

// form is how the two kinds of jobs differ for a command.
type form struct {
	training bool
	inputs   string // folder of all inputs
	message  string // file whose content SageMaker passes on
}

var (
	trainingForm   = form{true, "/opt/ml/input/data", "/opt/ml/output/failure"}
	processingForm = form{false, "/opt/ml/processing/input", "/opt/ml/output/message"}
)

// modelOutput is the output that makes a job a training job.
const modelOutput = "model"

// formOf: what writes a model is a training job, anything else a processing job.
func formOf(job port.Job) form {
	if _, ok := job.Outputs[modelOutput]; ok && len(job.Outputs) == 1 {
		return trainingForm
	}
	return processingForm
}

func (f form) output(name string) string {
	if f.training {
		return "/opt/ml/model"
	}
	return "/opt/ml/processing/output/" + name
}

// unpacked is where the script unpacks inputs.
const unpacked = "/tmp/slipway"

// mountsOf returns the paths in the container: copies of the inputs, and folders whose
// content is stored when the command has ended.
func mountsOf(job port.Job) (map[string][]string, error) {
	mounts, f := map[string][]string{}, formOf(job)
	for name, in := range job.Inputs {
		paths, err := in.Paths()
		if err != nil {
			return nil, fmt.Errorf("job %s: input %s: %w", job.Name, name, err)
		}
		mounts[name] = nil
		for i, p := range paths {
			mounts[name] = append(mounts[name], path.Join(unpacked, name, inputName(i, p)))
		}
	}
	for name, uri := range job.Outputs {
		if _, err := port.FilePath(uri); err != nil {
			return nil, fmt.Errorf("job %s: output %s: %w", job.Name, name, err)
		}
		mounts[name] = []string{f.output(name)}
	}
	return mounts, nil
}

// contentOf is the digest of what a job does: the same name with another content is
// another job. Prices are no part of it.
func contentOf(s Section, job port.Job, dir string) (delivery.Digest, error) {
	inputs := map[string]delivery.Digest{}
	for name, in := range job.Inputs {
		inputs[name] = in.Digest
	}
	s.Price = nil
	raw, err := json.Marshal(struct {
		Section Section
		Run     string
		Dir     string
		Timeout time.Duration
		Inputs  map[string]delivery.Digest
	}{s, job.Command.Run, dir, job.Command.Timeout, inputs})
	return delivery.DigestOf(raw), err
}
