package port

import "context"

// Message is a notification for people and machines.
type Message struct {
	ID    string // the same in every attempt, so that receivers can drop duplicates
	Title string
	Text  string
	JSON  []byte // the event, for machines
}

// Notifier sends messages to one receiver.
type Notifier interface {
	// Notify sends m once. An error means that it may be tried again, except for
	// fault.Invalid and fault.Denied, which are permanent. Errors never contain
	// the secret parts of the address.
	Notify(ctx context.Context, m Message) error
	// Name identifies the receiver for people, without secrets.
	Name() string
}
