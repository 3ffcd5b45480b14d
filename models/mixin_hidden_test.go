package models_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/models"
)

// hidesQueryHooks has the hooks of queries itself, which hide those of its mixins.
type hidesQueryHooks struct {
	bun.BaseModel `bun:"table:mixin_hides_query_hooks"`
	models.Timestamps
	models.Version

	ID   int64 `bun:",pk,autoincrement"`
	Name string
}

func (*hidesQueryHooks) BeforeInsert(context.Context, *bun.InsertQuery) error { return nil }
func (*hidesQueryHooks) BeforeUpdate(context.Context, *bun.UpdateQuery) error { return nil }

func TestMixinsOfAModelThatHidesTheirHooks(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		createTables(t, db, (*hidesQueryHooks)(nil))
		rows := []hidesQueryHooks{{Name: "a"}, {Name: "b"}}
		_, err := db.NewInsert().Model(&rows).Exec(clockAt(t, day1))
		require.NoError(t, err)
		_, err = db.NewUpdate().Model(&rows[1]).Column("name").WherePK().Exec(clockAt(t, day2))
		require.NoError(t, err)
		var got []hidesQueryHooks
		require.NoError(t, db.NewSelect().Model(&got).Order("id").Scan(t.Context()))
		assert.True(t, got[0].CreatedAt.Equal(inMicros(day1)))
		assert.True(t, got[1].CreatedAt.Equal(inMicros(day1)))
		assert.True(t, got[1].UpdatedAt.Equal(inMicros(day2)))
		assert.Equal(t, int64(2), got[1].RowVersion)

		_, err = db.NewUpdate().Model((*hidesQueryHooks)(nil)).Set("name = ?", "c").Where("id = ?", got[0].ID).Exec(clockAt(t, day2))
		var hidden *models.HiddenHookError
		require.ErrorAs(t, err, &hidden)
		assert.EqualError(t, err, `models: models_test.hidesQueryHooks was written without "updated_at": its own or an embedded BeforeUpdate hides that of its mixins: call models.BeforeUpdate(ctx, query) from it`)
	})
}

// hidesAllBefore hides all hooks that run before a statement, and does not call them.
type hidesAllBefore struct {
	hidesQueryHooks
}

func (*hidesAllBefore) BeforeAppendModel(context.Context, bun.Query) error { return nil }

func TestMixinsHiddenCompletelyAreAnError(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		createTables(t, db, (*hidesQueryHooks)(nil))
		_, err := db.NewInsert().Model(&hidesAllBefore{}).ModelTableExpr("mixin_hides_query_hooks").Exec(t.Context())
		require.Error(t, err, "by the database, or by AfterInsert")

		row := &hidesQueryHooks{}
		_, err = db.NewInsert().Model(row).Exec(clockAt(t, day1))
		require.NoError(t, err)
		_, err = db.NewUpdate().Model(&hidesAllBefore{hidesQueryHooks: *row}).ModelTableExpr("mixin_hides_query_hooks").
			Where("id = ?", row.ID).Exec(clockAt(t, day2))
		var hidden *models.HiddenHookError
		require.ErrorAs(t, err, &hidden)
	})
}

// callsHidden hides the hooks of its mixins and calls them, as the error says.
type callsHidden struct {
	bun.BaseModel `bun:"table:mixin_calls_hidden"`
	models.Timestamps

	ID   int64 `bun:",pk,autoincrement"`
	Name string
}

func (*callsHidden) BeforeAppendModel(context.Context, bun.Query) error { return nil }
func (*callsHidden) BeforeInsert(ctx context.Context, q *bun.InsertQuery) error {
	return models.BeforeInsert(ctx, q)
}
func (*callsHidden) BeforeUpdate(ctx context.Context, q *bun.UpdateQuery) error {
	return models.BeforeUpdate(ctx, q)
}

func TestMixinsCalledByTheModel(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		createTables(t, db, (*callsHidden)(nil))
		row := &callsHidden{}
		_, err := db.NewInsert().Model(row).Exec(clockAt(t, day1))
		require.NoError(t, err)
		for _, q := range []*bun.UpdateQuery{
			db.NewUpdate().Model(row).WherePK(),
			db.NewUpdate().Model((*callsHidden)(nil)).Set("name = 'a'").Where("id = ?", row.ID),
		} {
			_, err = q.Exec(clockAt(t, day2))
			require.NoError(t, err)
		}
	})
}

type stamper struct{}

func (stamper) AfterInsert(context.Context, *bun.InsertQuery) error  { return nil }
func (stamper) BeforeUpdate(context.Context, *bun.UpdateQuery) error { return nil }

type Stamper1 struct{ stamper }

type Stamper2 struct{ stamper }

// ambiguous embeds two types of an application with the same hooks, which hide those of the mixin
// without being promoted themselves.
type ambiguous struct {
	bun.BaseModel `bun:"table:mixin_ambiguous"`
	models.Timestamps
	Stamper1
	Stamper2

	ID int64 `bun:",pk,autoincrement"`
}

func TestAmbiguousHooksAreAnError(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		_, err := db.NewInsert().Model(&ambiguous{}).Exec(t.Context())
		var lost *models.AmbiguousHookError
		require.ErrorAs(t, err, &lost)
		assert.EqualError(t, err, "models: models_test.ambiguous embeds Timestamps and Stamper1 and Stamper2, each with a AfterInsert: Go promotes none of them: give models_test.ambiguous a AfterInsert that calls each")
	})
}

type ownColumn struct {
	bun.BaseModel `bun:"table:mixin_own_column"`
	models.Timestamps

	ID      int64 `bun:",pk,autoincrement"`
	Updated int64 `bun:"updated_at"`
}

func TestHiddenColumnIsAnError(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		_, err := db.NewCreateTable().Model((*ownColumn)(nil)).Exec(t.Context())
		var hidden *models.HiddenColumnError
		require.ErrorAs(t, err, &hidden)
		assert.EqualError(t, err, `models: column "updated_at" of models.Timestamps, which models_test.ownColumn embeds, is hidden by another field of that name: remove one`)
	})
}

type Base struct {
	models.Timestamps
	Name string
}

type Middle struct{ Base }

// deep has mixins at different depths.
type deep struct {
	bun.BaseModel `bun:"table:mixin_deep"`
	Middle
	models.Version
	models.EpochTimestamps

	ID int64 `bun:",pk,autoincrement"`
}

func TestMixinsAtDifferentDepths(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		createTables(t, db, (*deep)(nil))
		row := &deep{}
		_, err := db.NewInsert().Model(row).Exec(clockAt(t, day1))
		require.NoError(t, err)
		_, err = db.NewUpdate().Model((*deep)(nil)).Set("name = 'b'").Where("id = ?", row.ID).Exec(clockAt(t, day2))
		require.NoError(t, err)
		var got deep
		require.NoError(t, db.NewSelect().Model(&got).Scan(t.Context()))
		assert.True(t, got.UpdatedAt.Equal(inMicros(day2)))
		assert.Equal(t, day2.UnixMilli(), got.UpdateTime)
		assert.Equal(t, int64(2), got.RowVersion)
	})
}

type (
	Deep1 struct{ models.Timestamps }
	Deep2 struct{ Deep1 }
	Deep3 struct{ Deep2 }
	Deep4 struct{ Deep3 }
	Deep5 struct{ Deep4 }
)

// TestMixinsThatMeetAtOneDepthAreAnError embeds mixins so unevenly that Go promotes some hooks of
// none.
func TestMixinsThatMeetAtOneDepthAreAnError(t *testing.T) {
	type three struct {
		bun.BaseModel `bun:"table:mixin_depths"`
		Deep3
		models.Version
		ID int64 `bun:",pk,autoincrement"`
	}
	type four struct {
		bun.BaseModel `bun:"table:mixin_depths"`
		Deep4
		models.Version
		ID int64 `bun:",pk,autoincrement"`
	}
	type five struct {
		bun.BaseModel `bun:"table:mixin_depths"`
		Deep5
		models.Version
		ID int64 `bun:",pk,autoincrement"`
	}
	eachDB(t, func(t *testing.T, db *bun.DB) {
		createTables(t, db, (*three)(nil))
		_, err := db.NewInsert().Model(&three{}).Exec(t.Context())
		require.NoError(t, err)
		_, err = db.NewUpdate().Model((*three)(nil)).Set("id = id").Where("1 = 1").Exec(clockAt(t, day2))
		require.NoError(t, err)
		var got three
		require.NoError(t, db.NewSelect().Model(&got).Scan(t.Context()))
		assert.True(t, got.UpdatedAt.Equal(inMicros(day2)))

		var lost *models.AmbiguousHookError
		_, err = db.NewCreateTable().Model((*four)(nil)).Exec(t.Context())
		require.ErrorAs(t, err, &lost)
		assert.EqualError(t, err, "models: models_test.four embeds Deep4 and Version, each with a BeforeSelect: Go promotes none of them: give models_test.four a BeforeSelect that calls each")
		require.ErrorAs(t, db.NewSelect().Model(&[]four{}).Scan(t.Context()), &lost)
		_, err = db.NewInsert().Model(&five{}).Exec(t.Context())
		require.ErrorAs(t, err, &lost)
	})
}

type (
	Outer1 struct{ TenantMixin }
	Outer2 struct{ Outer1 }
)

// TestMixinsBesideAHookAtTheirDepth embeds a type of an application whose hook is as deep as that of
// the mixin, so that Go promotes neither.
func TestMixinsBesideAHookAtTheirDepth(t *testing.T) {
	type level struct {
		bun.BaseModel `bun:"table:mixin_level"`
		models.Timestamps
		Outer2

		ID int64 `bun:",pk,autoincrement"`
	}
	_, promoted := any(new(level)).(bun.BeforeAppendModelHook)
	require.False(t, promoted)
	eachDB(t, func(t *testing.T, db *bun.DB) {
		createTables(t, db, (*level)(nil))
		row := &level{}
		_, err := db.NewInsert().Model(row).Exec(clockAt(t, day1))
		require.NoError(t, err)
		assert.Equal(t, inMicros(day1), row.CreatedAt)
		assert.Equal(t, "acme", row.TenantName)
	})
}
