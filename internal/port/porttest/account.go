package porttest

import (
	"errors"
	"slices"
	"testing"

	"github.com/slipway-cd/slipway/internal/account"
	"github.com/slipway-cd/slipway/internal/fault"
	"github.com/slipway-cd/slipway/internal/port"
)

// AccountFixture is an account without the resource.
type AccountFixture struct {
	Account port.Account
	Set     account.Set      // its project is retail; what else it names is there
	Want    account.Resource // to be made
	// Foreign makes the resource behind the adapter's back, without tags; nil: kinds that
	// nobody else can make.
	Foreign func()
	// Drifts change the resource behind the adapter's back, by what they do.
	Drifts map[string]func()
	// Deny refuses every call that writes, or none, and returns how many were refused.
	Deny func(bool) (refused func() int)
	// Requests returns how many requests were sent so far. Kill fails the n-th one from
	// now on and all that follow, as for a process that is killed: done says whether that
	// one was carried out. Revive ends it.
	Requests func() int
	Kill     func(n int, done bool)
	Revive   func()
	// Break makes the service unreachable.
	Break func()
}

// TestAccount is the suite of port.Account.
func TestAccount(t *testing.T, start func(t *testing.T) AccountFixture) {
	t.Run("made, read and deleted", func(t *testing.T) { testAccountLife(t, start(t)) })
	t.Run("drift", func(t *testing.T) { testAccountDrift(t, start(t)) })
	t.Run("of others", func(t *testing.T) { testAccountForeign(t, start) })
	t.Run("killed at every request", func(t *testing.T) { testAccountKilled(t, start) })
	t.Run("denied", func(t *testing.T) { testAccountDenied(t, start(t)) })
	t.Run("unreachable", func(t *testing.T) {
		f := start(t)
		f.Break()
		if _, err := f.Account.Read(t.Context(), f.Want); !fault.IsInfrastructure(err) {
			t.Errorf("error %v, want one of the infrastructure", err)
		}
	})
}

// planOf plans the one resource.
func planOf(t *testing.T, f AccountFixture, adopt ...string) account.Plan {
	t.Helper()
	have, err := f.Account.Read(t.Context(), f.Want)
	if err != nil {
		t.Fatal(err)
	}
	var all []account.Observed
	if have != nil {
		all = append(all, *have)
	}
	p, err := account.New(only(f), all, account.Options{Adopt: adopt})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func only(f AccountFixture) account.Set {
	set := f.Set
	set.Resources = []account.Resource{f.Want}
	return set
}

func wantUnchanged(t *testing.T, f AccountFixture) {
	t.Helper()
	if p := planOf(t, f); len(p.Unchanged) != 1 {
		t.Errorf("it is not as it is to be: %+v", p.Changes)
	}
}

func testAccountLife(t *testing.T, f AccountFixture) {
	tags := f.Set.Tags(f.Want, false)
	if err := f.Account.Delete(t.Context(), f.Want); err != nil {
		t.Errorf("delete a missing resource: %v", err)
	}
	if o, err := f.Account.Read(t.Context(), f.Want); o != nil || err != nil {
		t.Fatalf("read %+v, %v before it was made", o, err)
	}
	for range 2 { // the second time, it is there: a response was lost
		if err := f.Account.Create(t.Context(), f.Want, tags); err != nil {
			t.Fatal(err)
		}
		wantUnchanged(t, f)
	}
	if err := f.Account.Update(t.Context(), f.Want, tags); err != nil {
		t.Error(err)
	}
	wantUnchanged(t, f)
	has := func(o account.Observed) bool { return o.Key() == f.Want.Key() && o.Owner() == f.Set.Project }
	set := f.Set
	set.Resources = append(slices.Clone(set.Resources), f.Want)
	if owned, err := f.Account.Owned(t.Context(), set); err != nil || !slices.ContainsFunc(owned, has) {
		t.Errorf("owned %+v, %v", owned, err)
	}
	set.Project = "other"
	if owned, err := f.Account.Owned(t.Context(), set); err != nil || len(owned) > 0 {
		t.Errorf("another project owns %+v, %v", owned, err)
	}
	for range 2 {
		if err := f.Account.Delete(t.Context(), f.Want); err != nil {
			t.Fatal(err)
		}
	}
	if o, err := f.Account.Read(t.Context(), f.Want); o != nil || err != nil {
		t.Errorf("read %+v, %v after it was deleted", o, err)
	}
}

func testAccountDrift(t *testing.T, f AccountFixture) {
	tags := f.Set.Tags(f.Want, false)
	if err := f.Account.Create(t.Context(), f.Want, tags); err != nil {
		t.Fatal(err)
	}
	for name, change := range f.Drifts {
		change()
		p := planOf(t, f)
		if len(p.Changes) != 1 || p.Changes[0].Action != account.Repair || len(p.Changes[0].Differences) == 0 {
			t.Errorf("%s: plan %+v", name, p)
			continue
		}
		t.Logf("%s: %s", name, p.Changes[0].Differences)
		if err := f.Account.Update(t.Context(), f.Want, tags); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		wantUnchanged(t, f)
	}
}

// What others made is not taken by Create, and taken over by Update.
func testAccountForeign(t *testing.T, start func(t *testing.T) AccountFixture) {
	f := start(t)
	if f.Foreign == nil {
		return
	}
	f.Foreign()
	if err := f.Account.Create(t.Context(), f.Want, f.Set.Tags(f.Want, false)); !fault.Is(err, fault.Conflict) {
		t.Errorf("error %v, want %s", err, fault.Conflict)
	}
	if p := planOf(t, f); !f.Want.Shared && (len(p.Changes) != 1 || p.Changes[0].Action != account.Leave) {
		t.Errorf("plan %+v", p)
	}
	p := planOf(t, f, f.Want.Name)
	if len(p.Changes) != 1 || !p.Changes[0].Adopted {
		t.Fatalf("plan %+v", p)
	}
	if err := f.Account.Update(t.Context(), f.Want, f.Set.Tags(f.Want, true)); err != nil {
		t.Fatal(err)
	}
	wantUnchanged(t, f)
	o, err := f.Account.Read(t.Context(), f.Want)
	if err != nil || o == nil || !o.IsAdopted() {
		t.Errorf("read %+v, %v", o, err)
	}
}

// Killed at every request in turn, before and after it was carried out: the next one
// finds what is there as the project's, and completes it.
func testAccountKilled(t *testing.T, start func(t *testing.T) AccountFixture) {
	for _, done := range []bool{false, true} {
		for n := 1; ; n++ {
			f := start(t)
			tags := f.Set.Tags(f.Want, false)
			f.Kill(n, done)
			err := f.Account.Create(t.Context(), f.Want, tags)
			f.Revive()
			if err == nil {
				t.Logf("made in %d requests", n-1)
				break
			}
			p := planOf(t, f)
			for _, c := range p.Changes {
				switch c.Action {
				case account.Create:
					err = f.Account.Create(t.Context(), f.Want, tags)
				case account.Repair:
					err = f.Account.Update(t.Context(), f.Want, tags)
				default:
					err = errors.New("what was begun is not the project's")
				}
				if err != nil {
					t.Errorf("killed at request %d (carried out: %v), then %s: %v", n, done, c.Action, err)
				}
			}
			wantUnchanged(t, f)
		}
	}
}

// Every right that is missing is named, not only the first.
func testAccountDenied(t *testing.T, f AccountFixture) {
	refused := f.Deny(true)
	err := f.Account.Create(t.Context(), f.Want, f.Set.Tags(f.Want, false))
	f.Deny(false)
	if !fault.Is(err, fault.Denied) {
		t.Fatalf("error %v, want %s", err, fault.Denied)
	}
	var hints []string
	for _, one := range fault.Split(err) {
		hints = append(hints, fault.HintOf(one))
	}
	if slices.Sort(hints); len(slices.Compact(hints)) != refused() {
		t.Errorf("%d calls were refused, hints %q", refused(), hints)
	}
}
