package router

import "github.com/uptrace/bun"

// Placed returns a resolver that does what [Router.Routed] does for queries of which it was said that they run in this bind: whatever bind
// their models name, those live here, those of their relations included. A builder of another bind is no part of such a query.
//
// Its Bun DB must have the dialect [Config.Placed], by which its builders are known in other queries of the bind.
func (r *Router) Placed() bun.ConnResolver { return &r.placed }

// PlacedAs returns what [Router.Placed] is to [Router.Routed], to another resolver of a router.
func PlacedAs(of bun.ConnResolver) bun.ConnResolver { return of.(*resolver).placed() }

func (rs *resolver) placed() *resolver {
	all := *rs
	all.everything = true
	return &all
}

// CheckPlaced returns a [*WrongBindError] if a query of a Bun DB with [Router.Placed] has a part that belongs to another bind. It asks no
// server.
func (r *Router) CheckPlaced(query bun.Query) error { return r.checkParts(query, true) }
