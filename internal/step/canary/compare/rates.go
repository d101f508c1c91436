// Package compare decides whether a release does worse than another, beyond
// chance. It is pure: numbers in, numbers out.
package compare

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

// Count is how many of a number of requests failed.
type Count struct {
	Failed, Total int64
}

// Rate returns the share that failed, 0 for no requests.
func (c Count) Rate() float64 {
	if c.Total <= 0 {
		return 0
	}
	return float64(c.Failed) / float64(c.Total)
}

// maxExactOutcomes is up to how many outcomes of the running release the exact
// sum is used. With more the counts are so high that the normal distribution
// fits.
const maxExactOutcomes = 4000

// RatePValue is the probability (0 to 1) of a difference like the observed one, or a
// greater one, if the candidate's true rate of failures were running's + margin
// and no more. A small one says: it is worse by more than the margin. Counts
// that say nothing (no requests on one side) give 1.
//
// Rates of failures are near zero and the samples unequal, where tests that take
// the difference for normal raise false alarms. So the probability is summed
// over the two binomial distributions themselves. Which rates they have when the
// margin is just reached is unknown: the likeliest ones under that condition are
// put in (the restricted maximum likelihood estimate of Miettinen and Nurminen,
// "Comparative analysis of two rates", Statistics in Medicine 4, 1985; exact sums
// at the estimate: Storer and Kim, "Exact properties of some exact test
// statistics for comparing two binomial proportions", JASA 85, 1990, and with a
// margin Kang and Chen, Statistics in Medicine 19, 2000). High counts use the
// score test with the same estimate (Farrington and Manning, Statistics in
// Medicine 9, 1990).
func RatePValue(candidate, running Count, margin float64) float64 {
	c, r := candidate.clamp(), running.clamp()
	if c.Total == 0 || r.Total == 0 {
		return 1
	}
	margin = min(max(margin, 0), 1)
	rate := restrictedMLE(c, r, margin)
	spread := math.Sqrt(float64(r.Total) * rate * (1 - rate))
	if 20*spread > maxExactOutcomes {
		return scorePValue(c, r, margin, rate)
	}
	return min(exactPValue(c, r, margin, rate, spread), 1)
}

func (c Count) clamp() Count {
	of := max(c.Total, 0)
	return Count{Failed: min(max(c.Failed, 0), of), Total: of}
}

// restrictedMLE is running's most likely rate if the candidate's is higher by just
// the margin. The logarithm of the likelihood is concave, so that its slope is
// zero once at most: it is found by halving.
func restrictedMLE(c, r Count, margin float64) float64 {
	slope := func(p float64) float64 {
		return logLikelihoodSlope(c, p+margin) + logLikelihoodSlope(r, p)
	}
	low, high := 0.0, 1-margin
	for range 100 {
		mid := (low + high) / 2
		if slope(mid) > 0 {
			low = mid
		} else {
			high = mid
		}
	}
	return (low + high) / 2
}

// logLikelihoodSlope is the slope of the logarithm of a binomial likelihood at rate p.
func logLikelihoodSlope(c Count, p float64) float64 {
	var up, down float64
	if c.Failed > 0 {
		up = float64(c.Failed) / p
	}
	if c.Failed < c.Total {
		down = float64(c.Total-c.Failed) / (1 - p)
	}
	return up - down
}

// exactPValue sums the probability of every pair of outcomes whose difference is at
// least the observed one: for each outcome of the running release, the
// candidate's has to be so high at least.
func exactPValue(c, r Count, margin, rate, spread float64) float64 {
	n, m := float64(c.Total), float64(r.Total)
	observed := c.Rate() - r.Rate()
	middle := m * rate
	first := int64(max(0, math.Floor(middle-10*spread-20)))
	last := int64(min(m, math.Ceil(middle+10*spread+20)))
	sum := 0.0
	for k := first; k <= last; k++ {
		minFailures := math.Ceil(n*(observed+float64(k)/m) - 1e-9)
		sum += binomialProbability(r.Total, k, rate) * binomialTail(c.Total, int64(minFailures), min(rate+margin, 1))
	}
	return sum
}

// binomialProbability is the probability of k failures among n.
func binomialProbability(n, k int64, p float64) float64 {
	switch {
	case p <= 0:
		return indicator(k == 0)
	case p >= 1:
		return indicator(k == n)
	}
	lg := func(x int64) float64 { v, _ := math.Lgamma(float64(x) + 1); return v }
	return math.Exp(lg(n) - lg(k) - lg(n-k) + float64(k)*math.Log(p) + float64(n-k)*math.Log1p(-p))
}

// binomialTail is the probability of k failures or more among n. The incomplete beta
// function keeps its precision where 1 - CDF would be rounded to nothing.
func binomialTail(n, k int64, p float64) float64 {
	switch {
	case k <= 0:
		return 1
	case k > n || p <= 0:
		return 0
	case p >= 1:
		return 1
	}
	return mathext.RegIncBeta(float64(k), float64(n-k+1), p)
}

func indicator(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

func scorePValue(c, r Count, margin, rate float64) float64 {
	above := min(rate+margin, 1)
	sd := math.Sqrt(above*(1-above)/float64(c.Total) + rate*(1-rate)/float64(r.Total))
	if sd == 0 {
		return 1
	}
	return normalSurvival((c.Rate() - r.Rate() - margin) / sd)
}

// normalSurvival is the probability that a standard normal variable is above x. (gonum's
// distributions bring its matrices into the binary: 2 MB.)
func normalSurvival(x float64) float64 { return math.Erfc(x/math.Sqrt2) / 2 }
