package models_test

import (
	"bytes"

	"github.com/bindery-go/bindery/models"
)

// testKeys is the key ring of the test's models.
var testKeys = mustRing(mustKey("2026-a", 1))

func mustKey(id string, seed byte) *models.Key {
	k, err := models.NewKey(id, bytes.Repeat([]byte{seed}, models.KeySize))
	if err != nil {
		panic(err)
	}
	return k
}

func mustRing(current *models.Key, old ...*models.Key) *models.KeyRing {
	ring, err := models.NewKeyRing(current, old...)
	if err != nil {
		panic(err)
	}
	return ring
}
