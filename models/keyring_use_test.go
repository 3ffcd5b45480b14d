package models_test

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/models"
)

type safeCard struct{}

func (safeCard) Encryption() models.Encryption {
	return models.Encryption{Table: "safes", Column: "card", Keys: rotatingKeys}
}

type safePhone struct{}

func (safePhone) Encryption() models.Encryption {
	return models.Encryption{Table: "safes", Column: "home_phone", Keys: rotatingKeys}
}

type safeNote struct{}

func (safeNote) Encryption() models.Encryption {
	return models.Encryption{Table: "safes", Column: "note", Keys: rotatingKeys}
}

type safePhones struct {
	Phone *models.Encrypted[int, safePhone] // of an embedded struct, a pointer, and no text
}

type safe struct {
	bun.BaseModel `bun:"table:safes"`

	ID        int64 `bun:",pk"`
	Card      models.Encrypted[string, safeCard]
	Home      safePhones `bun:"embed:home_"`
	Note      models.Encrypted[[]byte, safeNote]
	DeletedAt time.Time `bun:",soft_delete,nullzero"`
}

// Rows are counted by the keys that they name, and nothing is decrypted: the ring has none of the keys then.
func TestKeysInUse(t *testing.T) {
	long := strings.Repeat("ü", 127) + "x" // 255 bytes
	keys := []*models.Key{mustKey("one", 1), mustKey("a'b\"\\", 2), mustKey(long, 3)}
	eachDB(t, func(t *testing.T, db *bun.DB) {
		ring := mustRing(keys[0])
		useKeys(t, ring)
		require.NoError(t, models.Register(db, (*safe)(nil)))
		createTables(t, db, (*safe)(nil))
		var rows []*safe
		for id := int64(1); id <= 9; id++ {
			row := &safe{ID: id}
			require.NoError(t, ring.Rotate(keys[id%3]))
			require.NoError(t, row.Card.Set(t.Context(), secret, id))
			if id > 4 {
				row.Home.Phone = new(models.Encrypted[int, safePhone])
				require.NoError(t, row.Home.Phone.Set(t.Context(), 4711, id))
			}
			if id == 9 {
				require.NoError(t, row.Note.Set(t.Context(), nil, id))
			}
			rows = append(rows, row)
		}
		exec(t, db.NewInsert().Model(&rows))
		exec(t, db.NewDelete().Model((*safe)(nil)).Where("id = 1")) // soft
		exec(t, db.NewRaw("UPDATE safes SET card = ? WHERE id = 2", []byte(secret)))
		exec(t, db.NewRaw("UPDATE safes SET card = substr(card, 1, 9) WHERE id = 3"))
		exec(t, db.NewRaw("UPDATE safes SET card = substr(card, 1, 3) WHERE id = 4"))
		exec(t, db.NewRaw("UPDATE safes SET card = substr(card, 1, 0) WHERE id = 5"))
		useKeys(t, new(models.KeyRing))

		one, quoted := keys[0].ID(), keys[1].ID()
		eachIDB(t, db, func(t *testing.T, idb bun.IDB) {
			uses, err := models.KeysInUse(t.Context(), idb, (*safe)(nil), new(article), []safe(nil))
			require.NoError(t, err)
			require.Len(t, uses, 6, "the model twice, and one without such columns")
			require.Equal(t, models.KeyUse{Table: "safes", Column: "card", Rows: map[string]int64{one: 2, quoted: 2, long: 1}, NotEncrypted: 4}, sum(uses[:1]))
			require.Equal(t, models.KeyUse{Table: "safes", Column: "home_phone", Rows: map[string]int64{one: 2, quoted: 1, long: 2}, Null: 4}, sum(uses[1:2]))
			require.Equal(t, models.KeyUse{Table: "safes", Column: "note", Rows: map[string]int64{one: 1}, Null: 8}, sum(uses[2:3]))
			require.EqualValues(t, 5, uses[:3].Rows(one))
			require.Zero(t, uses.Rows("two"))
		})
	})
}

type maybeCard struct {
	bun.BaseModel `bun:"table:safes"`

	ID   int64 `bun:",pk"`
	Card sql.Null[models.Encrypted[string, safeCard]]
}

// TestKeysInUse_unknown counts what another version wrote, and names the fields that cannot be looked into.
func TestKeysInUse_unknown(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		useKeys(t, mustRing(mustKey("one", 1)))
		require.NoError(t, models.Register(db, (*safe)(nil)))
		createTables(t, db, (*safe)(nil))
		var rows []*safe
		for id := int64(1); id <= 4; id++ {
			row := &safe{ID: id}
			require.NoError(t, row.Card.Set(t.Context(), secret, id))
			rows = append(rows, row)
		}
		exec(t, db.NewInsert().Model(&rows))
		later := sealed(t, rows[1].Card)
		later[1] = 2
		exec(t, db.NewRaw("UPDATE safes SET card = ? WHERE id = 2", later))
		later[1] = 3
		exec(t, db.NewRaw("UPDATE safes SET card = ? WHERE id = 3", later))
		exec(t, db.NewRaw("UPDATE safes SET card = ? WHERE id = 4", []byte("\uc548\ub155"))) // begins as an encrypted value does
		uses, err := models.KeysInUse(t.Context(), db, (*safe)(nil))
		require.NoError(t, err)
		require.Equal(t, models.KeyUse{Table: "safes", Column: "card", Rows: map[string]int64{mustKey("one", 1).ID(): 1}, Unknown: 2, NotEncrypted: 1}, uses[0])
		require.EqualValues(t, 2, uses.Unknown())
		_, err = models.KeysInUse(t.Context(), db, (*maybeCard)(nil))
		require.ErrorContains(t, err, "models: keys in use by safes.card: sql.Null[")
		require.ErrorContains(t, err, "make the field an Encrypted")
	})
}

// sum is the only one of uses.
func sum(uses models.KeyUses) models.KeyUse { return uses[0] }

// A key is forgotten once what it encrypted is encrypted anew, and no row names it any more.
func TestKeysInUse_untilForgotten(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		ring := mustRing(mustKey("old", 1))
		useKeys(t, ring)
		require.NoError(t, models.Register(db, (*safe)(nil)))
		createTables(t, db, (*safe)(nil))
		rows := []*safe{{ID: 1}, {ID: 2}, {ID: 3}}
		for _, row := range rows {
			require.NoError(t, row.Card.Set(t.Context(), secret, row.ID))
		}
		exec(t, db.NewInsert().Model(&rows))
		require.NoError(t, ring.Rotate(mustKey("new", 2)))
		for left := int64(len(rows)); ; left-- {
			uses, err := models.KeysInUse(t.Context(), db, (*safe)(nil))
			require.NoError(t, err)
			require.Equal(t, left, uses.Rows("old"))
			require.Equal(t, 3-left, uses.Rows("new"))
			if left == 0 {
				break
			}
			row := rows[left-1]
			_, err = row.Card.Rotate(t.Context(), row.ID)
			require.NoError(t, err)
			exec(t, db.NewUpdate().Model(row).Column("card").WherePK())
		}
		require.NoError(t, ring.Forget("old"))
		for _, row := range rows {
			got := safe{ID: row.ID}
			require.NoError(t, db.NewSelect().Model(&got).WherePK().Scan(t.Context()))
			card, err := got.Card.Get(t.Context(), got.ID)
			require.NoError(t, err)
			require.Equal(t, secret, card)
		}
	})
}

func TestKeysInUse_errors(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		_, err := models.KeysInUse(t.Context(), db, 7)
		require.EqualError(t, err, "models: keys in use: int is not a model: pass (*Model)(nil)")
		_, err = models.KeysInUse(t.Context(), db, (*safe)(nil))
		require.ErrorContains(t, err, "models: keys in use by safes.card: ", "there is no table")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err = models.KeysInUse(ctx, db, (*safe)(nil))
		require.ErrorIs(t, err, context.Canceled)
	})
}

func TestKeyRingForgets(t *testing.T) {
	one, two := mustKey("one", 1), mustKey("two", 2)
	ring := mustRing(two, one)
	useKeys(t, ring)
	var v rotated
	require.NoError(t, ring.Rotate(one))
	require.NoError(t, v.Set(t.Context(), secret, 7))
	require.ErrorIs(t, ring.Forget("one"), models.ErrCurrentKey)
	require.NoError(t, ring.Rotate(two))
	require.Equal(t, []string{"one", "two"}, ring.IDs())

	require.NoError(t, ring.Forget("one"))
	require.NoError(t, ring.Forget("one"), "again")
	require.Equal(t, []string{"two"}, ring.IDs())
	_, err := v.Get(t.Context(), 7)
	var failed *models.DecryptError
	require.ErrorAs(t, err, &failed)
	require.Equal(t, "one", failed.KeyID)
	require.ErrorIs(t, err, models.ErrForgottenKey)
	require.ErrorIs(t, err, models.ErrUnknownKey, "as a KeyProvider has to say")
	require.EqualError(t, err, `models: decrypt rotating.v with key "one": its key was forgotten: to read the value, make a key ring with it, `+
		`or Rotate to it, if you still have its secret; else clear the column`)
	_, err = v.Rotate(t.Context(), 7)
	require.ErrorIs(t, err, models.ErrForgottenKey)

	require.EqualError(t, ring.Forget("three"), `models: forget key "three": its key is not in the key ring: make the ring with it as an old key`)
	require.ErrorIs(t, new(models.KeyRing).Forget("one"), models.ErrUnknownKey)
	require.ErrorIs(t, ring.Rotate(mustKey("one", 9)), models.ErrBadKey, "another secret under its name")
	require.NoError(t, ring.Rotate(mustKey("one", 1)), "the same one may come back")
	got, err := v.Get(t.Context(), 7)
	require.NoError(t, err)
	require.Equal(t, secret, got)
	require.Nil(t, new(models.KeyRing).IDs())
	require.Equal(t, "models.KeyRing", fmt.Sprintf("%+v", ring))
}
