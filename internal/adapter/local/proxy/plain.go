package proxy

import "time"

// plainExchange is one plain request and all attempts to forward it.
type plainExchange struct {
	route
	*session
	start    time.Time
	end      time.Time
	closing  bool // the client's connection ends after the response
	sampling *sampling
}

// outcome is how an attempt ended.
type outcome int

const (
	lost       outcome = iota // no response
	complete                  // response was forwarded
	truncated                 // the replica broke off its response
	clientGone                // the client did not take it
)
