// Package e2e holds the tests of the whole: the binary that SLIPWAY_BIN names,
// real repositories, real processes and real kills, without root and with it.
// They carry the build tag e2e; `make e2e` runs them.
package e2e
