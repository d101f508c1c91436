package port

import (
	"context"

	"github.com/slipway-cd/slipway/internal/account"
)

// Account looks after the resources of one kind in one account, or in the clusters that
// belong to it. What is Slipway's is known by its tags: there is no other record. Where
// rights are missing for several calls, all of them are tried and named: the error then
// joins several of fault.Denied.
type Account interface {
	// Read returns the resource that want describes as it is; nil: there is none.
	Read(ctx context.Context, want account.Resource) (*account.Observed, error)
	// Create makes the resource, with the tags from its first instant on: whoever is
	// killed in between finds it as its own, and Update completes it. One that exists
	// with the tag of the project is completed; another one is fault.Conflict.
	Create(ctx context.Context, want account.Resource, tags map[string]string) error
	// Update makes the resource, which exists, what want describes, and adds the tags.
	// Idempotent.
	Update(ctx context.Context, want account.Resource, tags map[string]string) error
	// Delete removes the resource with all that is in it; one that is absent is no error.
	Delete(ctx context.Context, r account.Resource) error
	// Owned returns the resources that have the tag of the set's project.
	Owned(ctx context.Context, of account.Set) ([]account.Observed, error)
}

// AccountRoles is what the Account of roles has, too.
type AccountRoles interface {
	// Roles returns the roles of the account with their trust and all of their policies,
	// whoever made them, sorted by name.
	Roles(ctx context.Context) ([]account.ExistingRole, error)
}
