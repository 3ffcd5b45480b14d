package kinds

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	bxcodec "github.com/bxcodec/dbresolver/v2"
	"github.com/uptrace/bun"
	"gorm.io/gorm"
	"xorm.io/xorm"

	"github.com/bindery-go/bindery/bench/internal/peers"
)

// A subject is a library at work on a recorder.
type subject struct {
	name   string
	db     peers.DB
	handle any
}

// send gives a statement to the library. A panic of the library is an error.
func (l *subject) send(ctx context.Context, s *statement) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errors.Join(err, fmt.Errorf("kinds: %s panics: %v", l.name, p))
		}
	}()
	switch s.by {
	case byBuilder:
		if build := l.builder(s); build != nil {
			return build(ctx)
		}
		if s.build.exec {
			return l.db.Exec(ctx, s.text)
		}
		return l.db.Query(ctx, s.text)
	case byQuery:
		return l.db.Query(ctx, s.text)
	case byExec:
		return l.db.Exec(ctx, s.text)
	case byTx:
		return l.db.InTx(ctx, func(ctx context.Context, tx peers.DB) error { return tx.Query(ctx, s.text) })
	case byPrepared:
		return l.prepared(ctx, s.text)
	case byStandard:
		return l.standard(ctx, s.text)
	}
	panic("kinds: unknown way " + string(s.by))
}

// builder returns how the library builds a statement, nil if it does not.
func (l *subject) builder(s *statement) func(context.Context) error {
	switch h := l.handle.(type) {
	case *bun.DB:
		if s.build.bun != nil {
			return func(ctx context.Context) error { return s.build.bun(ctx, h) }
		}
	case *gorm.DB:
		if s.build.gorm != nil {
			return func(ctx context.Context) error { return s.build.gorm(h.WithContext(ctx)) }
		}
	case *xorm.EngineGroup:
		if s.build.xorm != nil {
			return func(ctx context.Context) error { return s.build.xorm(h.Context(ctx)) }
		}
	}
	return nil
}

// prepared prepares a text, in the library's way, and queries it.
func (l *subject) prepared(ctx context.Context, text string) error {
	switch h := l.handle.(type) {
	case *bun.DB:
		stmt, err := h.PrepareContext(ctx, text)
		if err != nil {
			return err
		}
		return errors.Join(drain(stmt.QueryContext(ctx)), stmt.Close())
	case *gorm.DB:
		var rows []map[string]any
		return h.WithContext(ctx).Session(&gorm.Session{PrepareStmt: true}).Raw(text).Scan(&rows).Error
	case *xorm.EngineGroup:
		return only(h.Context(ctx).Prepare().QueryInterface(text))
	case bxcodec.DB:
		stmt, err := h.PrepareContext(ctx, text)
		if err != nil {
			return err
		}
		return errors.Join(drain(stmt.QueryContext(ctx)), stmt.Close())
	}
	return l.unknown()
}

// standard runs a text by what the library has of the shape of database/sql.
func (l *subject) standard(ctx context.Context, text string) error {
	switch h := l.handle.(type) {
	case *bun.DB:
		return drain(h.QueryContext(ctx, text))
	case *gorm.DB:
		return drain(h.WithContext(ctx).Raw(text).Rows())
	case *xorm.EngineGroup:
		rows, err := h.DB().QueryContext(ctx, text)
		if err != nil {
			return err
		}
		return drain(rows.Rows, nil)
	case bxcodec.DB:
		return drain(h.QueryContext(ctx, text))
	}
	return l.unknown()
}

func (l *subject) unknown() error {
	return fmt.Errorf("kinds: it is not known how %s runs text: its handle is a %T", l.name, l.handle)
}

// drain reads all rows.
func drain(rows *sql.Rows, err error) error {
	if err != nil {
		return err
	}
	for rows.Next() {
	}
	return errors.Join(rows.Err(), rows.Close())
}
