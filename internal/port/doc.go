// Package port holds the interfaces to the outside world, one file per topic. The
// comment of a method is a promise that every adapter keeps: what an empty result
// means, which kinds of fault there are, what a second call does. Package porttest
// holds the suites that prove it. What an adapter may leave out is an interface of
// its own, found by a type assertion.
package port
