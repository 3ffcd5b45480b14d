package models

import "encoding/base64"

// ForgeCursor returns the cursor with other values, sealed as this process seals: what only who has the key can make.
func ForgeCursor(cursor, values string) (string, error) {
	data, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return "", err
	}
	plain, err := processSeal().ring.Open(data[1:], cursorAbout)
	if err != nil {
		return "", err
	}
	plain = append(plain[:orderSize], values...)
	return base64.RawURLEncoding.EncodeToString(processSeal().ring.Seal([]byte{cursorVersion}, plain, cursorAbout)), nil
}
