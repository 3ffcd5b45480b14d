package router

import (
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/internal/bunlayout"
	"github.com/bindery-go/bindery/internal/modelhome"
)

// checkParts returns an error if a builder that is part of query belongs to another bind than r's. Its
// text would ask r's tables of the same names.
func (r *Router) checkParts(query bun.Query) error {
	return bunlayout.Nested(query, r.checkPart)
}

// checkPart returns an error if a builder belongs to another bind, by its Bun DB or by its model.
func (r *Router) checkPart(part bun.Query) error {
	wrong := &WrongBindError{Bind: r.key, Part: true}
	m, isTable := part.GetModel().(bun.TableModel)
	if isTable {
		t := m.Table().Type
		key, err := r.home.keyOf(t)
		if err != nil {
			return err
		}
		if wrong.Model = t; key != r.key {
			wrong.ModelBind = key
			return wrong
		}
	}
	if db := dbOf(part); db != nil && db.Dialect() != r.dialect {
		if b := modelhome.Of(db.Dialect()); b != nil && b.Key != string(r.key) {
			wrong.ModelBind = binds.Key(b.Key)
			return wrong
		}
	}
	if isTable && m.Table() == r.home.tables.Get(m.Table().Type) {
		return r.home.verdict(m.Table()).err
	}
	return nil
}

// dbOf returns the Bun DB of a builder, nil if it has none.
func dbOf(query bun.Query) *bun.DB {
	if q, ok := query.(interface{ DB() *bun.DB }); ok {
		return q.DB()
	}
	return nil
}
