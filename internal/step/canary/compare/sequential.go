package compare

// interimShare is the part of the accepted risk that looks before the end may use up.
const interimShare = 0.1

// minGrowth is by how much the sample must have grown for another test to be worth
// a part of the risk.
const minGrowth = 1.25

// AlphaSpending keeps repeated looks at a growing sample honest. Who tests ten times at
// 5 % is wrong far more often than in 5 % of cases (Armitage, McPherson and Rowe,
// "Repeated significance tests on accumulating data", 1969). So looks before the
// end need far stronger evidence, and the one at the end nearly keeps the level
// that was asked for (the idea of Haybittle, 1971, and Peto et al., 1976).
//
// The k-th early test gets 1/(k(k+1)) of a tenth of the risk. These parts add up
// to that tenth however many tests there will be, and by Bonferroni's inequality
// so does the risk of all of them. The end gets the other nine tenths.
type AlphaSpending struct {
	Alpha float64 // of stopping a release that is not worse: 1 - confidence

	interimTests int64
	lastSize     int64 // sample size at the last test
}

// Interim is the level for a test of a sample of that size now; ok is false when
// it has not grown enough since the last test.
func (l *AlphaSpending) Interim(size int64) (level float64, ok bool) {
	if size <= 0 || l.interimTests > 0 && float64(size) < minGrowth*float64(l.lastSize) {
		return 0, false
	}
	l.interimTests++
	l.lastSize = size
	return interimShare * l.Alpha / float64(l.interimTests*(l.interimTests+1)), true
}

// Final is the level for the test at the end.
func (l *AlphaSpending) Final() float64 { return (1 - interimShare) * l.Alpha }
