package jobrunner

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/slipway-cd/slipway/internal/adapter/kubernetes/labels"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// Names in the pod and of the Job. They are stored in the cluster.
const (
	receiver  = "receive" // the init container that waits for the inputs
	command   = "command"
	keeper    = "outputs" // keeps the outputs until they are fetched
	volume    = "slipway"
	sharedMem = "shm"

	jobLabel          = "slipway.dev/job"     // of Job and pods: the Job's name
	outputsAnnotation = "slipway.dev/outputs" // where the outputs go, by name, as JSON
	endedAnnotation   = "slipway.dev/ended"   // why it was ended before its command had, as JSON
)

// Times of a Job.
const (
	defaultTimeout = 24 * time.Hour
	holdTime       = 24 * time.Hour // for which outputs are kept for who fetches them
	finishedTime   = 24 * time.Hour // for which a finished Job is kept
	maxPending     = 30 * time.Minute
	maxJobName     = 128
)

var (
	jobName   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)
	notInName = regexp.MustCompile(`[^a-z0-9]+`)
)

// objectName is the Job's name in the cluster.
func objectName(h port.JobHandle) (string, error) {
	name := string(h)
	if !jobName.MatchString(name) || len(name) > maxJobName || strings.Contains(name, "..") {
		return "", fault.New(fault.Invalid, "%q is not a valid job name", name).Hint("use at most 128 letters, digits and the characters . _ -")
	}
	short := strings.Trim(notInName.ReplaceAllString(strings.ToLower(name), "-"), "-")
	return fmt.Sprintf("slipway-%s-%s", strings.Trim(short[:min(len(short), 40)], "-"), delivery.DigestOf([]byte(name)).Hex()[:8]), nil
}

// receiveScript waits for the inputs, which are moved into place at once, whoever sends
// them first.
const receiveScript = `until [ -d ` + inputDir + ` ]; do sleep 0.2 2>/dev/null || sleep 1; done`

// sendScript unpacks inputs, unless others came first.
const sendScript = `d=$(mktemp -d ` + volumeDir + `/.in.XXXXXX) && tar -xof - -C "$d" && { mv -T "$d" ` + inputDir + ` 2>/dev/null || rm -rf "$d"; } && test -d ` + inputDir

// keepScript ends when the outputs were fetched, or have been kept for long enough.
const keepScript = `n=0
until [ -e ` + volumeDir + `/.fetched ]; do
  sleep 1
  if [ -e ` + volumeDir + `/.done ]; then n=$((n+1)); fi
  if [ $n -gt %d ]; then echo "the outputs were not fetched" >&2; exit 1; fi
done`

// fetchScript writes the outputs as an archive.
const fetchScript = `tar -cf - -C ` + outputDir + ` .`

// commandScript runs the command of the inputs.
func commandScript(dir string, outputs []string) string {
	var out strings.Builder
	for _, name := range outputs {
		fmt.Fprintf(&out, "mkdir -p '%s/%s' || exit 126\n", outputDir, name)
	}
	fmt.Fprintf(&out, "cd '%s' || exit 126\n", strings.ReplaceAll(dir, "'", `'\''`))
	fmt.Fprintf(&out, ". %s/%s\nsh -c \"$(cat %s/%s)\"\ncode=$?\n: > %s/.done\nexit $code\n", inputDir, envFile, inputDir, runFile, volumeDir)
	return out.String()
}

// newJob is the Job in the cluster. Its annotation labels.Content is the digest of what it
// does: the same name with another content is another job.
func newJob(s Section, job port.Job) (*batchv1.Job, error) {
	name, err := objectName(port.JobHandle(job.Name))
	if err != nil {
		return nil, err
	}
	dir, err := workDir(job)
	if err != nil {
		return nil, err
	}
	content, err := contentOf(s, job, dir)
	if err != nil {
		return nil, err
	}
	outputs, err := json.Marshal(job.Outputs)
	if err != nil {
		return nil, err
	}
	timeout := job.Command.Timeout
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	deadline, kept, once := int64((timeout + maxPending + holdTime).Seconds()), int32(finishedTime.Seconds()), int32(0)
	own := map[string]string{labels.ManagedBy: labels.Manager, jobLabel: name}
	return &batchv1.Job{
		TypeMeta:   metav1.TypeMeta{APIVersion: "batch/v1", Kind: "Job"},
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: own, Annotations: map[string]string{labels.Content: string(content), outputsAnnotation: string(outputs)}},
		Spec: batchv1.JobSpec{
			BackoffLimit: &once, ActiveDeadlineSeconds: &deadline, TTLSecondsAfterFinished: &kept,
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: own}, Spec: podSpec(s, job, dir)},
		},
	}, nil
}

// podSpec is a pod that has no rights in the cluster.
func podSpec(s Section, job port.Job, dir string) corev1.PodSpec {
	var outputs []string
	for name := range job.Outputs {
		outputs = append(outputs, name)
	}
	slices.Sort(outputs)
	no, grace := false, int64(5)
	small := corev1.ResourceRequirements{Requests: corev1.ResourceList{"cpu": resource.MustParse("10m"), "memory": resource.MustParse("32Mi")}}
	spec := corev1.PodSpec{
		RestartPolicy: corev1.RestartPolicyNever, AutomountServiceAccountToken: &no, EnableServiceLinks: &no, TerminationGracePeriodSeconds: &grace,
		NodeSelector:    s.NodeSelector,
		SecurityContext: &corev1.PodSecurityContext{SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}},
		InitContainers:  []corev1.Container{container(s, receiver, receiveScript, small)},
		Containers: []corev1.Container{
			container(s, command, commandScript(dir, outputs), resources(s)),
			container(s, keeper, fmt.Sprintf(keepScript, int(holdTime.Seconds())), small),
		},
		Volumes: []corev1.Volume{
			{Name: volume, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
			{Name: sharedMem, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMediumMemory}}},
		},
	}
	if s.PullSecret != "" {
		spec.ImagePullSecrets = []corev1.LocalObjectReference{{Name: s.PullSecret}}
	}
	return spec
}

func container(s Section, name, script string, needs corev1.ResourceRequirements) corev1.Container {
	no := false
	return corev1.Container{
		Name: name, Image: s.Image, Command: []string{"sh", "-c", script}, Resources: needs,
		VolumeMounts:    []corev1.VolumeMount{{Name: volume, MountPath: volumeDir}, {Name: sharedMem, MountPath: "/dev/shm"}},
		SecurityContext: &corev1.SecurityContext{AllowPrivilegeEscalation: &no, Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}},
	}
}

// resources are the section's: requests equal limits, so that what was promised is there.
func resources(s Section) corev1.ResourceRequirements {
	list := corev1.ResourceList{}
	for name, text := range map[corev1.ResourceName]string{"cpu": s.CPU, "memory": s.Memory} {
		if q, err := resource.ParseQuantity(text); text != "" && err == nil { // the file was checked
			list[name] = q
		}
	}
	if s.GPU > 0 {
		list["nvidia.com/gpu"] = *resource.NewQuantity(int64(s.GPU), resource.DecimalSI)
	}
	return corev1.ResourceRequirements{Requests: list, Limits: list}
}

func contentOf(s Section, job port.Job, dir string) (delivery.Digest, error) {
	inputs := map[string]delivery.Digest{}
	for name, in := range job.Inputs {
		inputs[name] = in.Digest
	}
	raw, err := json.Marshal(struct {
		Section Section
		Run     string
		Dir     string
		Timeout time.Duration
		Inputs  map[string]delivery.Digest
	}{s, job.Command.Run, dir, job.Command.Timeout, inputs})
	return delivery.DigestOf(raw), err
}
