package delivery

// ReleaseDocument is a ReleaseRecord as documents hold it. A record is embedded where
// it is shown, and has no JSON methods for that reason.
type ReleaseDocument ReleaseRecord

// ModelDocument is a ModelVersion as documents hold it, for the same reason.
type ModelDocument ModelVersion

// MarshalJSON writes the unknown fields, too.
func (d Deployment) MarshalJSON() ([]byte, error) {
	type plain Deployment
	return MarshalDocument(plain(d), d.Unknown)
}

// UnmarshalJSON keeps the unknown fields.
func (d *Deployment) UnmarshalJSON(raw []byte) (err error) {
	type plain Deployment
	d.Unknown, err = UnmarshalDocument(raw, (*plain)(d))
	return err
}

// MarshalJSON writes the unknown fields, too.
func (g GateResult) MarshalJSON() ([]byte, error) {
	type plain GateResult
	return MarshalDocument(plain(g), g.Unknown)
}

// UnmarshalJSON keeps the unknown fields.
func (g *GateResult) UnmarshalJSON(raw []byte) (err error) {
	type plain GateResult
	g.Unknown, err = UnmarshalDocument(raw, (*plain)(g))
	return err
}

// MarshalJSON writes the unknown fields, too.
func (c Configuration) MarshalJSON() ([]byte, error) {
	type plain Configuration
	return MarshalDocument(plain(c), c.Unknown)
}

// UnmarshalJSON keeps the unknown fields.
func (c *Configuration) UnmarshalJSON(raw []byte) (err error) {
	type plain Configuration
	c.Unknown, err = UnmarshalDocument(raw, (*plain)(c))
	return err
}

// MarshalJSON writes the unknown fields, too.
func (r Release) MarshalJSON() ([]byte, error) {
	type plain Release
	return MarshalDocument(plain(r), r.Unknown)
}

// UnmarshalJSON keeps the unknown fields.
func (r *Release) UnmarshalJSON(raw []byte) (err error) {
	type plain Release
	r.Unknown, err = UnmarshalDocument(raw, (*plain)(r))
	return err
}

// MarshalJSON writes the unknown fields, too.
func (o Origin) MarshalJSON() ([]byte, error) {
	type plain Origin
	return MarshalDocument(plain(o), o.Unknown)
}

// UnmarshalJSON keeps the unknown fields.
func (o *Origin) UnmarshalJSON(raw []byte) (err error) {
	type plain Origin
	o.Unknown, err = UnmarshalDocument(raw, (*plain)(o))
	return err
}

// MarshalJSON writes the unknown fields, too.
func (i Inputs) MarshalJSON() ([]byte, error) {
	type plain Inputs
	return MarshalDocument(plain(i), i.Unknown)
}

// UnmarshalJSON keeps the unknown fields.
func (i *Inputs) UnmarshalJSON(raw []byte) (err error) {
	type plain Inputs
	i.Unknown, err = UnmarshalDocument(raw, (*plain)(i))
	return err
}

// MarshalJSON writes the unknown fields, too.
func (w Workload) MarshalJSON() ([]byte, error) {
	type plain Workload
	return MarshalDocument(plain(w), w.Unknown)
}

// UnmarshalJSON keeps the unknown fields.
func (w *Workload) UnmarshalJSON(raw []byte) (err error) {
	type plain Workload
	w.Unknown, err = UnmarshalDocument(raw, (*plain)(w))
	return err
}

// MarshalJSON writes the unknown fields, too.
func (q Quarantine) MarshalJSON() ([]byte, error) {
	type plain Quarantine
	return MarshalDocument(plain(q), q.Unknown)
}

// UnmarshalJSON keeps the unknown fields.
func (q *Quarantine) UnmarshalJSON(raw []byte) (err error) {
	type plain Quarantine
	q.Unknown, err = UnmarshalDocument(raw, (*plain)(q))
	return err
}

// MarshalJSON writes the unknown fields, too.
func (l Lineage) MarshalJSON() ([]byte, error) {
	type plain Lineage
	return MarshalDocument(plain(l), l.Unknown)
}

// UnmarshalJSON keeps the unknown fields.
func (l *Lineage) UnmarshalJSON(raw []byte) (err error) {
	type plain Lineage
	l.Unknown, err = UnmarshalDocument(raw, (*plain)(l))
	return err
}

// MarshalJSON writes the unknown fields, too.
func (r ReleaseDocument) MarshalJSON() ([]byte, error) {
	type plain ReleaseDocument
	return MarshalDocument(plain(r), r.Unknown)
}

// UnmarshalJSON keeps the unknown fields.
func (r *ReleaseDocument) UnmarshalJSON(raw []byte) (err error) {
	type plain ReleaseDocument
	r.Unknown, err = UnmarshalDocument(raw, (*plain)(r))
	return err
}

// MarshalJSON writes the unknown fields, too.
func (m ModelDocument) MarshalJSON() ([]byte, error) {
	type plain ModelDocument
	return MarshalDocument(plain(m), m.Unknown)
}

// UnmarshalJSON keeps the unknown fields.
func (m *ModelDocument) UnmarshalJSON(raw []byte) (err error) {
	type plain ModelDocument
	m.Unknown, err = UnmarshalDocument(raw, (*plain)(m))
	return err
}
