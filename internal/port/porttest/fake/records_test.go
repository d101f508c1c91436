package fake_test

import (
	"testing"

	"github.com/slipway-cd/slipway/internal/port/porttest"
	"github.com/slipway-cd/slipway/internal/port/porttest/fake"
)

// freshRecords opens one kind of the same new records again and again.
func freshRecords[S any](of func(*fake.Records) S) func(*testing.T) func() S {
	return func(*testing.T) func() S {
		r := &fake.Records{}
		return func() S { return of(r) }
	}
}

func TestRecords_Models(t *testing.T) {
	fresh := freshRecords((*fake.Records).Models)
	porttest.TestModels(t, fresh)
	porttest.TestModelImporter(t, fresh)
}

func TestRecords_Releases(t *testing.T) {
	porttest.TestReleases(t, freshRecords((*fake.Records).Releases))
}

func TestRecords_Deployments(t *testing.T) {
	porttest.TestDeployments(t, freshRecords((*fake.Records).Deployments))
}

func TestRecords_Approvals(t *testing.T) {
	porttest.TestApprovals(t, freshRecords((*fake.Records).Approvals))
}
