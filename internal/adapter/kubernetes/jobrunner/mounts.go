package jobrunner

import (
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Folders of the pod's volume.
const (
	volumeDir = "/slipway"
	inputDir  = volumeDir + "/in"
	outputDir = volumeDir + "/out"
)

// mountsOf returns the paths in the pod: copies of the inputs, and folders whose content is
// fetched when the command has ended.
func mountsOf(job port.Job) (map[string][]string, error) {
	mounts := map[string][]string{}
	for name, in := range job.Inputs {
		paths, err := in.Paths()
		if err != nil {
			return nil, fmt.Errorf("job %s: input %s: %w", job.Name, name, err)
		}
		mounts[name] = nil
		for i, p := range paths {
			mounts[name] = append(mounts[name], path.Join(inputDir, inputName(name, i, p)))
		}
	}
	for name, uri := range job.Outputs {
		if _, err := port.FilePath(uri); err != nil {
			return nil, fmt.Errorf("job %s: output %s: %w", job.Name, name, err)
		}
		mounts[name] = []string{path.Join(outputDir, name)}
	}
	return mounts, nil
}

// inputName is where the i-th path of an input is below inputDir.
func inputName(name string, i int, local string) string {
	return path.Join(name, strconv.Itoa(i), filepath.Base(local))
}

// workDir returns the folder of the command in the pod: it is part of an input, or one.
func workDir(job port.Job) (string, error) {
	for name, in := range job.Inputs {
		paths, err := in.Paths()
		if err != nil {
			return "", err
		}
		for i, p := range paths {
			rel, err := filepath.Rel(p, job.Command.Dir)
			if err == nil && filepath.IsLocal(rel) {
				return path.Join(inputDir, inputName(name, i, p), filepath.ToSlash(rel)), nil
			}
		}
	}
	return "", fault.New(fault.Invalid, "job %s: the folder %s is part of no input, so the pod would not have it", job.Name, job.Command.Dir)
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// envScript sets the variables of a command. It is copied into the pod and stored nowhere
// else: the values may be secrets, and everybody who may look at a Job reads its object.
func envScript(env []string) string {
	var out strings.Builder
	for _, kv := range env {
		name, value, ok := strings.Cut(kv, "=")
		if ok && variableName.MatchString(name) {
			fmt.Fprintf(&out, "export %s='%s'\n", name, strings.ReplaceAll(value, "'", `'\''`))
		}
	}
	return out.String()
}
