package porttest

import (
	"testing"

	"github.com/slipway-cd/slipway/internal/delivery"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// TestApprovals holds an adapter to port.ApprovalStore. fresh returns a function
// that opens the same store, empty at first, again and again, as separate processes
// would.
func TestApprovals(t *testing.T, fresh func(t *testing.T) (open func() port.ApprovalStore)) {
	t.Run("record", func(t *testing.T) { testRecordApproval(t, fresh(t)) })
	t.Run("another plan", func(t *testing.T) { testRecordOfPlan(t, fresh(t)()) })
	t.Run("refuses", func(t *testing.T) { testRecordRefuses(t, fresh(t)()) })
	t.Run("recorded concurrently", func(t *testing.T) { testRecordConcurrently(t, fresh(t)) })
}

func testRecordApproval(t *testing.T, open func() port.ApprovalStore) {
	s := open()
	list, err := s.List(t.Context(), numberedRun(1))
	wantEqual(t, "a run without approvals", must(t, list, err), nil)
	ben := delivery.Actor{Issuer: "https://ci.example", Subject: "7", Name: "ben", Means: delivery.MeansCI}
	decisions := []port.Approval{
		{Run: numberedRun(1), Subject: port.ApproveDeploy, By: delivery.Actor{Name: "ana"}, Approved: true, Reason: "fine", At: minute(1)},
		{Run: numberedRun(1), Subject: port.ApproveDeploy, By: ben, Reason: "not today", At: minute(2)},
		{Run: numberedRun(1), Subject: "model retail:3", By: delivery.Actor{Name: "ana"}, Approved: true, At: minute(3)},
	}
	decisions[0].Commit, decisions[0].Plan = "abc", repeatedDigest("1")
	second := decisions[0]
	second.Approved, second.Reason = false, "no!"
	other := port.Approval{Run: numberedRun(2), Subject: port.ApproveDeploy, By: delivery.Actor{Name: "ana"}, At: minute(1)}
	for _, d := range append(decisions[:3:3], second, other) {
		if err := s.Record(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	for _, handle := range []port.ApprovalStore{s, open()} {
		list, err = handle.List(t.Context(), numberedRun(1))
		wantEqual(t, "the first decision of each person", must(t, list, err), decisions)
	}
}

// testRecordOfPlan: a decision on one plan leaves the person free to decide on another.
func testRecordOfPlan(t *testing.T, s port.ApprovalStore) {
	a := port.Approval{
		Run: numberedRun(1), Subject: port.ApproveDeploy, Commit: "abc", Plan: repeatedDigest("1"),
		By: delivery.Actor{Name: "ana"}, Approved: true, At: minute(1),
	}
	b := a
	b.Plan, b.Approved = repeatedDigest("2"), false
	for _, each := range []port.Approval{a, b} {
		if err := s.Record(t.Context(), each); err != nil {
			t.Fatal(err)
		}
	}
	list, err := s.List(t.Context(), numberedRun(1))
	wantEqual(t, "decisions on two plans", must(t, list, err), []port.Approval{a, b})
}

func testRecordRefuses(t *testing.T, s port.ApprovalStore) {
	wantFault(t, "no person", s.Record(t.Context(), port.Approval{Run: numberedRun(1), Subject: port.ApproveDeploy}), fault.Invalid)
	wantFault(t, "no subject", s.Record(t.Context(), port.Approval{Run: numberedRun(1), By: delivery.Actor{Name: "ana"}}), fault.Invalid)
}

func testRecordConcurrently(t *testing.T, open func() port.ApprovalStore) {
	handles := []port.ApprovalStore{open(), open()}
	concurrently(t, 12, handles, func(s port.ApprovalStore, i int) error {
		return s.Record(t.Context(), port.Approval{Run: numberedRun(1), Subject: port.ApproveDeploy, By: delivery.Actor{Name: "ana"}, Approved: i%2 == 0, At: minute(i)})
	})
	list, err := handles[1].List(t.Context(), numberedRun(1))
	wantEqual(t, "decisions", len(must(t, list, err)), 1)
}
