package compare

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestRatePValue(t *testing.T) {
	cases := []struct {
		candidate, running Count
		margin             float64
		low, high          float64 // where the chance must lie
	}{
		{Count{0, 0}, Count{5, 10}, 0.01, 1, 1},
		{Count{5, 10}, Count{0, 0}, 0.01, 1, 1},
		{Count{0, 300}, Count{0, 2700}, 0.01, 1, 1},
		{Count{0, 300}, Count{0, 2700}, 0, 1, 1},
		{Count{0, 300}, Count{27, 2700}, 0.01, 0.95, 1},
		{Count{3, 300}, Count{0, 2700}, 0.01, 0.4, 0.6}, // just at the margin
		{Count{12, 300}, Count{1, 2810}, 0.01, 1e-5, 1e-3},
		{Count{20, 20}, Count{0, 180}, 0.01, 0, 1e-20},
		{Count{20, 20}, Count{180, 180}, 0.01, 0.9, 1}, // both fail: it is not the release
		{Count{20, 20}, Count{20, 20}, 0, 0.9, 1},
		{Count{1, 1}, Count{0, 1}, 0.01, 0.25, 0.3},
		{Count{50_000, 1_000_000}, Count{9_000, 9_000_000}, 0.01, 0, 1e-12},
		{Count{1_000, 1_000_000}, Count{9_000, 9_000_000}, 0.01, 0.99, 1},
		{Count{-3, -1}, Count{7, 3}, 0.01, 1, 1},
		{Count{9, 3}, Count{0, 300}, 2, 1, 1},
	}
	for _, c := range cases {
		if p := RatePValue(c.candidate, c.running, c.margin); !(p >= c.low && p <= c.high) {
			t.Errorf("RatePValue(%v, %v, %g) = %g, want %g to %g", c.candidate, c.running, c.margin, p, c.low, c.high)
		}
	}
}

// TestRatePValue_MatchesFisher: without a margin and with equal samples, the chance is near that of
// the exact test of Fisher, and never far above it (which is known to be timid).
func TestRatePValue_MatchesFisher(t *testing.T) {
	// Fisher's one-sided values are sums of the hypergeometric distribution.
	for _, c := range []struct {
		failed, beside int64
		fisher         float64
	}{{5, 0, 0.0281}, {8, 1, 0.0154}, {3, 3, 0.661}} {
		p := RatePValue(Count{c.failed, 50}, Count{c.beside, 50}, 0)
		if !(p < c.fisher*1.05 && p > c.fisher/4) {
			t.Errorf("%d and %d of 50: p-value = %g, want it near Fisher's %g", c.failed, c.beside, p, c.fisher)
		}
	}
}

// TestScorePValue: where both ways can be taken they agree.
func TestScorePValue(t *testing.T) {
	c, r := Count{330, 10_000}, Count{1_700, 90_000}
	rate := restrictedMLE(c, r, 0.01)
	spread := math.Sqrt(float64(r.Total) * rate * (1 - rate))
	byExact, byScore := exactPValue(c, r, 0.01, rate, spread), scorePValue(c, r, 0.01, rate)
	if math.Abs(byExact-byScore) > 0.02*byScore+1e-3 {
		t.Errorf("exact p-value = %g, want it near the score test's %g", byExact, byScore)
	}
}

// TestRestrictedMLE: no rate near it is likelier.
func TestRestrictedMLE(t *testing.T) {
	likelihood := func(c, r Count, margin, p float64) float64 {
		sum := 0.0
		for _, s := range []struct {
			Count
			p float64
		}{{c, p + margin}, {r, p}} {
			if s.Failed > 0 {
				sum += float64(s.Failed) * math.Log(s.p)
			}
			if s.Failed < s.Total {
				sum += float64(s.Total-s.Failed) * math.Log1p(-s.p)
			}
		}
		return sum
	}
	for _, c := range []struct{ candidate, running Count }{
		{Count{12, 300}, Count{1, 2810}}, {Count{0, 300}, Count{0, 3}}, {Count{20, 20}, Count{180, 180}}, {Count{1, 50}, Count{40, 60}},
	} {
		const margin = 0.01
		best := restrictedMLE(c.candidate, c.running, margin)
		top := likelihood(c.candidate, c.running, margin, best)
		for p := 0.0; p <= 1-margin; p += 0.001 {
			if other := likelihood(c.candidate, c.running, margin, p); other > top+1e-6 {
				t.Errorf("restrictedMLE(%v, %v) = %g, but %g is likelier", c.candidate, c.running, best, p)
			}
		}
	}
}

// chanceOf sums the probability of all outcomes that the test calls worse.
func chanceOf(n, m int64, bad, good, margin, level float64) float64 {
	sum := 0.0
	for x := range n + 1 {
		for y := range m + 1 {
			weight := binomialProbability(n, x, bad) * binomialProbability(m, y, good)
			if weight > 1e-7 && RatePValue(Count{x, n}, Count{y, m}, margin) < level {
				sum += weight
			}
		}
	}
	return sum
}

// TestRatePValue_Level sums over every outcome, without luck: a candidate that is worse by
// exactly the margin is called worse about as often as the level says, and one
// that is equal hardly ever.
func TestRatePValue_Level(t *testing.T) {
	const margin, level = 0.01, 0.05
	for _, n := range []struct{ candidate, running int64 }{{50, 450}, {300, 2700}, {300, 300}} {
		for _, rate := range []float64{0.001, 0.01, 0.05} {
			if p := chanceOf(n.candidate, n.running, rate+margin, rate, margin, level); p > 1.3*level {
				t.Errorf("%v, %g %% against it plus the margin: stopped in %.2f %%, want at most %.2f %%", n, 100*rate, 100*p, 130*level)
			}
			if p := chanceOf(n.candidate, n.running, rate, rate, margin, level); p > level {
				t.Errorf("%v, equal at %g %%: stopped in %.2f %%, want at most %.2f %%", n, 100*rate, 100*p, 100*level)
			}
		}
	}
}

// TestRatePValue_Power: 5 % of errors against 0.1 % are found out with 300 requests at 10 %
// of the traffic, by the test at the end alone.
func TestRatePValue_Power(t *testing.T) {
	looks := AlphaSpending{Alpha: 0.05}
	if p := chanceOf(300, 2700, 0.05, 0.001, 0.01, looks.Final()); p < 0.99 {
		t.Errorf("stopped in %.2f %%, want at least 99 %%", 100*p)
	}
}

// stopped simulates one step: ten looks while the requests come in, of which
// running gets nine times as many.
func stopped(rnd *rand.Rand, requests int64, bad, good float64) (yes, early bool) {
	looks := AlphaSpending{Alpha: 0.05}
	var c, r Count
	for look := int64(1); look <= 10; look++ {
		for c.Total < requests*look/10 {
			c.Total, c.Failed = c.Total+1, c.Failed+draw(rnd, bad)
			for range 9 {
				r.Total, r.Failed = r.Total+1, r.Failed+draw(rnd, good)
			}
		}
		level, due := looks.Interim(c.Total)
		if look == 10 {
			level, due = looks.Final(), true
		}
		if due && RatePValue(c, r, 0.01) < level {
			return true, look < 10
		}
	}
	return false, false
}

func draw(rnd *rand.Rand, p float64) int64 {
	if rnd.Float64() < p {
		return 1
	}
	return 0
}

func TestAlphaSpending_Simulation(t *testing.T) {
	const runs = 2000
	cases := []struct {
		name      string
		requests  int64
		bad, good float64
		min, max  float64 // share of the runs that are stopped
		early     float64 // at least, before the end
	}{
		{"equal, hardly an error", 300, 0.001, 0.001, 0, 0.05, 0},
		{"equal, 1 % errors", 300, 0.01, 0.01, 0, 0.05, 0},
		{"equal, 5 % errors", 300, 0.05, 0.05, 0, 0.05, 0},
		{"worse by the margin", 300, 0.011, 0.001, 0, 0.065, 0},
		{"5 % against 0.1 %", 300, 0.05, 0.001, 0.99, 1, 0.5},
		{"half fail", 100, 0.5, 0.001, 1, 1, 1},
	}
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(20260101, uint64(i)))
			all, soon := 0, 0
			for range runs {
				yes, early := stopped(rnd, c.requests, c.bad, c.good)
				if yes {
					all++
				}
				if early {
					soon++
				}
			}
			share, early := float64(all)/runs, float64(soon)/runs
			t.Logf("%s: stopped in %.2f %% of the runs, %.2f %% before the end", c.name, 100*share, 100*early)
			if share < c.min || share > c.max {
				t.Errorf("stopped in %.2f %%, want %.2f to %.2f %%", 100*share, 100*c.min, 100*c.max)
			}
			if early < c.early {
				t.Errorf("stopped before the end in %.2f %%, want at least %.2f %%", 100*early, 100*c.early)
			}
		})
	}
}

func TestAlphaSpending(t *testing.T) {
	l := AlphaSpending{Alpha: 0.05}
	sum := l.Final()
	for size := int64(1); size < math.MaxInt64/4; size *= 2 {
		level, ok := l.Interim(size)
		if !ok {
			t.Fatalf("Interim(%d) is not due, want it due", size)
		}
		sum += level
		if _, again := l.Interim(size + size/10); again {
			t.Errorf("Interim(%d) is due again after %d, want it not due", size+size/10, size)
		}
	}
	if sum > l.Alpha || sum < 0.95*l.Alpha {
		t.Errorf("sum of all levels = %g, want %g to %g", sum, 0.95*l.Alpha, l.Alpha)
	}
	if _, ok := (&AlphaSpending{Alpha: 0.05}).Interim(0); ok {
		t.Error("Interim(0) is due, want it not due without a request")
	}
}
