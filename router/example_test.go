package router_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"

	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/binds"
	_ "github.com/bindery-go/bindery/binds/sqlitebind"
	"github.com/bindery-go/bindery/router"
)

// open opens a bind of a SQLite file: one writer, and one reader beside it.
func open(ctx context.Context, policy router.Policy) (db *bun.DB, done func()) {
	dir, err := os.MkdirTemp("", "bindery-*")
	if err != nil {
		panic(err)
	}
	writer, err := binds.Open(ctx, "shop/writer", "sqlite://"+dir+"/shop.db")
	if err != nil {
		panic(err)
	}
	reader := writer.Sibling("shop/reader-1", binds.As(binds.Reader))
	dialect := writer.Driver().Dialect()
	r, err := router.New(router.Config{
		Key: "shop", Default: "shop", Dialect: dialect, Writer: writer,
		Readers: []*router.Reader{router.NewReader(reader, 1)}, Policy: policy,
	})
	if err != nil {
		panic(err)
	}
	return bun.NewDB(writer.DB(), dialect, bun.WithConnResolver(r.Routed())), func() {
		_ = writer.Close()
		_ = reader.Close()
		_ = os.RemoveAll(dir)
	}
}

type Item struct {
	ID   int64 `bun:",pk,autoincrement"`
	Name string
}

func Example() {
	ctx := context.Background()
	db, done := open(ctx, nil)
	defer done()

	show := func(_ any, err error, route *router.Route) { fmt.Println(route, err) }
	ctx1, route := router.Explain(ctx)
	res, err := db.NewCreateTable().Model((*Item)(nil)).Exec(ctx1)
	show(res, err, route)
	res, err = db.NewInsert().Model(&Item{Name: "lamp"}).Exec(ctx1)
	show(res, err, route)
	n, err := db.NewSelect().Model((*Item)(nil)).Count(ctx1)
	show(n, err, route)
	res, err = db.NewRaw("DELETE FROM items").Exec(ctx1)
	show(res, err, route)
	// Output:
	// shop/writer (write, write_query) <nil>
	// shop/writer (write, write_query) <nil>
	// shop/reader-1 (read, plain_read) <nil>
	// shop/writer (write, write_text) <nil>
}

func ExampleExplain() {
	db, done := open(context.Background(), nil)
	defer done()
	ctx, route := router.Explain(context.Background())
	var one int
	if err := db.NewRaw("SELECT 1").Scan(ctx, &one); err != nil {
		panic(err)
	}
	for _, d := range route.Decisions() {
		fmt.Println(d.Query, "→", d.Engine, d.Role, d.Kind, d.Reason)
	}
	// Output: SELECT ? → shop/reader-1 reader read plain_read
}

func ExampleOnWriter() {
	db, done := open(context.Background(), nil)
	defer done()
	ctx, route := router.Explain(router.OnWriter(context.Background()))
	var one int
	err := db.NewRaw("SELECT 1").Scan(ctx, &one)
	fmt.Println(route, err)
	// Output: shop/writer (read, hint_writer) <nil>
}

func ExampleOnReader() {
	db, done := open(context.Background(), nil)
	defer done()
	ctx, route := router.Explain(router.OnReader(router.OnWriter(context.Background())))
	var one int
	err := db.NewRaw("SELECT 1").Scan(ctx, &one)
	fmt.Println(route, err)
	// Output: shop/reader-1 (read, hint_reader) <nil>
}

// nearby prefers the reader in the same zone.
type nearby struct{ name string }

func (p nearby) Pick(readers []*router.Reader) *router.Reader {
	for _, r := range readers {
		if r.Name() == p.name {
			return r
		}
	}
	return router.LeastLoaded{}.Pick(readers)
}

func ExamplePolicy() {
	db, done := open(context.Background(), nearby{"shop/reader-1"})
	defer done()
	ctx, route := router.Explain(context.Background())
	var one int
	err := db.NewRaw("SELECT 1").Scan(ctx, &one)
	fmt.Println(route.Engine(), err)
	// Output: shop/reader-1 <nil>
}

type Archive struct{}

func (Archive) BindKey() binds.Key { return "archive" }

type Letter struct {
	Archive
	ID int64 `bun:",pk"`
}

func ExampleWrongBindError() {
	db, done := open(context.Background(), nil)
	defer done()
	err := db.NewSelect().Model(new(Letter)).Scan(context.Background())
	fmt.Println(err)
	// Output: router: model router_test.Letter lives in bind "archive" but was queried on bind "shop": use the manager's own builders, or the DB of bind "archive"
}

type Shelf struct {
	ID       int64 `bun:",pk"`
	LetterID int64
	Letter   *Letter `bun:"rel:belongs-to,join:letter_id=id"`
}

func ExampleCrossBindRelationError() {
	db, done := open(context.Background(), nil)
	defer done()
	err := db.NewSelect().Model(new(Shelf)).Scan(context.Background())
	fmt.Println(err)
	// Output: router: the belongs-to relation router_test.Shelf.Letter joins bind "shop" with router_test.Letter in bind "archive": load it with a query of its own, or model it as has-many
}

// A site whose TLS ends at a proxy keeps its clients' sessions in sealed cookies that no other host can set.
func ExampleSessionCookie() {
	ctx := context.Background()
	db, done := open(ctx, nil)
	defer done()
	if _, err := db.NewCreateTable().Model((*Item)(nil)).Exec(ctx); err != nil {
		fmt.Println(err)
	}

	cookie := &router.SessionCookie{
		Name: "__Host-shop", Secure: true,
		Keys: [][]byte{[]byte("keep 32 random bytes of your own")},
	}
	sessions, err := cookie.Middleware()
	if err != nil {
		fmt.Println(err)
		return
	}
	site := sessions(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if _, err := db.NewInsert().Model(&Item{Name: "lamp"}).Exec(req.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}))

	request := httptest.NewRequest(http.MethodPost, "https://shop.example/", nil)
	request.AddCookie(&http.Cookie{Name: "__Host-shop", Value: "a neighbour's"})
	answer := httptest.NewRecorder()
	site.ServeHTTP(answer, request)
	fmt.Println(answer.Code, "cookies that count as none:", cookie.Refused())
	// Output: 200 cookies that count as none: 1
}
