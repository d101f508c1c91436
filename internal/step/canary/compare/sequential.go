package compare

// interimShare is the share of alpha that interim analyses may spend.
const interimShare = 0.1

// minGrowth is by how much the sample must have grown for another interim
// analysis to be worth a part of alpha.
const minGrowth = 1.25

// AlphaSpending corrects for repeated tests of a growing sample. Ten tests at 5 %
// are wrong far more often than in 5 % of cases (Armitage, McPherson and Rowe,
// "Repeated significance tests on accumulating data", 1969). So interim analyses
// need far stronger evidence, and the final one nearly keeps the configured level
// (the idea of Haybittle, 1971, and Peto et al., 1976).
//
// The k-th interim analysis gets 1/(k(k+1)) of a tenth of alpha. These parts add
// up to that tenth however many analyses there will be, and by Bonferroni's
// inequality so does the risk of all of them. The final one gets the other nine
// tenths.
type AlphaSpending struct {
	Alpha float64 // risk of stopping a release that is not worse: 1 - confidence

	interimTests int64
	lastSize     int64 // sample size at the last test
}

// Interim returns the level for an analysis of a sample of that size; ok is false
// if it has not grown enough since the last one.
func (l *AlphaSpending) Interim(size int64) (level float64, ok bool) {
	if size <= 0 || l.interimTests > 0 && float64(size) < minGrowth*float64(l.lastSize) {
		return 0, false
	}
	l.interimTests++
	l.lastSize = size
	return interimShare * l.Alpha / float64(l.interimTests*(l.interimTests+1)), true
}

// Final returns the level for the analysis at the end.
func (l *AlphaSpending) Final() float64 { return (1 - interimShare) * l.Alpha }
