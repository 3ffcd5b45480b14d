package binds

import "time"

// Pool bounds the connections of one engine. Zero fields take the defaults below; each engine has
// a pool of its own, never shared with another.
//
// The defaults are bounded on purpose. database/sql's own, an unbounded pool, turns a slow moment
// of the server into a connection storm that the server refuses (PostgreSQL's max_connections is
// 100 by default, MariaDB's 151), and its two idle connections make every burst reconnect.
type Pool struct {
	// MaxOpen is the most connections open at once. Zero means 30, so that three processes fit
	// into a server's default limit; negative means no bound.
	MaxOpen int
	// MaxIdle is the most connections kept idle; more than MaxOpen means MaxOpen. Zero means
	// MaxOpen, so that a burst does not reconnect, or 30 if that has no bound; negative means none
	// is kept.
	MaxIdle int
	// MaxLifetime is the age at which a connection is replaced, so that a pool follows a DNS name
	// that moved to another server. Zero means 30 minutes; negative means never.
	MaxLifetime time.Duration
	// MaxIdleTime is how long a connection may stay unused, so that a quiet process gives the
	// server its connections back. Zero means 5 minutes; negative means for ever.
	MaxIdleTime time.Duration
	// MaxWait is how long a caller waits for a connection while all MaxOpen are in use, unless its context has a deadline: then
	// it waits until that. Zero means one minute; negative means for ever. Whoever has waited for so long gets a
	// [*PoolWaitError], and nothing was sent. It holds for what goes through a bind's router and for the pools of its Bun DBs; a
	// pool of an [Engine] that no router has waits as database/sql does, for ever. So does a bind's Bun DB that is given
	// SetMaxOpenConns: who waits counts as one of its connections, and beyond its bound callers wait in database/sql's own queue
	// until their context ends. Set MaxOpen, and leave that alone.
	//
	// It bounds one wait. A read that waited in vain for a reader waits once more, for another engine; where that is the writer,
	// whose answers it wants from a connection that may not write, it waits there for one of those first: three times MaxWait in
	// all at most. A deadline bounds the sum.
	//
	// While callers wait, a connection that is given back is closed for database/sql and opened anew for who waits, though the
	// server sees nothing of that. So a [database/sql.Stmt] is prepared again on it: with 32 callers on 4 connections to
	// PostgreSQL a read by a prepared statement took five to nine times as long as in a pool that database/sql bounds. Raise MaxOpen
	// where prepared statements meet a pool that is full, or run them in a transaction or on a [database/sql.Conn] of their own.
	MaxWait time.Duration
}

const (
	defaultMaxOpen = 30
	defaultMaxWait = time.Minute
)

// WithDefaults returns p with its zero fields filled in, and MaxIdle held to MaxOpen.
func (p Pool) WithDefaults() Pool {
	if p.MaxOpen == 0 {
		p.MaxOpen = defaultMaxOpen
	}
	switch {
	case p.MaxIdle == 0 && p.MaxOpen < 0:
		p.MaxIdle = defaultMaxOpen
	case p.MaxIdle == 0, p.MaxOpen > 0 && p.MaxIdle > p.MaxOpen:
		p.MaxIdle = p.MaxOpen
	}
	if p.MaxLifetime == 0 {
		p.MaxLifetime = 30 * time.Minute
	}
	if p.MaxIdleTime == 0 {
		p.MaxIdleTime = 5 * time.Minute
	}
	if p.MaxWait == 0 {
		p.MaxWait = defaultMaxWait
	}
	return p
}

// Over returns p with its zero fields taken from base.
func (p Pool) Over(base Pool) Pool {
	if p.MaxOpen == 0 {
		p.MaxOpen = base.MaxOpen
	}
	if p.MaxIdle == 0 {
		p.MaxIdle = base.MaxIdle
	}
	if p.MaxLifetime == 0 {
		p.MaxLifetime = base.MaxLifetime
	}
	if p.MaxIdleTime == 0 {
		p.MaxIdleTime = base.MaxIdleTime
	}
	if p.MaxWait == 0 {
		p.MaxWait = base.MaxWait
	}
	return p
}
