package models

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"sync/atomic"
)

// KeySize is the length of a key's secret in bytes.
const KeySize = 32

// keyCheckSize is how much of a fingerprint of its key an encrypted value carries.
const keyCheckSize = 4

// A KeyProvider has the keys of [Encrypted] columns. A [KeyRing] is one; others ask a key service.
// It is called with the context of [Encrypted.Set], Get and Rotate, for each value: one that
// asks a service keeps what it was told. It must be safe for concurrent use.
type KeyProvider interface {
	// CurrentKey returns the key for new values.
	CurrentKey(ctx context.Context) (*Key, error)
	// KeyByID returns a key for reading. The error for an id that is not known is, or wraps,
	// [ErrUnknownKey].
	KeyByID(ctx context.Context, id string) (*Key, error)
}

// Key is an AES-256 key with a name. Its zero value is refused wherever a key is wanted. Its secret
// cannot be read back, and however a Key is printed, logged or encoded, it shows its id alone. It is safe for
// concurrent use.
//
// Encrypt at most 2³² values with one key (NIST SP 800-38D, section 8.3), then make another the
// current one.
type Key struct {
	id    string
	aead  cipher.AEAD
	check [keyCheckSize]byte
}

// NewKey makes a key from a secret of [KeySize] random bytes, which it does not keep: the caller may
// wipe them. The id is 1 to 255 bytes, goes into each encrypted value in the clear, and belongs to this secret
// for ever. The error is an [ErrBadKey].
func NewKey(id string, secret []byte) (*Key, error) {
	if id == "" || len(id) > 255 {
		return nil, fmt.Errorf("%w: its id has %d bytes, not 1 to 255", ErrBadKey, len(id))
	}
	if len(secret) != KeySize {
		return nil, fmt.Errorf("%w: %q has %d bytes, not %d", ErrBadKey, id, len(secret), KeySize)
	}
	if subtle.ConstantTimeCompare(secret, make([]byte, KeySize)) == 1 {
		return nil, fmt.Errorf("%w: %q is all zeros", ErrBadKey, id)
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, fmt.Errorf("%w: %q: %w", ErrBadKey, id, err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("%w: %q: %w", ErrBadKey, id, err)
	}
	k := &Key{id: id, aead: aead}
	mac := hmac.New(sha256.New, secret)
	_, _ = io.WriteString(mac, "bindery: which key is this?") // a hash takes everything
	copy(k.check[:], mac.Sum(nil))
	return k, nil
}

// ID returns the key's name.
func (k *Key) ID() string { return k.id }

func (k *Key) usable() bool { return k != nil && k.aead != nil }

// Format writes the key's id, whatever the verb.
func (k Key) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "models.Key(%q)", k.id) }

// LogValue is the key's id.
func (k Key) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(k)) }

// MarshalText returns the key's id, which nothing reads back.
func (k Key) MarshalText() ([]byte, error) { return []byte(fmt.Sprint(k)), nil }

// KeyRing is a [KeyProvider] that holds its keys. Its zero value has none and refuses everything.
// It is safe for concurrent use.
type KeyRing struct {
	keys atomic.Pointer[ringKeys] // replaced, never edited
}

type ringKeys struct {
	current   *Key
	byID      map[string]*Key
	forgotten map[string][keyCheckSize]byte // which secret each had: it may come back, and no other under its name
}

// copied returns a ring's keys to be changed; of an empty ring, too.
func (k *ringKeys) copied() *ringKeys {
	next := &ringKeys{byID: map[string]*Key{}, forgotten: map[string][keyCheckSize]byte{}}
	if k != nil {
		next.current = k.current
		maps.Copy(next.byID, k.byID)
		maps.Copy(next.forgotten, k.forgotten)
	}
	return next
}

// NewKeyRing returns a ring whose current key encrypts; it and the old ones decrypt. The error, for a
// zero key or two with one id, is an [ErrBadKey].
func NewKeyRing(current *Key, old ...*Key) (*KeyRing, error) {
	ring := &KeyRing{}
	for _, k := range append(old[:len(old):len(old)], current) {
		if err := ring.Rotate(k); err != nil {
			return nil, err
		}
	}
	return ring, nil
}

// Rotate makes a key the current one, from the next [Encrypted.Set] on. Those before stay, so that what they
// encrypted can be read until [Encrypted.Rotate] has been there. A key that is in the ring
// becomes current again, and so does one that was forgotten; another one with its id is an [ErrBadKey], as is a zero key.
//
// Where several processes share a database, all need the new key before the first writes with it:
// first deploy it as an old one, then as the current one.
func (r *KeyRing) Rotate(k *Key) error {
	if !k.usable() {
		return fmt.Errorf("%w: the zero Key: make it with NewKey", ErrBadKey)
	}
	for {
		old := r.keys.Load()
		next := old.copied()
		next.current = k
		if check, ok := next.forgotten[k.id]; ok && check != k.check {
			return fmt.Errorf("%w: %q was forgotten, and this is another secret: give it another id", ErrBadKey, k.id)
		}
		delete(next.forgotten, k.id)
		if known, ok := next.byID[k.id]; ok && known != k {
			return fmt.Errorf("%w: two keys with the id %q", ErrBadKey, k.id)
		}
		next.byID[k.id] = k
		if r.keys.CompareAndSwap(old, next) {
			return nil
		}
	}
}

// Forget takes a key out of the ring: what it encrypted cannot be read any more, and is an [ErrForgottenKey]. It is for a key
// that no value names any more, see [KeysInUse], and for one whose values nobody is ever to read again. Other rings and processes keep theirs; and
// the secret, wherever you have it: a ring made with it reads all again.
//
// The error is [ErrCurrentKey] for the current key, which would leave nothing to encrypt with: [KeyRing.Rotate] to another one first; and
// [ErrUnknownKey] for an id that the ring does not have. To forget a key again is none.
func (r *KeyRing) Forget(id string) error {
	for {
		old := r.keys.Load()
		next := old.copied()
		k := next.byID[id]
		switch _, forgotten := next.forgotten[id]; {
		case forgotten:
			return nil
		case k == nil:
			return fmt.Errorf("models: forget key %q: %w", id, ErrUnknownKey)
		case k == next.current:
			return fmt.Errorf("models: forget key %q: %w", id, ErrCurrentKey)
		}
		delete(next.byID, id)
		next.forgotten[id] = k.check
		if r.keys.CompareAndSwap(old, next) {
			return nil
		}
	}
}

// IDs returns the ids of the keys that the ring has, sorted.
func (r *KeyRing) IDs() []string {
	keys := r.keys.Load()
	if keys == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(keys.byID))
}

// CurrentKey returns the key for new values.
func (r *KeyRing) CurrentKey(context.Context) (*Key, error) {
	if keys := r.keys.Load(); keys != nil {
		return keys.current, nil
	}
	return nil, errNoKeys
}

// KeyByID returns the key with the id, [ErrForgottenKey] for one that was forgotten, or [ErrUnknownKey].
func (r *KeyRing) KeyByID(_ context.Context, id string) (*Key, error) {
	if keys := r.keys.Load(); keys != nil {
		if k := keys.byID[id]; k != nil {
			return k, nil
		}
		if _, ok := keys.forgotten[id]; ok {
			return nil, ErrForgottenKey
		}
	}
	return nil, ErrUnknownKey
}

// Format writes that this is a key ring, whatever the verb.
func (r *KeyRing) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "models.KeyRing") }

var errNoKeys = errors.New("the key ring is empty")
