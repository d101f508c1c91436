package compare

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/slipway-cd/slipway/internal/port"
)

// limits are those of the histograms here, in seconds.
func limits() []float64 { return []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, math.Inf(1)} }

func histogram(draw func() float64, n int) []port.Bucket {
	var b []port.Bucket
	for _, le := range limits() {
		b = append(b, port.Bucket{Le: le})
	}
	for range n {
		took := draw()
		for i := range b {
			if took <= b[i].Le {
				b[i].Count++
			}
		}
	}
	return b
}

func TestCompareLatency_Simulation(t *testing.T) {
	const runs = 1000
	rnd := rand.New(rand.NewPCG(7, 7))
	of := func(middle float64) func() float64 { // log-normal, as latencies are
		return func() float64 { return middle * math.Exp(0.5*rnd.NormFloat64()) }
	}
	tail := func() float64 { // one in ten takes ten times as long
		took := of(0.02)()
		if rnd.Float64() < 0.1 {
			took *= 10
		}
		return took
	}
	for name, c := range map[string]struct {
		draw     func() float64
		min, max float64
	}{
		"equal":         {of(0.02), 0, 0.05},
		"5 % slower":    {of(0.021), 0, 0.2},
		"twice as slow": {of(0.04), 0.99, 1},
		"a slow tail":   {tail, 0.6, 1},
		"faster":        {of(0.01), 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			slow := 0
			for range runs {
				s, err := Latency(histogram(c.draw, 200), histogram(of(0.02), 1800))
				if err != nil {
					t.Fatal(err)
				}
				if s.PValue < 0.045 && s.Slower(1.2, 0.005) {
					slow++
				}
			}
			share := float64(slow) / runs
			t.Logf("%s: slower in %.1f %%", name, 100*share)
			if share < c.min || share > c.max {
				t.Errorf("slower in %.1f %%, want %.1f to %.1f %%", 100*share, 100*c.min, 100*c.max)
			}
		})
	}
}

func TestCompareLatency(t *testing.T) {
	inf := math.Inf(1)
	at := func(counts ...int64) []port.Bucket {
		return []port.Bucket{{Le: 0.1, Count: counts[0]}, {Le: 0.2, Count: counts[1]}, {Le: inf, Count: counts[2]}}
	}
	for name, c := range map[string]struct {
		candidate, running []port.Bucket
		err                error
	}{
		"nothing":          {nil, at(1, 2, 3), ErrNotMeasured},
		"no request":       {at(1, 2, 3), at(0, 0, 0), ErrNotMeasured},
		"other limits":     {at(1, 2, 3), []port.Bucket{{Le: 0.3, Count: 1}, {Le: inf, Count: 1}}, ErrBucketMismatch},
		"counts that sink": {at(3, 2, 3), at(1, 2, 3), ErrBucketOrder},
		"no last bucket":   {at(1, 2, 3)[:2], at(1, 2, 3), ErrBucketOrder},
		"no limit":         {[]port.Bucket{{Le: math.NaN(), Count: 1}, {Le: inf, Count: 1}}, at(1, 2, 3), ErrBucketOrder},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Latency(c.candidate, c.running); err != c.err {
				t.Errorf("error = %v, want %v", err, c.err)
			}
		})
	}
	s, err := Latency(at(90, 100, 100), at(100, 100, 100))
	if err != nil {
		t.Errorf("error = %v, want none", err)
	}
	if math.Abs(s.Candidate.Seconds-0.15) > 1e-9 || s.Candidate.AboveRange {
		t.Errorf("candidate = %+v, want 0.15 s, within the range", s.Candidate)
	}
	if math.Abs(s.Running.Seconds-0.095) > 1e-9 {
		t.Errorf("running = %+v, want 0.095 s", s.Running)
	}
	// By hand: U = 5500, mean 5000, sd = sqrt(10000/12 * (201 - (190^3-190+10^3-10)/(200*199))).
	want := 0.5 * math.Erfc((499.5/math.Sqrt(10000.0/12*(201-(190.0*190*190-190+990)/(200*199))))/math.Sqrt2)
	if math.Abs(s.PValue-want) > 1e-12 || want > 0.01 {
		t.Errorf("p-value = %g, want %g", s.PValue, want)
	}
	s, _ = Latency(at(0, 0, 100), at(0, 0, 100))
	if !s.Candidate.AboveRange || s.Candidate.Seconds != 0.2 {
		t.Errorf("candidate = %+v, want it above the range, which ends at 0.2 s", s.Candidate)
	}
	if s.PValue != 1 {
		t.Errorf("p-value of equal latencies = %g, want 1", s.PValue)
	}
	if s.Slower(1, 0) {
		t.Errorf("comparison of equal latencies = %+v, want it not slower", s)
	}
	if s, _ = Latency(at(0, 0, 100), at(100, 100, 100)); !s.Slower(1.2, 0.005) {
		t.Errorf("comparison with a candidate above the range = %+v, want it slower", s)
	}
}
