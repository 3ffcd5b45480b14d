package manager_test

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/binds"
	"github.com/bindery-go/bindery/manager"
	"github.com/bindery-go/bindery/router"
)

// The tables of a little library, given in an order in which they cannot be created.
type (
	loan struct {
		accounts
		ID     int64 `bun:",pk,autoincrement"`
		BookID int64
		Book   *book `bun:"rel:belongs-to,join:book_id=id,on_delete:CASCADE"`
	}
	book struct {
		accounts
		ID       int64   `bun:",pk,autoincrement"`
		ISBN     string  `bun:",unique"`
		AuthorID int64   `bun:",nullzero"`
		Author   *author `bun:"rel:belongs-to,join:author_id=id"`
		Tags     []*tag  `bun:"m2m:book_tags,join:Book=Tag"`
	}
	author struct { // the circle: an author's best book
		accounts
		ID     int64 `bun:",pk,autoincrement"`
		BestID int64 `bun:",nullzero"`
		Best   *book `bun:"rel:belongs-to,join:best_id=id"`
	}
	bookTag struct {
		accounts
		bun.BaseModel `bun:"table:book_tags"`
		BookID        int64 `bun:",pk"`
		Book          *book `bun:"rel:belongs-to,join:book_id=id"`
		TagID         int64 `bun:",pk"`
		Tag           *tag  `bun:"rel:belongs-to,join:tag_id=id"`
	}
	tag struct {
		accounts
		ID     int64 `bun:",pk,autoincrement"`
		Name   string
		UpID   int64 `bun:",nullzero"`
		Up     *tag  `bun:"rel:belongs-to,join:up_id=id"`
		ViaSQL int64 `bun:"type:bigint REFERENCES shelves(id)"`
	}
	shelf struct {
		bun.BaseModel `bun:"table:shelves"`
		accounts
		ID   int64 `bun:",pk,autoincrement"`
		Name string
	}
)

func (*book) Indexes(index func(string) *bun.CreateIndexQuery) {
	index("books_author").Column("author_id")
	index("books_isbn_lower").Unique().ColumnExpr("lower(isbn)").Where("isbn <> ''")
}

var library = []any{(*loan)(nil), (*book)(nil), (*author)(nil), (*bookTag)(nil), (*tag)(nil), (*shelf)(nil), (*page)(nil)}

type page struct {
	audit
	ID  int64 `bun:",pk,autoincrement"`
	URL string
}

func TestCreateTables(t *testing.T) {
	m, ctx := open(t), t.Context()
	require.NoError(t, m.CreateTables(ctx, library...))
	require.NoError(t, m.CreateTables(ctx, library...), "again")

	b := &book{ISBN: "1", Tags: []*tag{{Name: "x"}}}
	_, err := m.NewInsert(b).Exec(ctx)
	require.NoError(t, err)
	_, err = m.NewInsert(&book{ISBN: "1"}).Exec(ctx)
	require.ErrorContains(t, err, "UNIQUE", "unique columns")
	_, err = m.NewInsert(&loan{BookID: 77}).Exec(ctx)
	require.ErrorContains(t, err, "FOREIGN KEY", "a belongs-to relation is a foreign key")
	_, err = m.NewInsert(&bookTag{BookID: b.ID, TagID: 77}).Exec(ctx)
	require.ErrorContains(t, err, "FOREIGN KEY", "and so are those of a link table, which are its primary key")
	_, err = m.NewInsert(&loan{BookID: b.ID}).Exec(ctx)
	require.NoError(t, err)
	_, err = m.NewDelete(b).WherePK().Exec(ctx)
	require.NoError(t, err)
	n, err := m.NewSelect((*loan)(nil)).Count(ctx)
	require.NoError(t, err)
	assert.Zero(t, n, "on_delete:CASCADE")
	_, err = m.NewInsert(&page{URL: "/"}).Exec(ctx)
	require.NoError(t, err, "of the other bind")
}

// TestMissingPartsAreCreated drops a table and an index of what is there.
func TestMissingPartsAreCreated(t *testing.T) {
	m, ctx := open(t), t.Context()
	require.NoError(t, m.CreateTables(ctx, library...))
	_, err := m.NewRaw(accounts{}, "DROP INDEX books_author").Exec(ctx)
	require.NoError(t, err)
	require.NoError(t, m.DropTables(ctx, (*loan)(nil)))
	assert.ElementsMatch(t, []string{"loans"}, missing(m.Check(ctx, library...)))
	require.NoError(t, m.CreateTables(ctx, library...))
	assert.Empty(t, missing(m.Check(ctx, library...)))
	var names []string
	require.NoError(t, m.NewRaw(accounts{}, "SELECT name FROM sqlite_master WHERE type = 'index' AND name LIKE 'books%' ORDER BY 1").Scan(ctx, &names))
	assert.Equal(t, []string{"books_author", "books_isbn_lower"}, names)
}

func missing(r *manager.Report) (tables []string) {
	for _, b := range r.Binds {
		for _, t := range b.Missing {
			tables = append(tables, t.Table)
		}
	}
	return tables
}

func TestDropAndResetTables(t *testing.T) {
	m, ctx := open(t), t.Context()
	require.NoError(t, m.CreateTables(ctx, library...))
	a := new(author)
	_, err := m.NewInsert(a).Exec(ctx)
	require.NoError(t, err)
	b := &book{ISBN: "1", AuthorID: a.ID}
	_, err = m.NewInsert(b).Exec(ctx)
	require.NoError(t, err)
	a.BestID = b.ID
	_, err = m.NewUpdate(a).WherePK().Exec(ctx)
	require.NoError(t, err)
	_, err = m.NewInsert(&loan{BookID: b.ID}).Exec(ctx)
	require.NoError(t, err)

	require.NoError(t, m.ResetTables(ctx, library...), "rows refer to each other in a circle")
	n, err := m.NewSelect((*book)(nil)).Count(ctx)
	require.NoError(t, err)
	assert.Zero(t, n)
	require.NoError(t, m.DropTables(ctx, library...))
	require.NoError(t, m.DropTables(ctx, library...), "again")
	assert.Len(t, missing(m.Check(ctx, library...)), len(library))
}

func TestWithoutForeignKeys(t *testing.T) {
	m, ctx := open(t, manager.WithoutForeignKeys()), t.Context()
	require.NoError(t, m.CreateTables(ctx, library...))
	_, err := m.NewInsert(&loan{BookID: 77}).Exec(ctx)
	require.NoError(t, err)
}

type (
	hooked struct {
		accounts
		ID int64 `bun:",pk"`
	}
	badIndex struct {
		accounts
		ID int64 `bun:",pk"`
	}
	badType struct {
		accounts
		ID int64 `bun:",pk"`
		X  int64 `bun:"type:no such (type"`
	}
	needsBadType struct {
		accounts
		ID   int64    `bun:",pk"`
		ToID int64    `bun:""`
		To   *badType `bun:"rel:belongs-to,join:to_id=id"`
	}
	lost struct {
		nowhere
		ID int64
	}
	unlinked struct {
		accounts
		ID   int64  `bun:",pk"`
		Tags []*tag `bun:"m2m:nowhere,join:A=B"`
	}
	crossing struct {
		accounts
		ID     int64 `bun:",pk"`
		PageID int64
		Page   *page `bun:"rel:belongs-to,join:page_id=id"`
	}
)

type badHook struct {
	accounts
	ID int64 `bun:",pk"`
}

func (*badHook) AfterCreateTable(ctx context.Context, q *bun.CreateTableQuery) error {
	_, err := q.DB().NewInsert().Model(&badHook{}).Column("nothing").Exec(ctx)
	return err
}

// TestAFailedHookIsTold has a table that is there all the same.
func TestAFailedHookIsTold(t *testing.T) {
	m := open(t)
	require.ErrorContains(t, m.CreateTables(t.Context(), (*badHook)(nil)), `create table "bad_hooks"`)
	assert.Empty(t, missing(m.Check(t.Context(), (*badHook)(nil))))
	require.NoError(t, m.CreateTables(t.Context(), (*badHook)(nil)), "a hook runs once")
}

var hooks atomic.Int64

func (*hooked) AfterCreateTable(context.Context, *bun.CreateTableQuery) error {
	hooks.Add(1)
	return nil
}

func (*badIndex) Indexes(index func(string) *bun.CreateIndexQuery) {
	index("bad").ColumnExpr("no such (column")
}

func TestEveryFailureIsTold(t *testing.T) {
	m, ctx := open(t), t.Context()
	hooks.Store(0)
	err := m.CreateTables(ctx, (*badIndex)(nil), (*needsBadType)(nil), (*badType)(nil), (*unlinked)(nil), (*crossing)(nil), (*page)(nil),
		new(lost), new(torn), nil, accounts{}, 7, (*hooked)(nil))
	byModel := make(map[reflect.Type]*manager.TableError)
	for _, e := range tableErrors(err) {
		byModel[e.Model] = e
	}
	for model, want := range map[reflect.Type]string{
		reflect.TypeFor[badIndex](): `manager: create index bad of table "bad_indices" of model manager_test.badIndex in bind "accounts": `,
		reflect.TypeFor[badType]():  `manager: create table "bad_types" of model manager_test.badType in bind "accounts": `,
		reflect.TypeFor[unlinked](): `pass the link table's model too`,
		reflect.TypeFor[crossing](): `belongs-to relation manager_test.crossing.Page joins bind "accounts" with manager_test.page in bind "audit"`,
		reflect.TypeFor[lost]():     `unknown bind "nowhere"`,
		reflect.TypeFor[torn]():     `2 markers`,
		reflect.TypeFor[accounts](): `names a bind and has no table`,
		reflect.TypeFor[int]():      `has no table`,
	} {
		e := byModel[model]
		if assert.NotNil(t, e, "%s", model) {
			assert.Contains(t, e.Error(), want)
		}
	}
	require.ErrorIs(t, err, binds.ErrNilModel)
	var crosses *router.CrossBindRelationError
	require.ErrorAs(t, err, &crosses)
	assert.ElementsMatch(t, []string{"bad_types"}, missing(m.Check(ctx, (*badIndex)(nil), (*badType)(nil), (*page)(nil), (*hooked)(nil))),
		"the others are created")
	assert.EqualValues(t, 1, hooks.Load())
	require.NoError(t, m.CreateTables(ctx, (*hooked)(nil)))
	assert.EqualValues(t, 1, hooks.Load(), "a hook runs when its table is created")
}

// tableErrors takes joined errors apart.
func tableErrors(err error) (list []*manager.TableError) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			list = append(list, tableErrors(e)...)
		}
		return list
	}
	var e *manager.TableError
	if errors.As(err, &e) {
		list = append(list, e)
	}
	return list
}

func TestThousandCallers(t *testing.T) {
	m := open(t)
	hooks.Store(0)
	const callers = 1000
	errs := make([]error, callers)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() { errs[i] = m.CreateTables(t.Context(), append([]any{(*hooked)(nil)}, library...)...) })
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	assert.EqualValues(t, 1, hooks.Load(), "each table is created once")
}

// TestTablesAreMadeUnderTheLock holds it: what is missing waits, what is there does not.
func TestTablesAreMadeUnderTheLock(t *testing.T) {
	m := open(t)
	require.NoError(t, m.CreateTables(t.Context(), (*shelf)(nil)))
	l, err := m.Lock(t.Context(), accounts{}, "init_database_tables")
	require.NoError(t, err)
	require.NoError(t, m.CreateTables(t.Context(), (*shelf)(nil)))
	require.NoError(t, m.CreateTables(t.Context(), (*page)(nil)), "each bind has a lock of its own")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	for name, err := range map[string]error{
		"create": m.CreateTables(ctx, (*shelf)(nil), (*hooked)(nil)),
		"drop":   m.DropTables(ctx, (*shelf)(nil)),
		"reset":  m.ResetTables(ctx, (*shelf)(nil)),
	} {
		require.ErrorIs(t, err, context.DeadlineExceeded, name)
		var e *manager.TableError
		require.ErrorAs(t, err, &e, name)
		assert.Equal(t, binds.Key("accounts"), e.Bind)
	}
	require.NoError(t, l.Unlock())
	assert.Equal(t, []string{"hookeds"}, missing(m.Check(t.Context(), (*shelf)(nil), (*hooked)(nil))))
}

// TestModelsOfOneTable gives two, of which the first makes the table and both have indexes.
func TestModelsOfOneTable(t *testing.T) {
	m, ctx := open(t), t.Context()
	for range 2 {
		require.NoError(t, m.CreateTables(ctx, (*shelf)(nil), (*shelfName)(nil)))
	}
	var n int
	require.NoError(t, m.NewRaw(accounts{}, "SELECT count(*) FROM sqlite_master WHERE name = 'shelves_name'").Scan(ctx, &n))
	assert.Equal(t, 1, n)
	require.NoError(t, m.DropTables(ctx, (*shelf)(nil), (*shelfName)(nil)))
}

type shelfName struct {
	bun.BaseModel `bun:"table:shelves"`
	accounts
	Name string
}

func (shelfName) Indexes(index func(string) *bun.CreateIndexQuery) {
	index("shelves_name").Column("name")
}

func TestTablesOfAClosedManager(t *testing.T) {
	m := open(t)
	require.NoError(t, m.Close())
	require.ErrorIs(t, m.CreateTables(t.Context(), (*page)(nil)), manager.ErrClosed)
	require.ErrorIs(t, m.DropTables(t.Context(), (*page)(nil)), manager.ErrClosed)
	require.ErrorIs(t, m.ResetTables(t.Context(), (*page)(nil)), manager.ErrClosed)
}

func TestCreateTablesEndsWithItsContext(t *testing.T) {
	m := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := m.CreateTables(ctx, (*page)(nil))
	require.ErrorIs(t, err, context.Canceled)
	var e *manager.TableError
	require.ErrorAs(t, err, &e)
	assert.Equal(t, binds.Key("audit"), e.Bind)
}
