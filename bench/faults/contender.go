package faults

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/bindery-go/bindery/bench/internal/peers"
	"github.com/bindery-go/bindery/router"
)

// A contender is one library with the load that it gets, in a database of its own on the servers that
// all share.
type contender struct {
	name     string // as the tables have it
	library  string // as package peers has it
	database string
	// request makes the context of one operation: each is a request of its own to a service.
	request func(context.Context) context.Context

	db    peers.DB
	plain *sql.DB // to the database on the primary, past the library
}

// bindery's rows, which the bars are about.
const (
	inProcess = "bindery"
	inSession = "bindery, sessions"
)

// contenders are bindery as it is by default, where a read shows all that this process has written,
// and with a session for each request, as router.Middleware makes them; and every other library that
// sends reads to replicas.
func contenders() []*contender {
	plain := func(ctx context.Context) context.Context { return ctx }
	list := []*contender{
		{name: inProcess, library: "bindery", request: plain},
		{name: inSession, library: "bindery", request: router.NewSession},
	}
	for _, name := range []string{"Bun + bunexp", "gorm + dbresolver", "xorm EngineGroup", "bxcodec/dbresolver"} {
		list = append(list, &contender{name: name, library: name, request: plain})
	}
	for i, c := range list {
		c.database = fmt.Sprintf("bench%d", i+1)
	}
	return list
}

// items is how many rows there are to be read, with the ids from 1 on.
const items = 1000

// insertNumber is the text of a write. The table has no key: a row that is sent twice is there twice.
func insertNumber(number int64) string {
	return fmt.Sprintf("INSERT INTO journal (number) VALUES (%d)", number)
}

// journal counts the rows of each number of a run.
func (c *contender) journal(ctx context.Context, after int64) (map[int64]int, error) {
	rows, err := c.plain.QueryContext(ctx, fmt.Sprintf(
		"SELECT number, COUNT(*) FROM journal WHERE number > %d AND number <= %d GROUP BY number", after, after+perRun))
	if err != nil {
		return nil, err
	}
	found := map[int64]int{}
	for rows.Next() {
		var number int64
		var n int
		if err := rows.Scan(&number, &n); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		found[number] = n
	}
	return found, errors.Join(rows.Err(), rows.Close())
}

// close closes what is open.
func (c *contender) close() error {
	var errs []error
	if c.db != nil {
		errs = append(errs, c.db.Close())
	}
	if c.plain != nil {
		errs = append(errs, c.plain.Close())
	}
	return errors.Join(errs...)
}
