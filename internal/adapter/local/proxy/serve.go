package proxy

import "github.com/slipway-cd/slipway/internal/adapter/local/proxy/wire"

// serve forwards requests until the connection ends, or is handed over: then it
// reports false.
func (x *session) serve() (ended bool) {
	defer x.cancel(nil)
	for {
		switch x.readRequest() {
		case wire.Rare:
			x.dropScratch()
			x.server.handOver(x)
			return false
		case wire.Plain:
			if x.forward() {
				x.dropScratch()
				continue
			}
		}
		x.dropScratch()
		x.server.proxy.bodies.giveBack(x.extra)
		return true
	}
}
