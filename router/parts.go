package router

import (
	"reflect"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/schema"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/internal/bunlayout"
	"github.com/bindery-go/bindery/internal/modelhome"
)

// checkParts returns an error if a builder that is part of query belongs to another bind than r's. Its
// text would ask r's tables of the same names. Placed says that all models of query live in the bind.
func (r *Router) checkParts(query bun.Query, placed bool) error {
	outer := dbOf(query)
	return bunlayout.Nested(query, func(part bun.Query, beside reflect.Type) error {
		if placed {
			beside = nil // the relation is loaded here
		}
		return r.checkPart(part, outer, beside)
	})
}

// checkPart returns an error if a builder belongs to another bind, by its model or by its Bun DB. Outer is the DB of the
// query that it is part of. It stands beside a model of a has-many relation, unless that is nil, and must live where that
// lives.
func (r *Router) checkPart(part bun.Query, outer *bun.DB, beside reflect.Type) error {
	here := r.key
	if beside != nil {
		key, err := r.home.keyOf(beside)
		if err != nil {
			return err
		}
		here = key
	}
	wrong := &WrongBindError{Bind: here, Part: true}
	m, hasTable := tableOf(part)
	db := dbOf(part)
	var home *modelhome.Bind
	if db != nil {
		home = modelhome.Of(db.Dialect())
	}
	if home != nil && home.Placed { // it was said where it runs
		if wrong.Elsewhere = home.Key == string(here); !wrong.Elsewhere || here == r.key && home != r.declaredPlaced {
			if wrong.ModelBind = binds.Key(home.Key); hasTable {
				wrong.Model = m.Type
			}
			return wrong
		}
		return nil
	}
	if hasTable {
		key, err := r.home.keyOf(m.Type)
		if err != nil {
			return err
		}
		if wrong.Model = m.Type; key != here {
			wrong.ModelBind = key
			return wrong
		}
	}
	if db == nil || hasTable && outer != nil && db.Dialect() == outer.Dialect() { // Bun loads a relation by its parent's DB
		return r.checkTable(m)
	}
	if home != nil && (home.Key != string(here) || here == r.key && home != r.declared) {
		wrong.ModelBind, wrong.Elsewhere = binds.Key(home.Key), home.Key == string(here)
		return wrong
	}
	return r.checkTable(m)
}

// tableOf returns what a builder reads or writes by its model. A list of values reads no table.
func tableOf(part bun.Query) (*schema.Table, bool) {
	if _, values := part.(*bun.ValuesQuery); values {
		return nil, false
	}
	m, ok := part.GetModel().(bun.TableModel)
	if !ok {
		return nil, false
	}
	return m.Table(), true
}

// checkTable returns what is wrong with the relations of a model of the bind's.
func (r *Router) checkTable(t *schema.Table) error {
	if t == nil || r.home.tables.Get(t.Type) != t {
		return nil
	}
	return r.home.verdict(t).err
}

// dbOf returns the Bun DB of a builder, nil if it has none.
func dbOf(query bun.Query) *bun.DB {
	if q, ok := query.(interface{ DB() *bun.DB }); ok {
		return q.DB()
	}
	return nil
}

// CheckQuery returns a [*WrongBindError] if a query of the bind's Bun DBs belongs to another bind, by its model or by one of
// its parts. It asks no server. A query that goes by the router is checked without it; one of a bun.Tx or a
// bun.Conn is not.
func (r *Router) CheckQuery(query bun.Query) error {
	m, ok := query.GetModel().(bun.TableModel)
	if ok && !r.home.isHot(m.Table()) {
		if err := r.CheckModel(m.Table().Type); err != nil {
			return err
		}
	}
	if bunlayout.Nests(query, m) {
		return r.checkParts(query, false)
	}
	return nil
}
