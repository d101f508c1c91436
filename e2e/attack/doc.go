// Package attack holds the attacks that Slipway withstands: each test is a proof
// of concept that worked once and is refused now. TestN are those of a security review,
// by its numbers; the others were found afterwards. The tests run the program that SLIPWAY_BIN names, or build it;
// those with two users take root, and are skipped without it.
package attack
