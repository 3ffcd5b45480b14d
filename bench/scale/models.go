package scale

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/binds"
)

// A program with a thousand models has a thousand types. Here they are made of three digits each.
type digit interface{ digit() int }

type (
	d0 struct{}
	d1 struct{}
	d2 struct{}
	d3 struct{}
	d4 struct{}
	d5 struct{}
	d6 struct{}
	d7 struct{}
	d8 struct{}
	d9 struct{}
)

func (d0) digit() int { return 0 }
func (d1) digit() int { return 1 }
func (d2) digit() int { return 2 }
func (d3) digit() int { return 3 }
func (d4) digit() int { return 4 }
func (d5) digit() int { return 5 }
func (d6) digit() int { return 6 }
func (d7) digit() int { return 7 }
func (d8) digit() int { return 8 }
func (d9) digit() int { return 9 }

// fields are those of a row.
type fields struct {
	ID      int64 `bun:",pk"`
	Owner   int64
	Version int64
	Name    string
}

// plain is a model of the default bind.
type plain[A, B, C digit] struct {
	bun.BaseModel `bun:"table:items,alias:item"`
	fields
}

// bound is a model of a bind of its own.
type bound[A, B, C digit] struct {
	bun.BaseModel `bun:"table:items,alias:item"`
	marker[A, B, C]
	fields
}

// marker marks the models of the bind with that number.
type marker[A, B, C digit] struct{}

func (marker[A, B, C]) BindKey() binds.Key {
	var a A
	var b B
	var c C
	return keyOf(100*a.digit() + 10*b.digit() + c.digit())
}

func keyOf(bind int) binds.Key { return binds.Key(fmt.Sprintf("b%d", bind)) }

// builder starts a SELECT from a model's table.
type builder func(model any) *bun.SelectQuery

// reading reads a row of one model by its key.
type reading func(ctx context.Context, sel builder) error

func read[M any](ctx context.Context, sel builder) error {
	return sel(new(M)).Where("id = ?", 1).Scan(ctx)
}

// readings has one model of each form.
type readings struct{ plain, bound reading }

// thousand returns the readings of all models, number i at index i.
func thousand() []readings {
	return join(hundred[d0], hundred[d1], hundred[d2], hundred[d3], hundred[d4],
		hundred[d5], hundred[d6], hundred[d7], hundred[d8], hundred[d9])
}

func hundred[A digit]() []readings {
	return join(ten[A, d0], ten[A, d1], ten[A, d2], ten[A, d3], ten[A, d4],
		ten[A, d5], ten[A, d6], ten[A, d7], ten[A, d8], ten[A, d9])
}

func ten[A, B digit]() []readings {
	return join(one[A, B, d0], one[A, B, d1], one[A, B, d2], one[A, B, d3], one[A, B, d4],
		one[A, B, d5], one[A, B, d6], one[A, B, d7], one[A, B, d8], one[A, B, d9])
}

func one[A, B, C digit]() []readings {
	return []readings{{read[plain[A, B, C]], read[bound[A, B, C]]}}
}

func join(parts ...func() []readings) (all []readings) {
	for _, part := range parts {
		all = append(all, part()...)
	}
	return all
}
