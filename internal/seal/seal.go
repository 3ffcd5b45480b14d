// Package seal encrypts and authenticates what clients carry for a program and may neither read nor change: session
// cookies and the cursors of pages. It is AES-256-GCM with a random nonce, as the standard library has it.
package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
)

const (
	// KeySize is the length of a key's secret in bytes.
	KeySize = 32
	// Overhead is how many bytes a sealed text is longer than the plain one: a nonce of 12 and a tag of 16.
	Overhead = 12 + 16
)

// ErrNoKey says that no key of a ring opens a text: it was changed, sealed for something else, or with another key.
var ErrNoKey = errors.New("no key opens it")

// A Key seals and opens. Its zero value is no key. It is safe for concurrent use.
//
// Seal at most 2³² texts with one key (NIST SP 800-38D, section 8.3).
type Key struct{ aead cipher.AEAD }

// NewKey makes a key from [KeySize] random bytes, which it does not keep. The error completes a sentence that begins with the key:
// "key 2 has 16 bytes: give 32 random ones".
func NewKey(secret []byte) (Key, error) {
	if len(secret) != KeySize {
		return Key{}, fmt.Errorf("has %d bytes: give %d random ones", len(secret), KeySize)
	}
	if bytes.Equal(secret, make([]byte, KeySize)) {
		return Key{}, fmt.Errorf("is all zeros: give %d random bytes", KeySize)
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return Key{}, fmt.Errorf("is of no use: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return Key{}, fmt.Errorf("is of no use: %w", err)
	}
	return Key{aead}, nil
}

// RandomKey returns a key that nobody else has.
func RandomKey() Key {
	secret := make([]byte, KeySize)
	_, _ = rand.Read(secret) // it never fails
	key, err := NewKey(secret)
	if err != nil {
		panic("seal: " + err.Error())
	}
	return key
}

// A Ring is keys of which the first seals and all open, so that keys can be changed: put a new one in front, and take the
// old one out when nothing is in use any more that it sealed. A ring without keys seals nothing.
type Ring []Key

// Seal appends the sealed text to dst, which must not overlap plain. What the text is about is authenticated with it, and no
// part of it: who opens it says the same.
func (r Ring) Seal(dst, plain, about []byte) []byte { return r[0].aead.Seal(dst, nil, plain, about) }

// Open returns the plain text, or [ErrNoKey].
func (r Ring) Open(sealed, about []byte) ([]byte, error) {
	for _, key := range r {
		if plain, err := key.aead.Open(nil, nil, sealed, about); err == nil {
			return plain, nil
		}
	}
	return nil, ErrNoKey
}
