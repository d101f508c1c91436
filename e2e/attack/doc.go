// Package attack holds the attacks that Slipway withstands: each test is a proof
// of concept of a security review, TestN by its number there, that worked once
// and is refused now. The tests run the program that SLIPWAY_BIN names, or build it;
// those with two users take root, and are skipped without it.
package attack
