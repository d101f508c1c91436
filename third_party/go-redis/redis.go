// Package redis stands in for github.com/redis/go-redis/v9, with which the
// embedded registry's library can cache descriptors in Redis. Slipway configures no
// Redis; the real client would be a tenth part of the library's share of the binary
// that nothing reaches. It has only the names that the library compiles with, and
// every command returns ErrLeftOut.
package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"time"
)

// ErrLeftOut is what every command returns.
var ErrLeftOut = errors.New("redis is left out of this program")

// Nil is what a command returns for a key without a value.
var Nil = errors.New("redis: no value")

// UniversalOptions is the configuration of a client.
type UniversalOptions struct {
	Addrs                                                              []string
	ClientName, Username, Password, SentinelUsername, SentinelPassword string
	MasterName, IdentitySuffix                                         string
	DB, Protocol, MaxRetries, PoolSize                                 int
	MinIdleConns, MaxIdleConns, MaxActiveConns, MaxRedirects           int
	MinRetryBackoff, MaxRetryBackoff, DialTimeout, ReadTimeout         time.Duration
	WriteTimeout, PoolTimeout, ConnMaxIdleTime, ConnMaxLifetime        time.Duration
	ContextTimeoutEnabled, PoolFIFO, ReadOnly, RouteByLatency          bool
	RouteRandomly, DisableIdentity, UnstableResp3                      bool
	TLSConfig                                                          *tls.Config
	OnConnect                                                          func(ctx context.Context, cn *Conn) error
}

// Cmd is a command with a result of type T.
type Cmd[T any] struct{}

// Result returns ErrLeftOut.
func (Cmd[T]) Result() (T, error) {
	var none T
	return none, ErrLeftOut
}

// Err returns ErrLeftOut.
func (Cmd[T]) Err() error { return ErrLeftOut }

// PoolStats tells of a client's connections.
type PoolStats struct{ TotalConns, IdleConns uint32 }

// UniversalClient is a client of one server, of a cluster or of sentinels.
type UniversalClient interface {
	HDel(ctx context.Context, key string, fields ...string) Cmd[int64]
	HGet(ctx context.Context, key, field string) Cmd[string]
	HMGet(ctx context.Context, key string, fields ...string) Cmd[[]any]
	HMSet(ctx context.Context, key string, values ...any) Cmd[bool]
	HSet(ctx context.Context, key string, values ...any) Cmd[int64]
	HSetNX(ctx context.Context, key, field string, value any) Cmd[bool]
	SAdd(ctx context.Context, key string, members ...any) Cmd[int64]
	SIsMember(ctx context.Context, key string, member any) Cmd[bool]
	TxPipeline() Pipeline
	PoolStats() PoolStats
}

// NewUniversalClient returns a client that refuses.
func NewUniversalClient(*UniversalOptions) UniversalClient { return client{} }

// Conn is one connection.
type Conn struct{}

// Ping refuses.
func (*Conn) Ping(context.Context) Cmd[string] { return Cmd[string]{} }

// Pipeline is a series of commands.
type Pipeline struct{}

// SRem does nothing: Exec refuses.
func (Pipeline) SRem(context.Context, string, ...any) {}

// Del does nothing: Exec refuses.
func (Pipeline) Del(context.Context, ...string) {}

// HDel does nothing: Exec refuses.
func (Pipeline) HDel(context.Context, string, ...string) {}

// Exec refuses.
func (Pipeline) Exec(context.Context) ([]any, error) { return nil, ErrLeftOut }

type client struct{}

func (client) HDel(context.Context, string, ...string) Cmd[int64]    { return Cmd[int64]{} }
func (client) HGet(context.Context, string, string) Cmd[string]      { return Cmd[string]{} }
func (client) HMGet(context.Context, string, ...string) Cmd[[]any]   { return Cmd[[]any]{} }
func (client) HMSet(context.Context, string, ...any) Cmd[bool]       { return Cmd[bool]{} }
func (client) HSet(context.Context, string, ...any) Cmd[int64]       { return Cmd[int64]{} }
func (client) HSetNX(context.Context, string, string, any) Cmd[bool] { return Cmd[bool]{} }
func (client) SAdd(context.Context, string, ...any) Cmd[int64]       { return Cmd[int64]{} }
func (client) SIsMember(context.Context, string, any) Cmd[bool]      { return Cmd[bool]{} }
func (client) TxPipeline() Pipeline                                  { return Pipeline{} }
func (client) PoolStats() PoolStats                                  { return PoolStats{} }
