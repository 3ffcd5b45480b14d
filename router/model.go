package router

import "reflect"

// CheckModel returns why no query of this bind can use a model of type t, a struct: it lives in another
// bind, or has a relation that joins tables of two. It asks no server. The model's table must be one
// that Bun can read: it panics otherwise, as Bun does.
func (r *Router) CheckModel(t reflect.Type) error {
	switch v := r.home.verdict(r.home.tables.Get(t)); {
	case v.err != nil:
		return v.err
	case v.key != r.key:
		return &WrongBindError{Model: t, ModelBind: v.key, Bind: r.key}
	}
	return nil
}

// livesHere returns an error if models of type t live in another bind. Unlike [Router.CheckModel] it reads no table: Bun panics
// where one is read before the link table that it names.
func (r *Router) livesHere(t reflect.Type) error {
	key, err := r.home.keyOf(t)
	if err == nil && key != r.key {
		err = &WrongBindError{Model: t, ModelBind: key, Bind: r.key}
	}
	return err
}
