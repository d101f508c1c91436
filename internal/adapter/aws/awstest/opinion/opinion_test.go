package opinion_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest"
	"github.com/slipway-cd/slipway/internal/adapter/aws/awstest/opinion"
)

// pythonVariable names the Python that the other programs are installed for: see `make
// aws-opinions`.
const pythonVariable = "SLIPWAY_AWS_OPINIONS"

func python(t *testing.T) string {
	t.Helper()
	p := os.Getenv(pythonVariable)
	if p == "" {
		t.Skipf("$%s is not set: `make aws-opinions` runs this test", pythonVariable)
	}
	return p
}

func newIssuer(t *testing.T) *awstest.Issuer {
	t.Helper()
	issuer, err := awstest.NewIssuer(github)
	if err != nil {
		t.Fatal(err)
	}
	return issuer
}

// do does all steps but those named, and returns what was answered in each.
func do(t *testing.T, w *world, but ...string) [][]opinion.Answer {
	t.Helper()
	all := make([][]opinion.Answer, len(steps))
	for i, s := range steps {
		if slices.Contains(but, s.name) {
			continue
		}
		begun := time.Now()
		err := s.do(t.Context(), w)
		all[i] = w.client.Take()
		t.Logf("%s: %d calls in %.1f s, error = %v", s.name, len(all[i]), time.Since(begun).Seconds(), err)
	}
	return all
}

// TestAWS_Opinions does with moto and ministack what Slipway does with AWS, by the same
// code, and compares the answers with those of the AWS of the tests. How they differ is
// in the list of divergences, no more and no less.
func TestAWS_Opinions(t *testing.T) {
	program := python(t)
	begun := time.Now()
	emulators := []*opinion.Emulator{opinion.StartMoto(t, program), opinion.StartMinistack(t, program)}
	emulators[1].Warm(t, "sagemaker")
	issuer := newIssuer(t)
	var ours [][]opinion.Answer
	var names *awstest.Cloud
	t.Run("the AWS of the tests", func(t *testing.T) {
		w := newFake(t, issuer)
		names, ours = w.fake.Cloud, do(t, w)
		if err := w.fake.Invalid(); err != nil {
			t.Errorf("AWS's models refuse: %v", err)
		}
		requireValid(t, ours)
	})
	used := opinion.Covered(ours)
	for _, e := range emulators {
		var found []opinion.Difference
		var theirs [][]opinion.Answer
		t.Run(e.Name, func(t *testing.T) {
			e.Await(t)
			theirs = do(t, newWorld(t, e, names, issuer))
			found = opinion.Compare(ours, theirs)
			requireListed(t, e.Name, found)
		})
		covered := slices.DeleteFunc(opinion.Covered(theirs), func(name string) bool { return !slices.Contains(used, name) })
		t.Logf("awstable: covered %s %s", e.Name, strings.Join(covered, " "))
		t.Logf("awstable: second opinion: %s carries out %d of %d operations, with %d known divergences", e.Name, len(covered), len(used), len(found))
	}
	t.Logf("%d requests were valid by AWS's models; all took %.0f s", count(ours), time.Since(begun).Seconds())
}

func count(steps [][]opinion.Answer) (n int) {
	for _, answers := range steps {
		n += len(answers)
	}
	return n
}

// requireValid requires that what the AWS of the tests sends is what AWS's models have.
func requireValid(t *testing.T, steps [][]opinion.Answer) {
	t.Helper()
	for _, answers := range steps {
		for _, a := range answers {
			if len(a.Wrong) > 0 {
				t.Errorf("%s: %s", a.Operation, strings.Join(a.Wrong, "; "))
			}
		}
	}
}

// requireListed compares what was found with the list.
func requireListed(t *testing.T, emulator string, found []opinion.Difference) {
	t.Helper()
	listed := map[opinion.Difference]bool{}
	for _, d := range divergences {
		if d.emulator == emulator {
			listed[opinion.Difference{Operation: d.operation, Differs: d.differs}] = true
		}
	}
	for _, f := range found {
		if !listed[f] {
			t.Errorf("new divergence, find out who is right: {%q, %q, %q, \"\"},", emulator, f.Operation, f.Differs)
		}
		delete(listed, f)
	}
	for d := range listed {
		t.Errorf("%s does not differ any more: %s %s: remove it from the list", emulator, d.Operation, d.Differs)
	}
}
