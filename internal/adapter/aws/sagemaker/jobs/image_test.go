package jobs

import (
	"strings"
	"testing"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port/porttest"
)

// Complaint 2 of peers' users: an image that SageMaker does not take is refused before
// anything is stored or made, by whatever it is named.
func TestComplaint2_ImageBeforeTraining(t *testing.T) {
	const repository, oci, index = "mlops/train", "application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.index.v1+json"
	for name, tt := range map[string]struct {
		form, reference string
		kind            fault.Kind // empty: it is taken
		hint            string
	}{
		"docker, by tag":      {dockerManifest, ":1.4", "", ""},
		"docker, by digest":   {dockerManifest, "@", "", ""},
		"docker, without tag": {dockerManifest, "", fault.NotFound, "on.sagemaker.image"},
		"oci, by tag":         {oci, ":1.4", fault.Invalid, "oci-mediatypes=false"},
		"oci, by digest":      {oci, "@", fault.Invalid, "schema 2"},
		"index":               {index, ":1.4", fault.Invalid, "schema 2"},
		"absent":              {dockerManifest, ":1.5", fault.NotFound, "push it"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			digest := string(delivery.DigestOf([]byte(name)))
			l.AddRepository(awstest.Repository{Name: repository})
			l.PutImage(repository, awstest.Image{Digest: digest, MediaType: tt.form, Tags: []string{"1.4"}})
			if l.section.Image = l.RegistryHost() + "/" + repository + tt.reference; tt.reference == "@" {
				l.section.Image += digest
			}
			_, err := l.open().Submit(t.Context(), l.sample("true"))
			made := l.Count("sagemaker", "CreateTrainingJob") + l.Count("s3", "PutObject")
			if tt.kind == "" {
				if err != nil || made == 0 {
					t.Errorf("%d things were made, %v", made, err)
				}
				return
			}
			if !fault.Is(err, tt.kind) || !strings.Contains(fault.HintOf(err), tt.hint) || !strings.Contains(err.Error(), l.section.Image) || made != 0 {
				t.Errorf("%v (%s), %d things were made, want %s", err, fault.HintOf(err), made, tt.kind)
			}
		})
	}
}

// Who may train but not look at images trains, and reads why the format is not known.
func TestJobs_ImageNotToBeSeen(t *testing.T) {
	l := newLab(t)
	l.section.Image = l.RegistryHost() + "/mlops/train:1.4"
	l.AddRepository(awstest.Repository{Name: "mlops/train"})
	l.PutImage("mlops/train", awstest.Image{Digest: "sha256:" + strings.Repeat("1", 64), MediaType: dockerManifest, Tags: []string{"1.4"}})
	l.Inject(func(call *awstest.Call) awstest.Fault {
		if call.Operation.Name == "DescribeImages" {
			return awstest.Denied
		}
		return awstest.NoFault
	})
	j := l.open()
	h := l.submit(j, l.sample("true"))
	if log := porttest.JobLog(t, j, h, 0); !strings.Contains(log, "whether SageMaker takes its format is not known") {
		t.Errorf("log %q", log)
	}
}
