package port

import "context"

// Message is news for people and machines outside.
type Message struct {
	ID    string // the same for every attempt, so that receivers can drop doubles
	Title string
	Text  string
	JSON  []byte // the event, for machines
}

// Notifier sends messages to one place.
type Notifier interface {
	// Notify sends m once. An error means that it may be tried again; one of
	// kind fault.Invalid or fault.Denied means that trying again is of no use.
	// Errors never contain the address's secret parts.
	Notify(ctx context.Context, m Message) error
	// Name tells people which place it is, without secrets.
	Name() string
}
