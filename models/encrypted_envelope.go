package models

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
)

// An encrypted value in the database:
//
//	mark 0xec | version 1 | codec | n | key id, n bytes | key check, 4 bytes | nonce, 12 bytes | ciphertext | tag, 16 bytes
//
// All before the nonce is authenticated, with the table, the column and the row. The key check, a
// fingerprint of the key's secret, tells a wrong key from a changed value.
const (
	envelopeMark    = 0xec
	envelopeVersion = 1

	maxEnvelope = 4 + 255 + keyCheckSize + 12 + 16 // all but the ciphertext, with the longest key id
)

type envelope struct {
	codec  byte
	keyID  []byte
	check  []byte
	header []byte // all of it before the nonce
	body   []byte // nonce, ciphertext, tag
}

// parseEnvelope looks at the form alone: nothing in it is proved.
func parseEnvelope(sealed []byte) (envelope, error) {
	if len(sealed) < 4 || sealed[0] != envelopeMark || sealed[1] != envelopeVersion {
		return envelope{}, ErrNotEncrypted
	}
	id := 4 + int(sealed[3])
	end := id + keyCheckSize
	if len(sealed) < end {
		return envelope{}, ErrNotEncrypted
	}
	return envelope{codec: sealed[2], keyID: sealed[4:id], check: sealed[id:end], header: sealed[:end], body: sealed[end:]}, nil
}

func (e Encryption) currentKey(ctx context.Context) (*Key, error) {
	if e.Keys == nil {
		return nil, errNoProvider
	}
	key, err := e.Keys.CurrentKey(ctx)
	if err != nil {
		return nil, fmt.Errorf("current key: %w", err)
	}
	if !key.usable() {
		return nil, fmt.Errorf("%w: the zero Key is current", ErrBadKey)
	}
	return key, nil
}

func (e Encryption) seal(ctx context.Context, codec byte, plain []byte, row []any) ([]byte, error) {
	key, err := e.currentKey(ctx)
	if err != nil {
		return nil, err
	}
	return e.sealWith(key, codec, plain, row)
}

func (e Encryption) sealWith(key *Key, codec byte, plain []byte, row []any) ([]byte, error) {
	size := 4 + len(key.id) + keyCheckSize
	sealed := make([]byte, 0, size+len(plain)+key.aead.Overhead())
	sealed = append(sealed, envelopeMark, envelopeVersion, codec, byte(len(key.id)))
	sealed = append(sealed, key.id...)
	sealed = append(sealed, key.check[:]...)
	place, err := e.place(sealed, row)
	if err != nil {
		return nil, err
	}
	return key.aead.Seal(sealed, nil, plain, place), nil
}

func (e Encryption) open(ctx context.Context, sealed []byte, row []any) (env envelope, plain []byte, err error) {
	if env, err = parseEnvelope(sealed); err != nil {
		return env, nil, err
	}
	if e.Keys == nil {
		return env, nil, errNoProvider
	}
	key, err := e.Keys.KeyByID(ctx, string(env.keyID))
	switch {
	case err != nil:
		return env, nil, err
	case !key.usable():
		return env, nil, fmt.Errorf("%w: the provider's is the zero Key", ErrBadKey)
	case key.id != string(env.keyID), string(key.check[:]) != string(env.check):
		return env, nil, ErrWrongKey
	}
	place, err := e.place(env.header, row)
	if err != nil {
		return env, nil, err
	}
	plain, err = key.aead.Open(make([]byte, 0, len(env.body)), nil, env.body, place) // never nil
	if err != nil {
		return env, nil, ErrTampered
	}
	return env, plain, nil
}

// place returns the additional data: the header, and where the value is. Each part has its length before
// it, so that no two places have the same.
func (e Encryption) place(header []byte, row []any) ([]byte, error) {
	if e.Table == "" || e.Column == "" {
		return nil, errNoPlace
	}
	b := make([]byte, 0, 128+len(header)+len(e.Table)+len(e.Column))
	b = append(b, "bindery/models.Encrypted\x00"...)
	b = appendPart(b, 'h', header)
	b = appendPart(b, 't', e.Table)
	b = appendPart(b, 'c', e.Column)
	return appendRow(b, row)
}

func appendPart[S string | []byte](b []byte, kind byte, part S) []byte {
	b = append(b, kind)
	b = binary.AppendUvarint(b, uint64(len(part)))
	return append(b, part...)
}

var (
	errNoProvider = errors.New("the column's Encryption has no Keys")
	errNoPlace    = errors.New("the column's Encryption has no Table or no Column")
	errUnshown    = errors.New("the cause is not shown, since it may quote the plaintext")
)
