package router

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/bindery-go/bindery/binds"
)

type (
	inShop  struct{}
	inAudit struct{}
	ware    struct {
		inShop
		ID int64 `bun:",pk"`
	}
	logged struct {
		inAudit
		ID     int64 `bun:",pk"`
		WareID int64
		Ware   *ware `bun:"rel:belongs-to,join:ware_id=id"`
	}
)

func (inShop) BindKey() binds.Key  { return "shop" }
func (inAudit) BindKey() binds.Key { return "audit" }

func TestCheckModel(t *testing.T) {
	b := newBench(t, "shop", 0, nil)
	require.NoError(t, b.CheckModel(reflect.TypeFor[ware]()))
	var crosses *CrossBindRelationError
	require.ErrorAs(t, b.CheckModel(reflect.TypeFor[logged]()), &crosses)
	audit := newBench(t, "audit", 0, nil)
	var wrong *WrongBindError
	require.ErrorAs(t, audit.CheckModel(reflect.TypeFor[ware]()), &wrong)
	require.Empty(t, audit.Health(t.Context()), "no readers")
}
