package proxy

// HandedOver returns the number of connections that the general path has.
func (s *Server) HandedOver() (n int) {
	s.eachSession(func(x *session) {
		if x.phase() == general {
			n++
		}
	})
	return n
}

// Connections returns the number of open connections.
func (s *Server) Connections() (n int) {
	s.eachSession(func(*session) { n++ })
	return n
}

// KeptBytes returns the bytes of all bodies that are kept.
func (p *Proxy) KeptBytes() int64 { return p.bodies.used.Load() }
