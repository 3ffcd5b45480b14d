package models_test

import (
	"bytes"
	"context"
	"database/sql/driver"
	"encoding/hex"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/uptrace/bun"

	"github.com/bindery-go/bindery/models"
)

type vaultCard struct{}

func (vaultCard) Encryption() models.Encryption {
	return models.Encryption{Table: "vaults", Column: "card", Keys: testKeys}
}

type vaultPhone struct{}

func (vaultPhone) Encryption() models.Encryption {
	return models.Encryption{Table: "vaults", Column: "phone", Keys: testKeys}
}

type archiveCard struct{}

func (archiveCard) Encryption() models.Encryption {
	return models.Encryption{Table: "archives", Column: "card", Keys: testKeys}
}

type vault struct {
	bun.BaseModel `bun:"table:vaults"`

	ID    int64 `bun:",pk,autoincrement"`
	Card  models.Encrypted[string, vaultCard]
	Phone models.Encrypted[string, vaultPhone]
}

type archive struct {
	bun.BaseModel `bun:"table:archives"`

	ID   int64 `bun:",pk"`
	Card models.Encrypted[string, archiveCard]
}

const secret = "4111-1111-secret"

// TestMovedEncryptedValues is the proof that a value stays where it is: whoever may write the tables but
// has no key moves values with SQL, and none can be read where it has been moved to.
func TestMovedEncryptedValues(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		require.NoError(t, models.Register(db, (*vault)(nil), (*archive)(nil)))
		for name, test := range map[string]struct {
			sql   string
			table bool
			err   error // of the first row's card
		}{
			"left alone":           {"UPDATE vaults SET id = id", false, nil},
			"from another row":     {"UPDATE vaults SET card = (SELECT c FROM (SELECT card AS c FROM vaults WHERE id = 2) AS o) WHERE id = 1", false, models.ErrTampered},
			"rows swapped":         {"UPDATE vaults SET id = CASE id WHEN 1 THEN 12 ELSE 1 END", false, models.ErrTampered},
			"from another column":  {"UPDATE vaults SET card = phone WHERE id = 1", false, models.ErrTampered},
			"to another table":     {"INSERT INTO archives (id, card) SELECT id, card FROM vaults WHERE id = 1", true, models.ErrTampered},
			"cut short":            {"UPDATE vaults SET card = substr(card, 1, length(card) - 1)", false, models.ErrTampered},
			"cut to the header":    {"UPDATE vaults SET card = substr(card, 1, 10)", false, models.ErrNotEncrypted},
			"replaced by nothing":  {"UPDATE vaults SET card = substr(card, 1, 0)", false, models.ErrNotEncrypted},
			"replaced by its text": {"UPDATE vaults SET card = ?", false, models.ErrNotEncrypted},
		} {
			t.Run(name, func(t *testing.T) {
				createTables(t, db, (*vault)(nil), (*archive)(nil))
				rows := []*vault{{ID: 1}, {ID: 2}}
				for _, row := range rows {
					require.NoError(t, row.Card.Set(t.Context(), secret, row.ID))
					require.NoError(t, row.Phone.Set(t.Context(), secret, row.ID))
				}
				exec(t, db.NewInsert().Model(&rows))

				exec(t, db.NewRaw(test.sql, []byte(secret)))
				got, err := readCard(t, db, test.table)
				t.Log(err)
				if test.err == nil {
					require.NoError(t, err)
					require.Equal(t, secret, got)
					return
				}
				var failed *models.DecryptError
				require.ErrorAs(t, err, &failed)
				require.ErrorIs(t, err, test.err)
				require.Empty(t, got)
			})
		}
	})
}

// readCard returns the first row's card.
func readCard(t *testing.T, db *bun.DB, archived bool) (string, error) {
	t.Helper()
	if archived {
		var row archive
		if err := db.NewSelect().Model(&row).Where("id = 1").Scan(t.Context()); err != nil {
			return "", err
		}
		return row.Card.Get(t.Context(), row.ID)
	}
	var row vault
	if err := db.NewSelect().Model(&row).Where("id = 1").Scan(t.Context()); err != nil {
		return "", err
	}
	return row.Card.Get(t.Context(), row.ID)
}

// A key that the database makes is known after the insert: the value follows in the same transaction.
func TestEncryptedWithMadeKey(t *testing.T) {
	eachDB(t, func(t *testing.T, db *bun.DB) {
		require.NoError(t, models.Register(db, (*vault)(nil)))
		createTables(t, db, (*vault)(nil))
		row := &vault{}
		require.ErrorIs(t, row.Card.Set(t.Context(), secret, row.ID), models.ErrNoRow)
		err := db.RunInTx(t.Context(), nil, func(ctx context.Context, tx bun.Tx) error {
			if _, err := tx.NewInsert().Model(row).Exec(ctx); err != nil {
				return err
			}
			if err := row.Card.Set(ctx, secret, row.ID); err != nil {
				return err
			}
			_, err := tx.NewUpdate().Model(row).Column("card").WherePK().Exec(ctx)
			return err
		})
		require.NoError(t, err)
		got := vault{ID: row.ID}
		require.NoError(t, db.NewSelect().Model(&got).WherePK().Scan(t.Context()))
		card, err := got.Card.Get(t.Context(), got.ID)
		require.NoError(t, err)
		require.Equal(t, secret, card)
		require.True(t, got.Phone.IsZero())
		phone, err := got.Phone.Get(t.Context(), got.ID)
		require.NoError(t, err)
		require.Empty(t, phone)
	})
}

// rotating is a column whose keys the test changes; each test has keys of its own.
type rotating struct{}

var rotatingKeys models.KeyProvider

func (rotating) Encryption() models.Encryption {
	return models.Encryption{Table: "rotating", Column: "v", Keys: rotatingKeys}
}

type rotated = models.Encrypted[string, rotating]

func useKeys(t *testing.T, keys models.KeyProvider) {
	t.Helper()
	rotatingKeys = keys
	t.Cleanup(func() { rotatingKeys = nil })
}

func TestEncryptedKeys(t *testing.T) {
	one, two := mustKey("one", 1), mustKey("two", 2)
	ring := mustRing(one)
	useKeys(t, ring)
	var old rotated
	require.NoError(t, old.Set(t.Context(), secret, 7))
	require.Equal(t, "one", old.KeyID())

	require.NoError(t, ring.Rotate(two))
	got, err := old.Get(t.Context(), 7)
	require.NoError(t, err, "a known key decrypts")
	require.Equal(t, secret, got)
	var fresh rotated
	require.NoError(t, fresh.Set(t.Context(), secret, 7))
	require.Equal(t, "two", fresh.KeyID(), "the current key encrypts")

	again := old
	done, err := again.Rotate(t.Context(), 7)
	require.NoError(t, err)
	require.True(t, done)
	require.Equal(t, "two", again.KeyID())
	require.Equal(t, "one", old.KeyID(), "a copy keeps what it has")
	done, err = again.Rotate(t.Context(), 7)
	require.NoError(t, err)
	require.False(t, done)
	_, err = old.Rotate(t.Context(), 8)
	require.ErrorIs(t, err, models.ErrTampered)
	done, err = new(rotated).Rotate(t.Context())
	require.NoError(t, err)
	require.False(t, done, "NULL stays NULL")

	useKeys(t, mustRing(two)) // "one" was taken out
	_, err = again.Get(t.Context(), 7)
	require.NoError(t, err)
	_, err = old.Get(t.Context(), 7)
	var failed *models.DecryptError
	require.ErrorAs(t, err, &failed)
	require.Equal(t, models.DecryptError{Table: "rotating", Column: "v", KeyID: "one", Err: models.ErrUnknownKey}, *failed)
	require.EqualError(t, err, `models: decrypt rotating.v with key "one": its key is not in the key ring: make the ring with it as an old key`)

	useKeys(t, mustRing(mustKey("one", 9))) // another secret under the old name
	_, err = old.Get(t.Context(), 7)
	require.ErrorIs(t, err, models.ErrWrongKey)
}

// Every byte of a value counts: whichever changes, the value cannot be read.
func TestEncryptedChangedBytes(t *testing.T) {
	useKeys(t, mustRing(mustKey("one", 1)))
	var v rotated
	require.NoError(t, v.Set(t.Context(), secret, 7))
	raw := sealed(t, v)
	require.NotContains(t, string(raw), secret)
	want := func(i int) error {
		switch {
		case i < 2: // the mark and the version
			return models.ErrNotEncrypted
		case i == 3: // the length of the key's id: shorter, longer, or past the end
			return nil
		case i >= 4 && i < 7:
			return models.ErrUnknownKey
		case i >= 7 && i < 11:
			return models.ErrWrongKey
		}
		return models.ErrTampered
	}
	for i := range raw {
		for _, bit := range []byte{1, 0x80} {
			changed := bytes.Clone(raw)
			changed[i] ^= bit
			text, err := readBytes(t, changed)
			var failed *models.DecryptError
			require.ErrorAs(t, err, &failed, "byte %d", i)
			require.Empty(t, text)
			if want := want(i); want != nil {
				require.ErrorIs(t, err, want, "byte %d", i)
			}
		}
	}
	for n := range raw {
		_, err := readBytes(t, raw[:n])
		require.Error(t, err, "%d bytes", n)
	}
}

// readBytes reads and decrypts what is in a column.
func readBytes(t *testing.T, data []byte) (string, error) {
	t.Helper()
	var got rotated
	if err := got.Scan(data); err != nil {
		require.True(t, got.IsZero())
		return "", err
	}
	return got.Get(t.Context(), 7)
}

// sealed returns what a value puts into the database.
func sealed(t testing.TB, v driver.Valuer) []byte {
	t.Helper()
	raw, err := v.Value()
	require.NoError(t, err)
	return raw.([]byte)
}

// wordUUID is a UUID as the usual packages have it: bytes that marshal as text.
type wordUUID [16]byte

func (u wordUUID) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, u[:]), nil }

func (u *wordUUID) UnmarshalText(text []byte) error {
	_, err := hex.Decode(u[:], text)
	return err
}

func TestEncryptedRows(t *testing.T) {
	useKeys(t, mustRing(mustKey("one", 1)))
	id, other := wordUUID{0x01, 0x8f}, wordUUID{0x01, 0x90}
	seven := 7
	type name string
	one := []any{1}
	for title, test := range map[string]struct {
		set, get []any
		same     bool
	}{
		"any integer type":         {[]any{int64(7)}, []any{uint8(7)}, true},
		"a pointer":                {[]any{7}, []any{&seven}, true},
		"a negative one":           {[]any{-7}, []any{7}, false},
		"a number and its text":    {[]any{7}, []any{"7"}, false},
		"a UUID":                   {[]any{id}, []any{id}, true},
		"a UUID and its text":      {[]any{id}, []any{"018f0000000000000000000000000000"}, true},
		"a pointer to a UUID":      {[]any{&id}, []any{id}, true},
		"another UUID":             {[]any{id}, []any{other}, false},
		"a named text":             {[]any{name("x")}, []any{"x"}, true},
		"an enum and its text":     {[]any{models.MustEnum[status]("live")}, []any{"live"}, true},
		"bytes":                    {[]any{[]byte{1}}, []any{[1]byte{1}}, true},
		"bytes and text":           {[]any{[]byte("x")}, []any{"x"}, false},
		"two columns":              {[]any{"a", 1}, []any{"a", 1}, true},
		"two columns exchanged":    {[]any{"a", "b"}, []any{"b", "a"}, false},
		"two columns run together": {[]any{"a", "bc"}, []any{"ab", "c"}, false},
		"columns that look alike":  {[]any{"asb", "c"}, []any{"a", "bsc"}, false}, // but for their lengths
		"a column more":            {[]any{"a"}, []any{"a", "b"}, false},
		"any row":                  {[]any{models.AnyRow{}}, []any{models.AnyRow{}}, true},
		"any row read as one":      {[]any{models.AnyRow{}}, one, false},
		"a row read as any":        {one, []any{models.AnyRow{}}, false},
	} {
		var v rotated
		require.NoError(t, v.Set(t.Context(), secret, test.set...), title)
		_, err := v.Get(t.Context(), test.get...)
		if test.same {
			require.NoError(t, err, title)
		} else {
			require.ErrorIs(t, err, models.ErrTampered, title)
		}
	}
	var v rotated
	require.NoError(t, v.Set(t.Context(), secret, 7))
	for title, row := range map[string][]any{
		"none":                {},
		"zero":                {0},
		"zero of another":     {uint16(0)},
		"a part that is zero": {"tenant", int64(0)},
		"no text":             {""},
		"no bytes":            {[]byte{}},
		"zero bytes":          {[16]byte{}},
		"the nil UUID":        {wordUUID{}},
		"nil":                 {nil},
		"a nil pointer":       {(*int)(nil)},
		"a nil UUID pointer":  {(*wordUUID)(nil)},
		"any row among parts": {"tenant", models.AnyRow{}},
		"a float":             {1.5},
		"a time":              {time.Now()},
		"a struct":            {address{City: "x"}},
	} {
		before := v
		require.ErrorIs(t, v.Set(t.Context(), "new", row...), models.ErrNoRow, title)
		require.Equal(t, sealed(t, before), sealed(t, v), "the field stays as it is")
		_, err := v.Get(t.Context(), row...)
		require.ErrorIs(t, err, models.ErrNoRow, title)
	}
}

type structCard struct{}

func (structCard) Encryption() models.Encryption {
	return models.Encryption{Table: "structs", Column: "v", Keys: testKeys}
}

func TestEncryptedTypes(t *testing.T) {
	encryptedType(t, "")
	encryptedType(t, "ünï\x00\xff")
	encryptedType(t, status("live"))
	encryptedType(t, []byte{})
	encryptedType(t, []byte{0, 255})
	encryptedType(t, json.RawMessage(`{"a":1}`))
	encryptedType(t, address{City: "Bonn"})
	encryptedType(t, []int{1, 2})
	encryptedType(t, 42)
	encryptedType(t, wordUUID{1, 2})
	var other models.Encrypted[int, structCard]
	var text models.Encrypted[string, structCard]
	require.NoError(t, text.Set(t.Context(), "Bonn", 1))
	require.NoError(t, other.Scan(sealed(t, text)))
	_, err := other.Get(t.Context(), 1)
	var wrong *models.DecodeError
	require.ErrorAs(t, err, &wrong)
	require.NotContains(t, err.Error(), "Bonn")
	var unfit models.Encrypted[chan int, structCard]
	var failed *models.EncodeError
	require.ErrorAs(t, unfit.Set(t.Context(), nil, 1), &failed)
}

func encryptedType[T any](t *testing.T, want T) {
	t.Helper()
	var v, read models.Encrypted[T, structCard]
	require.NoError(t, v.Set(t.Context(), want, 1))
	require.NoError(t, read.Scan(sealed(t, v)))
	got, err := read.Get(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, want, got)
	v.Clear()
	require.True(t, v.IsZero())
	require.Empty(t, v.KeyID())
}

func TestEncryptedNonces(t *testing.T) {
	seen := make(map[string]bool)
	var v models.Encrypted[string, structCard]
	for range 1000 {
		require.NoError(t, v.Set(t.Context(), "same", 1))
		seen[string(sealed(t, v))] = true
	}
	require.Len(t, seen, 1000)
}

// A provider is a service of keys that fails in some way.
type provider struct {
	current, byID func() (*models.Key, error)
}

func (p provider) CurrentKey(context.Context) (*models.Key, error)      { return p.current() }
func (p provider) KeyByID(context.Context, string) (*models.Key, error) { return p.byID() }

func TestEncryptedProviders(t *testing.T) {
	one := mustKey("one", 1)
	useKeys(t, mustRing(one))
	var v rotated
	require.NoError(t, v.Set(t.Context(), secret, 7))
	down := errors.New("service is down")
	answer := func(k *models.Key, err error) func() (*models.Key, error) {
		return func() (*models.Key, error) { return k, err }
	}
	for title, test := range map[string]struct {
		keys     models.KeyProvider
		set, get error
	}{
		"down":         {provider{answer(nil, down), answer(nil, down)}, down, down},
		"no key":       {provider{answer(nil, nil), answer(nil, nil)}, models.ErrBadKey, models.ErrBadKey},
		"a zero key":   {provider{answer(&models.Key{}, nil), answer(&models.Key{}, nil)}, models.ErrBadKey, models.ErrBadKey},
		"another key":  {provider{answer(one, nil), answer(mustKey("two", 1), nil)}, nil, models.ErrWrongKey},
		"an old one":   {provider{answer(one, nil), answer(mustKey("one", 2), nil)}, nil, models.ErrWrongKey},
		"a zero ring":  {&models.KeyRing{}, nil, models.ErrUnknownKey},
		"no provider":  {nil, nil, nil},
		"the same key": {provider{answer(one, nil), answer(one, nil)}, nil, nil},
	} {
		useKeys(t, test.keys)
		w := v
		err := w.Set(t.Context(), "new", 7)
		_, getErr := v.Get(t.Context(), 7)
		switch title {
		case "no provider":
			require.EqualError(t, err, "models: encrypt rotating.v: the column's Encryption has no Keys")
			require.EqualError(t, getErr, `models: decrypt rotating.v with key "one": the column's Encryption has no Keys`)
		case "a zero ring":
			require.EqualError(t, err, "models: encrypt rotating.v: current key: the key ring is empty")
			require.ErrorIs(t, getErr, test.get)
		default:
			require.ErrorIs(t, err, test.set, title)
			require.ErrorIs(t, getErr, test.get, title)
		}
	}
}

// storedValue is a value of structs.v for row 1 that is in some database: what it says must stay readable.
const storedValue = "ec010106323032362d61b8581b71aa5dbb04eb506a62df4f9cade01369947b1ae46dbe78994b8f6e63dae011a16757d560d11ceab742c8c70780"

func TestEncryptedFormatIsKept(t *testing.T) {
	data, err := hex.DecodeString(storedValue)
	require.NoError(t, err)
	var v models.Encrypted[string, structCard]
	require.NoError(t, v.Scan(data))
	got, err := v.Get(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, secret, got)
}

// FuzzEncrypted reads what anybody may have written into the column.
func FuzzEncrypted(f *testing.F) {
	own, err := hex.DecodeString(storedValue)
	require.NoError(f, err)
	f.Add(own)
	f.Add([]byte{0xec, 1, 1, 255})
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		var got models.Encrypted[string, structCard]
		var text string
		err := got.Scan(data)
		if err == nil {
			text, err = got.Get(t.Context(), 1)
		}
		if bytes.Equal(data, own) {
			require.NoError(t, err)
			return
		}
		var failed *models.DecryptError
		require.ErrorAs(t, err, &failed)
		require.Empty(t, text)
	})
}
