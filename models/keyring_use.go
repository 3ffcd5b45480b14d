package models

import (
	"context"
	"database/sql"
	"fmt"
	"reflect"
	"unicode/utf8"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect"
	"github.com/uptrace/bun/schema"
)

// maxKeyHeaders bounds how many different keys [KeysInUse] counts in a column.
const maxKeyHeaders = 10_000

// KeyUse says which keys the values of an [Encrypted] column say that they were encrypted with.
type KeyUse struct {
	Table, Column string           // as Bun calls them
	Rows          map[string]int64 // how many, by the id of the key; never nil
	Null          int64            // rows without a value
	NotEncrypted  int64            // rows with what is no encrypted value: no key reads them, see [ErrNotEncrypted]
	Unknown       int64            // rows with what looks like a later version's encrypted value, whose key is not known: forget none
}

// KeyUses is what [KeysInUse] has found: a KeyUse for each column.
type KeyUses []KeyUse

// Rows returns how many values of all columns name the key.
func (u KeyUses) Rows(id string) (n int64) {
	for i := range u {
		n += u[i].Rows[id]
	}
	return n
}

// Unknown returns how many values of all columns may name any key: what a later version of this library wrote.
func (u KeyUses) Unknown() (n int64) {
	for i := range u {
		n += u[i].Unknown
	}
	return n
}

// KeysInUse counts the rows of the models' [Encrypted] columns by the keys that they name, so that a key which none names can be
// forgotten:
//
//	uses, err := models.KeysInUse(ctx, db, (*User)(nil), (*Order)(nil))
//	if err == nil && uses.Rows("2025") == 0 && uses.Unknown() == 0 {
//		err = keys.Forget("2025")
//	}
//
// It has the server read each table once for each column, in one aggregate query, on the writer; nothing is decrypted, and no value
// leaves the server but for what stands before its ciphertext. Soft-deleted rows count. Only the models' own tables are looked
// at: not others of the same model (ModelTableExpr), backups, queues and caches.
// Let no process have the key as its current one any more before you count: what is written meanwhile is not seen.
//
// All models must live in db's bind; a program with several calls it for each of them. Models without such a column are passed
// over. A field that has an Encrypted within another type with a Scan, as sql.Null, is an error that names it. A column with more than
// 10,000 different keys, versions and kinds of values is an error. What a value names is not proved: who may write the table can name any key.
func KeysInUse(ctx context.Context, db bun.IDB, models ...any) (KeyUses, error) {
	ctx = reread(ctx)
	var uses KeyUses
	for _, model := range models {
		table, err := encryptedTable(db, model)
		if err != nil {
			return nil, fmt.Errorf("models: keys in use: %w", err)
		}
		for _, f := range table.Fields {
			if !hasSealed(f.IndirectType) {
				continue
			}
			if !implements[sealedField](reflect.PointerTo(f.IndirectType)) {
				return nil, fmt.Errorf("models: keys in use by %s.%s: %s has an Encrypted within it, of which the keys are not known: make the field an Encrypted, "+
					"which can be NULL itself", table.Name, f.Name, f.IndirectType)
			}
			use, err := keysOf(ctx, db, table, f)
			if err != nil {
				return nil, fmt.Errorf("models: keys in use by %s.%s: %w", table.Name, f.Name, err)
			}
			uses = append(uses, *use)
		}
	}
	return uses, nil
}

func encryptedTable(db bun.IDB, model any) (*schema.Table, error) {
	typ := reflect.TypeOf(model)
	for typ != nil && (typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice) {
		typ = typ.Elem()
	}
	if typ == nil || typ.Kind() != reflect.Struct {
		return nil, fmt.Errorf("%T is not a model: pass (*Model)(nil)", model)
	}
	if err := checkHome(db, typ); err != nil {
		return nil, err
	}
	return db.Dialect().Tables().Get(typ), nil
}

// keyHeaders are expressions for what stands in a value before its nonce: NULL of NULL, one byte of what is no encrypted value, and the first two
// of what another version may have made.
var keyHeaders = map[dialect.Name]string{
	dialect.PG: `CASE WHEN ?0 IS NULL THEN NULL WHEN octet_length(?0) < 4 THEN '0'::bytea WHEN substring(?0 FROM 1 FOR 1) <> decode('ec', 'hex') THEN '0'::bytea ` +
		`WHEN get_byte(?0, 1) <> 1 THEN substring(?0 FROM 1 FOR 2) ` +
		`ELSE substring(?0 FROM 1 FOR 8 + get_byte(?0, 3)) END`,
	dialect.MySQL: `CASE WHEN ?0 IS NULL THEN NULL WHEN LENGTH(?0) < 4 THEN x'00' WHEN SUBSTRING(?0, 1, 1) <> x'EC' THEN x'00' ` +
		`WHEN SUBSTRING(?0, 2, 1) <> x'01' THEN SUBSTRING(?0, 1, 2) ` +
		`ELSE SUBSTRING(?0, 1, 8 + ORD(SUBSTRING(?0, 4, 1))) END`,
	// SQLite has no function that gives a byte's number, but hex.
	dialect.SQLite: `CASE WHEN ?0 IS NULL THEN NULL WHEN length(CAST(?0 AS BLOB)) < 4 THEN x'00' WHEN substr(CAST(?0 AS BLOB), 1, 1) <> x'EC' THEN x'00' ` +
		`WHEN substr(CAST(?0 AS BLOB), 2, 1) <> x'01' THEN substr(CAST(?0 AS BLOB), 1, 2) ` +
		`ELSE substr(CAST(?0 AS BLOB), 1, 7 + 16 * (instr('0123456789ABCDEF', substr(hex(substr(CAST(?0 AS BLOB), 4, 1)), 1, 1)) - 1) + ` +
		`instr('0123456789ABCDEF', substr(hex(substr(CAST(?0 AS BLOB), 4, 1)), 2, 1))) END`,
}

func keysOf(ctx context.Context, db bun.IDB, table *schema.Table, f *schema.Field) (_ *KeyUse, err error) {
	header, ok := keyHeaders[db.Dialect().Name()]
	if !ok {
		return nil, fmt.Errorf("it is not known how for %s", db.Dialect().Name())
	}
	inner := db.NewSelect().TableExpr("?", table.SQLName).ColumnExpr(header+" AS header", f.SQLName)
	q := db.NewSelect().TableExpr("(?) AS sealed", inner).Column("header").ColumnExpr("COUNT(*)").Group("header").Limit(maxKeyHeaders + 1)
	rows, err := q.Rows(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		if closing := rows.Close(); err == nil {
			err = closing
		}
	}()
	use := &KeyUse{Table: table.Name, Column: f.Name, Rows: map[string]int64{}}
	seen := 0
	for ; rows.Next(); seen++ {
		var header sql.RawBytes
		var n int64
		if err := rows.Scan(&header, &n); err != nil {
			return nil, err
		}
		switch env, err := parseEnvelope(header); {
		case header == nil:
			use.Null += n
		case len(header) == 2 && header[0] == envelopeMark && header[1] < utf8.RuneSelf: // else it may be a text in UTF-8
			use.Unknown += n
		case err != nil:
			use.NotEncrypted += n
		default:
			use.Rows[string(env.keyID)] += n
		}
	}
	if seen > maxKeyHeaders {
		return nil, fmt.Errorf("its values name more than %d different keys", maxKeyHeaders)
	}
	return use, rows.Err()
}
